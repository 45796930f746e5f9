"""voice-verify quality: how well a finished voice speaks."""

from __future__ import annotations

import os

import click


@click.command()
@click.argument("voice", metavar="BUNDLE|VOICE")
@click.option("--dataset", metavar="DIR|VOICE", help="Prepared dataset whose held-out clips to compare with.")
@click.option("--preset", metavar="NAME", help="Judge by this preset's limits; outside them the exit code is 3.")
@click.option("--json", "as_json", is_flag=True, help="Print the evaluation as JSON instead of text.")
def quality(voice: str, dataset: str | None, preset: str | None, as_json: bool) -> None:
    """Synthesise test sentences with a bundle or promoted voice and measure them (figures: docs/evaluation.md).

    Without --dataset only what needs no recording is measured. Unlike the other commands this one loads and runs the
    models, after every file was checked against its manifest.
    """
    from voicemill import console
    from voicemill.evaluation.limit_results import require_limits
    from voicemill.evaluation.wording import lines
    from voicemill.lane.evaluation import evaluate_bundle
    from voicemill.settings import Settings
    from voicemill.terminal import json_text, plain_text

    settings = Settings.from_environment(os.environ)
    with console.Terminal() as terminal:
        evaluation = evaluate_bundle(settings, voice, dataset, preset, terminal)
    if as_json:
        click.echo(json_text(evaluation.model_dump(mode="json")))
    else:
        for line in lines(evaluation):
            click.echo(plain_text(line))
    require_limits(evaluation)
