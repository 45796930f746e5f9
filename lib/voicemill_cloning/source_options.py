"""Options of the apps that take a voice from a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from voicemill.commands import in_one, with_options
from voicemill_cloning.app_options import PATH

if TYPE_CHECKING:
    from voicemill_cloning.source_recording import SourcePart
    from voicemill_cloning.splitting import SplitClip, SplitResult


def _part(
    url: str | None,
    audio: Path | None,
    start: str | None,
    end: str | None,
    cookies: Path | None,
    max_scan_seconds: float | None,
) -> SourcePart:
    from voicemill.audio.timestamps import parse_time_range
    from voicemill_cloning.source_recording import SourcePart

    return SourcePart(audio, url, *parse_time_range(start, end), max_scan_seconds, cookies)


source_part_options = with_options(
    in_one(
        "part",
        _part,
        click.option("--url", metavar="URL", help="Web address of a recording."),
        click.option("--audio", type=PATH, metavar="FILE", help="Recording instead."),
        click.option("--start", metavar="TIME", help="Where to begin: 90, 1:30 or 1:02:30.5."),
        click.option("--end", metavar="TIME", help="Where to stop."),
        click.option(
            "--cookies", type=PATH, metavar="FILE", help="Netscape cookie file for addresses that need a login."
        ),
        click.option(
            "--max-scan-seconds",
            type=click.FloatRange(1.0),
            metavar="S",
            help="Look at the first S seconds of the part.",
        ),
    ),
    click.option(
        "--interactive", "-i", is_flag=True, help="Choose on the terminal; Enter keeps the choice that was made."
    ),
)
"""The recording, as `part`, a `SourcePart`, and `interactive`."""


def choose_clip(made: SplitResult) -> SplitClip:
    """Ask on the terminal for the clip to register; the default is the one that was chosen."""
    clips = [*([made.reference] if made.reference else []), *made.clips]
    rows = [f"{clip.path.name}  {clip.seconds:.1f} s" for clip in clips]
    return clips[choose_on_terminal("Clips; listen to them, and choose the one to register:", rows, 0)]


def choose_on_terminal(title: str, rows: list[str], default: int) -> int:
    """Ask for one of some rows; without an answer, or at the end of the input, the default.

    Args:
        title: of the list.
        rows: one line each.
        default: index.
    """
    click.echo(title, err=True)
    for number, row in enumerate(rows, start=1):
        click.echo(f"  {number}{'*' if number == default + 1 else ' '} {row}", err=True)
    while True:
        try:
            answer = click.prompt("Number", default=str(default + 1), err=True).strip()
        except click.Abort:
            return default
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(rows):
            return int(answer) - 1
        click.echo(f"Give a number from 1 to {len(rows)}.", err=True)
