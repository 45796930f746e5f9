"""Utterances: a stretch of a recording and its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from voicemill.audio.cuts import Cut, Join
from voicemill.audio.vad import Span
from voicemill.dataset.recordings import DecodedRecording
from voicemill.dataset.report import Rejection

_SLIVER = 0.01
"""Seconds; shorter remainders are left out of the accounts."""


@dataclass(frozen=True)
class Utterance:
    """A stretch of a decoded recording (seconds in it) and what it says.

    Attributes:
        character_errors: of a recogniser that knows the script, per character; None if it was not recognised.
        cuts: its two ends and the reasons for them; seconds in the recording, as `start` and `end`.
        joins: pauses inside it at which it was not parted.
        recognised: its text was made by a recogniser.
        verdict: of a review: `drop` rejects it, `keep` keeps it in spite of its figures.
        corrected: its text was written in a review.
        moved: an edge of it was moved in a review.
        pronunciations: words of a review with their phones, which replace the dictionary's.
    """

    recording: DecodedRecording
    start: float
    end: float
    text: str
    normalized: str
    speaker: int | None = None
    character_errors: float | None = None
    cuts: tuple[Cut, ...] = ()
    joins: tuple[Join, ...] = ()
    recognised: bool = False
    verdict: Literal["drop", "keep"] | None = None
    corrected: bool = False
    moved: bool = False
    pronunciations: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def separated(self) -> bool:
        """Whether the voice was taken out of music or noise somewhere in it."""
        return any(window.start < self.end and self.start < window.end for window in self.recording.separated)

    def rejected(self, reason: str, detail: str = "") -> Rejection:
        """A row of the report that says why this utterance became no clip."""
        return rejection(self.recording, Span(self.start, self.end), reason, self.text, detail)


@dataclass(frozen=True)
class SegmentationResult:
    """Utterances in reading order.

    Attributes:
        utterances: stretches of speech with their text.
        rejected: stretches that became no utterance.
        unspoken: sentences of the script that were not found.
        recordings: all recordings that were segmented.
    """

    utterances: tuple[Utterance, ...]
    rejected: tuple[Rejection, ...]
    unspoken: tuple[str, ...] = ()
    recordings: tuple[DecodedRecording, ...] = ()


def rejection(recording: DecodedRecording, span: Span, reason: str, text: str = "", detail: str = "") -> Rejection:
    """A row of the report, with times in the source file."""
    offset = recording.source.offset
    return Rejection(
        source=recording.source.name,
        start=round(offset + span.start, 3),
        end=round(offset + span.end, 3),
        seconds=round(span.duration, 3),
        reason=reason,
        text=text,
        detail=detail,
    )


def outside(span: Span, taken: Sequence[Span]) -> list[Span]:
    """The parts of a span that no other span holds, in the order of time; slivers of less than 10 ms are left out."""
    rest, position = [], span.start
    for other in sorted(taken):
        if other.end <= position or other.start >= span.end:
            continue
        rest.append(Span(position, other.start))
        position = other.end
    rest.append(Span(position, span.end))
    return [part for part in rest if part.duration >= _SLIVER]
