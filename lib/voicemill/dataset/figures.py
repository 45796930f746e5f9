"""Figures of the stages that dataset.json carries."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SeparationMode = Literal["auto", "always", "never"]


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
