"""Options of `voice-prep prepare` that name models beside the voice's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from voicemill.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., object])


def model_options(command: _Command) -> _Command:
    """Add the options to a command."""
    added = (
        click.option(
            "--separate",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            show_default=True,
            help="Take the voice out of music and noise (Demucs): where they are measured, always, or never.",
        ),
        click.option("--separator", metavar="ID", help="Its weights on the allowlist.  [default: adefossez/htdemucs]"),
        click.option(
            "--recognise",
            metavar="ENGINE:ID",
            help="Let nemo:ID or faster-whisper:ID of the allowlist write the text that recordings lack.",
        ),
    )
    for option in reversed(added):
        command = option(command)
    return command


def models(options: Mapping[str, object], settings: Settings) -> dict[str, Any]:
    """What the options come to, as arguments of a `PrepareRequest`."""
    chosen = {name: options[name] for name in ("separate", "separator", "recognise") if options[name] is not None}
    return {**chosen, "allowlist": settings.allowlist}
