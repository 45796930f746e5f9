"""The limits of a preset, applied to a measured voice."""

from __future__ import annotations

from collections.abc import Mapping

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.model import Evaluation, Figure, LimitResult
from voicemill.metrics.catalogue import BY_NAME
from voicemill.metrics.figure_limits import FigureLimits


def apply_limits(evaluation: Evaluation, limits: FigureLimits) -> Evaluation:
    """The evaluation with the result of each limit; `blocked`, with the figures as its cause, when one is exceeded."""
    results = _results(evaluation.figures, limits)
    outside = [result.figure for result in results if not result.holds]
    if not outside:
        return evaluation.model_copy(update={"limits": results})
    reason = f"quality_outside_limits:{','.join(dict.fromkeys(outside))}"
    return evaluation.model_copy(update={"limits": results, "status": "blocked", "root_cause": reason})


def _results(figures: Mapping[str, Figure], limits: FigureLimits) -> list[LimitResult]:
    """The result of each limit; none for a figure of a judge that is missing."""
    found = []
    for limit in limits.limits():
        value = _value(figures, limit.figure)
        rule = BY_NAME[limit.figure].limit
        if value is None and rule is not None and rule.judge:
            continue
        holds = limit.holds(value)
        if not holds and limit.upper and rule is not None and rule.or_excess is not None:
            figure, enough = rule.or_excess
            excess = _value(figures, figure)
            holds = excess is not None and excess <= enough
        found.append(LimitResult(name=limit.name, figure=limit.figure, bound=limit.bound, value=value, holds=holds))
    return found


def _value(figures: Mapping[str, Figure], name: str) -> float | None:
    figure = figures.get(name)
    return figure.value if figure else None


def outside_words(result: LimitResult) -> str:
    """A limit that does not hold, in words: `mcd 9.1, at most 8`."""
    value = "not measured" if result.value is None else f"{result.value:.4g}"
    return f"{result.figure} {value}, {'at most' if result.name.startswith('max_') else 'at least'} {result.bound:.4g}"


def require_limits(evaluation: Evaluation) -> None:
    """Refuse a voice outside its limits.

    Raises:
        NotAcceptableError: `quality_outside_limits:<figures>`; the message and the details name figure and limit.
    """
    outside = [result for result in evaluation.limits if not result.holds]
    if not outside:
        return
    raise NotAcceptableError(
        f"The voice is outside its limits: {'; '.join(map(outside_words, outside))}.",
        reason=evaluation.root_cause,
        hint="Listen to it in the report; train longer or on more speech, or set other limits in the preset.",
        details={result.name: f"{result.bound:g}" for result in outside},
    )
