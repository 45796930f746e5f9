"""Limits of utterances, and reasons for their start and end, recorded when the decision is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CutReason = Literal[
    "edge",  # the recording begins or ends here
    "pause",  # a pause between two speech spans of voice activity detection
    "word_pause",  # a pause between two recognised words inside one speech span
    "sentence_gap",  # two sentences of the script without a pause: the longest silence between their words
    "longest_pause",  # the speech was too long: its longest pause
    "dip",  # the same, in a pause that voice activity detection did not find
    "word_edge",  # the dip beside the first or last aligned word, where sound lay outside the words
    "caption",  # the time of a caption, moved into the silence beside it
    "review",  # a person moved the edge in a review
]
JoinReason = Literal[
    "too_short",  # the speech alone was shorter than the minimum: joined with the nearer neighbour
    "no_silence",  # two sentences or captions without silence between them
]


@dataclass(frozen=True)
class Segmentation:
    """Limits of an utterance, all in seconds.

    Attributes:
        min_duration: shorter utterances are joined with a neighbour or dropped.
        max_duration: longer utterances are split at their longest pause, or dropped if they have none.
        min_pause: shortest pause that separates two utterances.
        max_joined_pause: longest pause inside an utterance.
        min_padding: silence kept at both ends if the pause is long enough.
        max_padding: longest silence kept at both ends.
    """

    min_duration: float = 1.0
    max_duration: float = 12.0
    min_pause: float = 0.3
    max_joined_pause: float = 1.0
    min_padding: float = 0.05
    max_padding: float = 0.15

    def __post_init__(self) -> None:
        if not 0.0 < self.min_duration < self.max_duration:
            raise ValueError("min_duration must be above zero and below max_duration")
        if not 0.0 <= self.min_padding <= self.max_padding:
            raise ValueError("min_padding must not be above max_padding")
        if not 0.0 < self.min_pause <= self.max_joined_pause:
            raise ValueError("min_pause must be above zero and not above max_joined_pause")


@dataclass(frozen=True)
class Cut:
    """One end of an utterance.

    Attributes:
        second: its position in the recording.
        reason: why it is there.
        pause: length of the pause around it (seconds), from speech to speech or to the edge of the recording.
        level: level of the 25 ms around it (dBFS), the lowest within the padding; None if there was no choice.
    """

    second: float
    reason: CutReason
    pause: float
    level: float | None


@dataclass(frozen=True)
class Join:
    """A pause inside an utterance at which it could have been cut; `second` is its middle."""

    second: float
    reason: JoinReason
    pause: float
