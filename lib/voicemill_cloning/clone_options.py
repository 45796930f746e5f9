"""Options of `voice-clone` and `voice-register` about the reference of a voice."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voicemill.commands import in_one
from voicemill_cloning.app_options import PATH, RIGHTS, read_rights, whisper_option
from voicemill_cloning.source_options import choose_on_terminal

if TYPE_CHECKING:
    from voicemill_cloning.cloning import CloneRequest
    from voicemill_cloning.reference_candidates import ReferenceCandidate

_PREPARING = (
    click.option("--ref-language", default="Auto", show_default=True, help="Language of the reference."),
    whisper_option,
    click.option("--x-vector-only", is_flag=True, help="Take the speaker's embedding alone, without words and sound."),
    click.option("--force", is_flag=True, help="Build the prompt again."),
)
_JUDGING = (
    click.option("--ref-text", metavar="TEXT", help="Words of the reference.  [default: recognised]"),
    *_PREPARING,
    click.option("--force-bad-ref", is_flag=True, help="Take a reference that is judged bad."),
    click.option("--tone", metavar="NAME", help="The prompt is for this tone of the voice."),
    *RIGHTS,
)
_INTERACTIVE = click.option("--interactive", "-i", is_flag=True, help="Choose among the candidates on the terminal.")


def _request(
    *,
    ref_audio: Path | None = None,
    voice: str | None = None,
    voice_name: str | None = None,
    ref_text: str | None = None,
    ref_start: float | None = None,
    ref_end: float | None = None,
    ref_language: str,
    whisper_model: str | None,
    x_vector_only: bool,
    force: bool,
    force_bad_ref: bool = False,
    tone: str | None = None,
    consent: str | None = None,
    licence: str | None = None,
    interactive: bool = False,
) -> CloneRequest:
    """The request that the options make."""
    from voicemill_cloning.cloning import CloneRequest

    return CloneRequest(
        audio=ref_audio,
        voice=voice,
        voice_name=voice_name,
        text=ref_text,
        start=ref_start,
        end=ref_end,
        language=ref_language,
        recogniser=whisper_model,
        x_vector_only=x_vector_only,
        tone=tone,
        force_bad=force_bad_ref,
        rights=read_rights(consent, licence),
        choose=choose_candidate if interactive and sys.stdin.isatty() else None,
        again=force,
    )


def _of_new_voice(voice_name: str, **values: Any) -> CloneRequest:
    from voicemill_cloning.voice_file import voice_slug

    return _request(voice=voice_slug(voice_name), **values)


def _of_the_demo(**values: Any) -> CloneRequest:
    from voicemill.settings import DEMO_AUDIO

    return _request(ref_audio=DEMO_AUDIO, force_bad_ref=True, **values)


clone_options = in_one(
    "clone",
    _request,
    click.option("--ref-audio", type=PATH, metavar="FILE", help="Recording of the voice."),
    click.option("--voice", metavar="NAME", help="A registered voice instead, whose recording is taken."),
    click.option("--voice-name", metavar="NAME", help="Register under that name.  [default: --voice's]"),
    click.option("--ref-start", type=float, metavar="S", help="Where the reference begins in the recording."),
    click.option("--ref-end", type=float, metavar="S", help="Where it ends.  [default: the best of the candidates]"),
    *_JUDGING,
    _INTERACTIVE,
)
"""A recording or a voice, its reference and rights, as `clone`, a `CloneRequest`."""
new_voice_options = in_one(
    "clone",
    _of_new_voice,
    click.option("--voice-name", required=True, metavar="NAME", help="Name of the voice."),
    *_JUDGING,
)
"""The same for a voice that is being registered."""


self_test_options = in_one("clone", _of_the_demo, *_PREPARING, _INTERACTIVE)
"""How the reference of the self-test is taken, as `clone`."""


def choose_candidate(candidates: Sequence[ReferenceCandidate]) -> int:
    """Ask on the terminal for one of the candidates of a reference."""
    rows = [f"{one.start:6.1f} to {one.end:6.1f} s  score {one.score:.2f}  {one.transcript[:70]}" for one in candidates]
    best = max(range(len(candidates)), key=lambda index: candidates[index].score)
    return choose_on_terminal("Candidates of the reference:", rows, best)
