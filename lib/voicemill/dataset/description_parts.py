"""Parts of dataset.json: inputs, figures of the stages, statistics of the clips."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SeparationMode = Literal["auto", "always", "never"]


class SourceFile(BaseModel):
    """One input: its name without any machine path, its digest, and what it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str
    bytes: int
    sha256: str
    url: str | None = None


class LoudnessFigures(BaseModel):
    """Of all recordings together, before the gain (dB) that every clip got."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    integrated_lufs: float
    true_peak_dbfs: float
    gain_db: float


class RecordingBackground(BaseModel):
    """Background of one recording, and its separation.

    Attributes:
        source: name of the recording.
        background_db: level of pauses against speech in its worst window (dB); None without speech, and without
            a pause in which it can be measured.
        windows: stretches around speech; `separated` is how many of them went through the separator.
        separated_seconds: length of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    background_db: float | None
    windows: int
    separated: int
    separated_seconds: float


class SeparationFigures(BaseModel):
    """Part of dataset.json.

    Attributes:
        mode: `auto`, `always` or `never`.
        limit_db: background against speech above which `auto` separates.
        weights_id: of the separator, where one was at hand; `sha256` is that of its file.
        unavailable: the reason (docs/runbook.md) for which there was none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: SeparationMode
    limit_db: float
    weights_id: str | None = None
    sha256: str | None = None
    unavailable: str | None = None
    recordings: tuple[RecordingBackground, ...] = ()


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
