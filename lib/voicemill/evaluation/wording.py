"""Figures as text: names, rounding, and one line for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voicemill.evaluation.limit_results import outside_words
from voicemill.evaluation.model import Evaluation, Figure
from voicemill.metrics.catalogue import BY_NAME
from voicemill.metrics.metric import display_of

NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class FigureRow:
    """A figure in the full table."""

    label: str
    value: str
    interval: str
    samples: str
    method: str
    source: str


def shown(name: str, figure: Figure) -> str:
    """A figure's value and unit in one string; `not measured` for a null."""
    return " ".join(part for part in value_and_unit(name, figure) if part)


def value_and_unit(name: str, figure: Figure) -> tuple[str, str]:
    """A figure rounded for people, and its unit."""
    if figure.value is None:
        return "not measured", ""
    display = display_of(figure.unit, BY_NAME.get(name))
    return f"{display.scale * figure.value:.{display.digits}f}", display.suffix


def figure_row(name: str, figure: Figure) -> FigureRow:
    """A figure's line in the full table; a null with its reason."""
    spread = _interval(name, figure)
    method = figure.method if figure.value is not None else f"{figure.method} Not measured: {figure.not_measured}"
    return FigureRow(
        label=label(name),
        value=shown(name, figure),
        interval=spread,
        method=method,
        samples=NONE if figure.samples is None else f"{figure.samples:,}",
        source=f"{figure.library} {figure.version}",
    )


def _interval(name: str, figure: Figure) -> str:
    """The 95% interval in the unit of the value."""
    if figure.interval is None:
        return NONE
    display = display_of(figure.unit, BY_NAME.get(name))
    low, high = (f"{display.scale * end:.{display.digits}f}" for end in figure.interval)
    return f"{low} to {high} {display.suffix}".rstrip()


def label(name: str) -> str:
    """Name of a figure in reports."""
    metric = BY_NAME.get(name)
    return metric.label if metric else name


def in_order(evaluation: Evaluation) -> list[str]:
    """Names of the figures in the order of the catalogue; unknown ones last."""
    known = list(BY_NAME)
    return sorted(evaluation.figures, key=lambda name: (known.index(name) if name in known else len(known), name))


def lines(evaluation: Evaluation) -> Iterator[str]:
    """The evaluation as plain text, one figure per line; a null with its reason."""
    for name in in_order(evaluation):
        figure = evaluation.figures[name]
        rests = f"  ({figure.samples} sentences)" if figure.samples else f"  {figure.not_measured or ''}"
        yield f"{label(name):<46}{shown(name, figure):>20}{rests}".rstrip()
    recogniser = f"{evaluation.recogniser} {evaluation.recogniser_version}"
    yield f"recognised by {recogniser}, synthesised with {evaluation.chosen_vocoder}"
    outside = [result for result in evaluation.limits if not result.holds]
    for result in outside:
        yield f"OUTSIDE  {outside_words(result)}"
    if evaluation.limits and not outside:
        yield f"inside all {len(evaluation.limits)} limits"
