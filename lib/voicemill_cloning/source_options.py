"""Options of the apps that take a voice from a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from voicemill_cloning.app_options import PATH

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--url", metavar="URL", help="Web address of a recording (needs yt-dlp)."),
    click.option("--audio", type=PATH, metavar="FILE", help="Recording instead."),
    click.option("--start", metavar="TIME", help="Where to begin: 90, 1:30 or 1:02:30.5."),
    click.option("--end", metavar="TIME", help="Where to stop."),
    click.option("--cookies", type=PATH, metavar="FILE", help="Netscape cookie file for addresses that need a login."),
    click.option(
        "--max-scan-seconds", type=click.FloatRange(1.0), metavar="S", help="Look at the first S seconds of the part."
    ),
    click.option(
        "--interactive", "-i", is_flag=True, help="Choose on the terminal; Enter keeps the choice that was made."
    ),
)


def source_part_options(command: Command) -> Command:
    """`--url`, `--audio`, `--start`, `--end`, `--cookies`, `--max-scan-seconds`, `--interactive`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


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
