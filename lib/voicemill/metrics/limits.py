"""Limits that a preset sets to the figures of a voice, each with its unit; the names are those of the figures.

`max_x` and `min_x` bound the figure `x` of `prod_tts_eval.json`; null is no limit. A figure that has a limit and could
not be measured counts as outside: nobody can vouch for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Limit:
    """One bound: `figure` may not be above (`max`) or below (`min`) `bound`."""

    name: str
    figure: str
    bound: float

    @property
    def upper(self) -> bool:
        return self.name.startswith("max_")

    def holds(self, value: float | None) -> bool:
        """Whether a figure is inside; a null is not."""
        return value is not None and (value <= self.bound if self.upper else value >= self.bound)


class FigureLimits(BaseModel):
    """Bounds of a voice that may ship. What each figure is: docs/evaluation.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_cer_excess: float | None = Field(
        default=None, ge=0, description="character error rate above that of the recordings"
    )
    max_wer_excess: float | None = Field(default=None, ge=0, description="word error rate above that of the recordings")
    max_mcd: float | None = Field(default=None, ge=0, description="dB of mel-cepstral distortion")
    max_f0_rmse: float | None = Field(default=None, ge=0, description="cents of pitch error")
    min_f0_correlation: float | None = Field(default=None, ge=-1, le=1, description="correlation of the two melodies")
    max_gross_pitch_error: float | None = Field(default=None, ge=0, le=1, description="share of frames, 0 to 1")
    max_voicing_error: float | None = Field(default=None, ge=0, le=1, description="share of frames, 0 to 1")
    max_duration_error: float | None = Field(default=None, ge=0, description="mean relative error of sentence lengths")
    max_speaker_distance: float | None = Field(default=None, ge=0, description="distance to the voice's own speaker")
    min_speaker_similarity: float | None = Field(default=None, ge=-1, le=1, description="cosine of embeddings")
    min_speed: float | None = Field(default=None, ge=0, description="seconds of sound in a second of computing")
    max_long_cer_excess: float | None = Field(
        default=None, ge=0, description="character error rate of long sentences above that of their clauses"
    )
    min_long_duration_ratio: float | None = Field(
        default=None, ge=0, description="seconds of long sentences over those of their clauses"
    )
    max_long_duration_ratio: float | None = Field(default=None, ge=0, description="the same, upper bound")
    max_number_cer: float | None = Field(
        default=None, ge=0, description="character error rate of sentences with numbers and dates"
    )
    min_number_reading: float | None = Field(
        default=None, ge=0, le=1, description="share of such sentences that the normaliser reads as a person would"
    )

    def limits(self) -> Iterator[Limit]:
        """The bounds that are set, in the order of the fields."""
        for name in type(self).model_fields:
            bound = getattr(self, name)
            if bound is not None:
                yield Limit(name=name, figure=name.partition("_")[2], bound=bound)


class EvaluationSettings(BaseModel):
    """What an evaluation does beside the held-out sentences, and what it demands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    long_sentences: bool = Field(default=True, description="speak long sentences at once and clause by clause")
    numbers: bool = Field(
        default=True, description="speak numbers and dates; the normaliser's grammars take half a minute to build, once"
    )
    limits: FigureLimits = Field(default=FigureLimits(), description="outside them the lane ends with exit code 3")
