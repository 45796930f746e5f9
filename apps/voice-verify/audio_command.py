"""voice-verify audio: is a sound file synthetic speech, and whose?"""

from __future__ import annotations

import os
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", metavar="FILE", type=PATH)
@click.option(
    "--bundle", "bundles", type=PATH, metavar="DIR", multiple=True, help="Compare with this bundle; repeatable."
)
@click.option(
    "--trust", type=PATH, metavar="FILE", help="Certificates (PEM) whose signers are trusted.  [VOICEMILL_MARKS_TRUST]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def audio(file: Path, bundles: tuple[Path, ...], trust: Path | None, as_json: bool) -> None:
    """Look for the watermark and the signed metadata of synthetic speech in any sound file.

    Without --bundle the promoted voices of the work folder are compared. A signer is reported as verified only under a
    certificate that you trust. Exit code 3: the file is not marked.
    """
    from voicemill.errors import NotAcceptableError
    from voicemill.settings import Settings
    from voicemill.terminal import json_text, plain_text
    from voicemill.verify.audio_marks import inspect_audio, lines
    from voicemill_marks.anchors import anchors_of_environment, read_anchors

    promoted = Settings.from_environment(os.environ).paths.promoted_bundles
    roots = bundles or tuple(sorted(path.parent for path in promoted.glob("*/voice_bundle/manifest.json")))
    anchors = read_anchors(trust) if trust else anchors_of_environment()
    report = inspect_audio(file, roots, anchors)
    if as_json:
        click.echo(json_text(report.as_dict()))
    else:
        for line in lines(report):
            click.echo(plain_text(line))
    if not report.marked:
        raise NotAcceptableError(
            f"{file} carries no mark of synthetic speech.",
            reason="audio_not_marked",
            hint="A recording of a person has none; marks can also be lost by heavy processing (docs/marking.md).",
        )
