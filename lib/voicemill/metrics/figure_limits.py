"""Limits that a preset sets on the figures of a voice, each in the unit of its figure.

`max_x` and `min_x` bound the figure `x` of `prod_tts_eval.json`; null means no limit. A figure that has a limit and
could not be measured counts as outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from voicemill.metrics.catalogue import METRICS


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


class _Limits(BaseModel):
    """Bounds of a voice that may ship. What each figure is: docs/evaluation.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def limits(self) -> Iterator[Limit]:
        """The bounds that are set, in the order of the catalogue."""
        for name in type(self).model_fields:
            bound = getattr(self, name)
            if bound is not None:
                yield Limit(name=name, figure=name.partition("_")[2], bound=bound)


def _fields() -> dict[str, Any]:
    """A field for each limit that the catalogue allows."""
    fields: dict[str, Any] = {}
    for metric in METRICS:
        for index, name in enumerate(metric.limit_names):
            rule = metric.limit
            if rule is not None:
                description = "the same, upper bound" if index else rule.description
                bound = Field(default=None, ge=rule.lowest, le=rule.highest, description=description)
                fields[name] = (float | None, bound)
    return fields


if TYPE_CHECKING:

    class FigureLimits(_Limits):
        """Bounds of a voice that may ship: `max_<name>` and `min_<name>` for each metric that allows a limit."""

        def __init__(self, **bounds: float | None) -> None: ...

else:
    FigureLimits = create_model(
        "FigureLimits", __base__=_Limits, __doc__=_Limits.__doc__, __module__=__name__, **_fields()
    )


class EvaluationSettings(BaseModel):
    """Tests that an evaluation runs beside the held-out sentences, and the limits that a voice must keep."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    long_sentences: bool = Field(default=True, description="speak long sentences at once and clause by clause")
    numbers: bool = Field(default=True, description="speak numbers and dates")
    limits: FigureLimits = Field(default=FigureLimits(), description="outside them the lane ends with exit code 3")
