"""Figures of a finished dataset: pitch over the voiced frames of the training clips, counts and seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from voicemill.dataset.manifest import ManifestEntry
from voicemill.errors import DatasetError

if TYPE_CHECKING:
    from voicemill.dataset.clip_results import PitchResult, PitchSettings


class Statistics(BaseModel):
    """Pitch in Hz, lengths in seconds.

    Attributes:
        pitch_mean: over the voiced frames of the training clips, what NeMo's `pitch_mean` wants.
        pitch_std: of the same frames.
        pitch_fmin: lower end of the range that was searched, the speaker's own.
        pitch_fmax: upper end.
        voiced_share: voiced frames of all frames, training clips.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pitch_mean: float = Field(gt=0)
    pitch_std: float = Field(gt=0)
    pitch_fmin: float = Field(gt=0)
    pitch_fmax: float = Field(gt=0)
    voiced_share: float
    train_clips: int
    validation_clips: int
    train_seconds: float
    validation_seconds: float
    shortest_seconds: float
    longest_seconds: float
    words: int


def summarise(entries: Sequence[ManifestEntry], pitches: Sequence[PitchResult], settings: PitchSettings) -> Statistics:
    """Statistics of clips and their pitch, in the same order.

    Raises:
        DatasetError: `no_pitch`, when no training clip has voiced speech.
    """
    train = [found for entry, found in zip(entries, pitches, strict=True) if entry.split == "train"]
    voiced = sum(found.voiced for found in train)
    mean = sum(found.total for found in train) / max(voiced, 1)
    variance = sum(found.squares for found in train) / max(voiced, 1) - mean * mean
    if voiced == 0 or variance <= 0:
        raise DatasetError(
            "No pitch was found in the clips: they hold no voiced speech.",
            reason="no_pitch",
            hint="Check that the recording is of voiced speech, not of whispering.",
        )
    seconds = {
        split: sum(entry.duration for entry in entries if entry.split == split) for split in ("train", "validation")
    }
    lengths = [entry.duration for entry in entries]
    return Statistics(
        pitch_mean=round(mean, 4),
        pitch_std=round(math.sqrt(variance), 4),
        pitch_fmin=settings.fmin,
        pitch_fmax=settings.fmax,
        voiced_share=round(voiced / sum(found.frames for found in train), 4),
        train_clips=len(train),
        validation_clips=len(entries) - len(train),
        train_seconds=round(seconds["train"], 3),
        validation_seconds=round(seconds["validation"], 3),
        shortest_seconds=round(min(lengths), 3),
        longest_seconds=round(max(lengths), 3),
        words=sum(len(entry.alignment) for entry in entries),
    )
