"""Why an utterance begins and ends where it does: the record of a decision, made where the decision is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CutReason = Literal[
    "edge",  # the recording begins or ends here
    "pause",  # a pause between two stretches of speech, as voice activity sees them
    "word_pause",  # a pause between two heard words inside one stretch of speech
    "sentence_gap",  # two sentences of the script meet without a pause: the widest silence between their words
    "longest_pause",  # the stretch was too long: its longest pause
    "dip",  # the same, in a pause that voice activity did not see
    "caption",  # a timed transcript says so; moved into the silence beside it
]
JoinReason = Literal[
    "too_short",  # the stretch alone was shorter than the minimum: joined to the nearer neighbour
    "no_silence",  # two sentences, or captions, with no silence between them
]


@dataclass(frozen=True)
class Segmentation:
    """Limits of an utterance, all in seconds.

    Attributes:
        min_duration: shorter ones are joined with a neighbour, or left out.
        max_duration: longer ones are split at their longest pause, or left out when they have none.
        min_pause: a pause from here on separates two utterances.
        max_joined_pause: a pause above this is never kept inside an utterance.
        min_padding: silence kept at both ends where the pause has it.
        max_padding: no more silence than this is kept.
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
        second: where it lies, in the recording.
        reason: why here.
        pause: seconds of silence in which it lies, from speech to speech, or to the recording's edge.
        level: dBFS of the 25 ms around it, the lowest that the padding allows; None where there was no choice.
    """

    second: float
    reason: CutReason
    pause: float
    level: float | None


@dataclass(frozen=True)
class Join:
    """A pause inside an utterance at which it was not cut, though it might have been: `second` is its middle."""

    second: float
    reason: JoinReason
    pause: float
