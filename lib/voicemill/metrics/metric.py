"""A metric's declaration: what it is called, how it is measured, and how it is shown and limited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

ENOUGH_EXCESS = 0.02
"""An error rate that is not further above the recordings' keeps every limit of their ratio."""
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Display:
    """How a value is shown to people: multiplied by `scale`, with `digits` decimals, followed by `suffix`."""

    scale: float = 1.0
    digits: int = 1
    suffix: str = ""


FACTOR = Display(digits=2, suffix=TIMES)
PLAIN = Display(digits=3)
UNIT_DISPLAYS = {
    "ratio": Display(scale=100.0, suffix="%"),
    "distance": PLAIN,
    "correlation": PLAIN,
    "cosine": PLAIN,
    "score": Display(digits=2),
    "Hz": Display(digits=0, suffix="Hz"),
    "cents": Display(digits=0, suffix="cents"),
    "x real time": Display(suffix=f"{TIMES} real time"),
}
"""How the values of a unit are shown, unless the metric says otherwise; other units: one decimal and the unit."""


class Better(Enum):
    """Which values of a metric are better, and so which limits a preset can set."""

    LOWER = ("max",)
    HIGHER = ("min",)
    NEAR_ONE = ("min", "max")


@dataclass(frozen=True)
class LimitRule:
    """Limits that a preset may set.

    Attributes:
        description: for the preset's schema.
        lowest, highest: the range of valid bounds.
        judge: the limit is not applied where the figure's judge is missing; the certificate asks for the figure all the
            same.
        or_excess: another figure and the value up to which it keeps an upper limit, too. A ratio of error rates is
            noise where the recordings have hardly an error, so `max(factor * recordings, recordings + 0.02)` holds.
    """

    description: str
    lowest: float = 0
    highest: float | None = None
    judge: bool = False
    or_excess: tuple[str, float] | None = None


@dataclass(frozen=True)
class Estimate:
    """A measured value, or None and the reason.

    Attributes:
        samples: number of sentences that the value rests on.
        interval: 95% interval over the choice of sentences.
        subject: what was measured, where it is known only after the measurement.
    """

    value: float | None
    samples: int | None = None
    interval: tuple[float, float] | None = None
    not_measured: str | None = None
    subject: str = ""


@dataclass(frozen=True)
class Metric:
    """One figure of the evaluation.

    Attributes:
        name: key in `prod_tts_eval.json`; a limit is called `max_<name>` or `min_<name>`.
        label: name in reports.
        unit: `ratio`, `dB`, `Hz`, `cents`, `x real time`, `correlation`, `cosine`, `score` or
            `distance` (no unit of its own).
        library: the package that computes it; its installed version is recorded (`voicemill` and `python` are known).
        method: how it is measured, without a full stop; docs/evaluation.md gives the source of the formula.
        needs: class of `voicemill.metrics.inputs` that it is computed from.
        measure: for `SentencePair` and `CopyPair` the value of one sentence, or None where the sentence does not carry
            it (the figure is the mean); otherwise an `Estimate` of the whole set. It may raise `NotMeasurableError`.
        subject: what was measured, appended to the method.
        better: direction.
        limit: limits that a preset may set; None for a figure that is only reported.
        display: how it is shown, where that differs from its unit's way.
        of_recordings: it describes the recordings, not the voice.
        unmeasured: reason of a null when no sentence carries it, where it differs from that of the input.
    """

    name: str
    label: str
    unit: str
    library: str
    method: str
    needs: type
    measure: Callable[[Any], Estimate | float | None]
    subject: str = ""
    better: Better = Better.LOWER
    limit: LimitRule | None = None
    display: Display | None = None
    of_recordings: bool = False
    unmeasured: str = ""

    @property
    def limit_names(self) -> tuple[str, ...]:
        """Names of the limits that a preset may set."""
        return tuple(f"{side}_{self.name}" for side in self.better.value) if self.limit else ()


def display_of(unit: str, metric: Metric | None = None) -> Display:
    """How a value is shown: as the metric says, or as its unit is usually shown."""
    if metric is not None and metric.display is not None:
        return metric.display
    return UNIT_DISPLAYS.get(unit, Display(suffix=unit))
