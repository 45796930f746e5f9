"""voice-verify stability: how many of many generated sentences a finished voice speaks wrongly."""

from __future__ import annotations

import os

import click


@click.command()
@click.argument("voice", metavar="BUNDLE|VOICE")
@click.option("--count", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Sentences.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the sentences.")
@click.option("--allow", type=click.IntRange(0), default=0, show_default=True, help="Failures; with more, exit code 3.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of text.")
def stability(voice: str, count: int, seed: int, allow: int, as_json: bool) -> None:
    """Speak generated sentences of one word to 400 characters, and count those that came out wrong.

    Whisper recognises them; a larger Whisper decides about those that the first one gets wrong. Length, silence,
    clipping and repeatability are measured. The figures are written beside the bundle, as stability.json, and `certify`
    puts them into the certificate.
    """
    from voicemill import console
    from voicemill.lane.stability import measure_bundle
    from voicemill.settings import Settings
    from voicemill.terminal import json_text, plain_text
    from voicemill.verify.stability_figures import lines, require_stable
    from voicemill_cloning import recogniser_files

    settings = Settings.from_environment(os.environ)
    with console.Terminal() as terminal:
        found = measure_bundle(settings, voice, count=count, seed=seed, observer=terminal, fetch=recogniser_files.fetch)
    if as_json:
        click.echo(json_text(found.model_dump(mode="json")))
    else:
        for line in lines(found):
            click.echo(plain_text(line))
    require_stable(found, allow)
