"""Options of `voice-clone` and `voice-register` about the reference of a voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from voicemill_cloning.app_options import PATH
from voicemill_cloning.source_options import choose_on_terminal

if TYPE_CHECKING:
    from voicemill_cloning.references import ReferenceCandidate

REFERENCE = (
    click.option("--ref-audio", type=PATH, metavar="FILE", help="Recording of the voice."),
    click.option("--voice", metavar="NAME", help="A registered voice instead, whose recording is taken."),
    click.option("--voice-name", metavar="NAME", help="Register under that name.  [default: --voice's]"),
    click.option("--ref-text", metavar="TEXT", help="Words of the reference.  [default: recognised]"),
    click.option("--ref-start", type=float, metavar="S", help="Where the reference begins in the recording."),
    click.option("--ref-end", type=float, metavar="S", help="Where it ends.  [default: the best of the candidates]"),
)
JUDGING = (
    click.option("--ref-language", default="Auto", show_default=True, help="Of the reference."),
    click.option("--whisper-model", default="tiny.en", show_default=True, metavar="NAME", help="Recogniser."),
    click.option("--force-bad-ref", is_flag=True, help="Take a reference that is judged bad."),
    click.option("--x-vector-only", is_flag=True, help="Take the speaker's embedding alone, without words and sound."),
    click.option("--tone", metavar="NAME", help="The prompt is for this tone of the voice."),
    click.option("--force", is_flag=True, help="Build the prompt again."),
)


def choose_candidate(candidates: Sequence[ReferenceCandidate]) -> int:
    """Ask on the terminal for one of the candidates of a reference."""
    rows = [
        f"{one.start:6.1f} to {one.end:6.1f} s  score {one.score:.2f}  {one.transcript[:70]}" for one in candidates
    ]
    best = max(range(len(candidates)), key=lambda index: candidates[index].score)
    return choose_on_terminal("Candidates of the reference:", rows, best)
