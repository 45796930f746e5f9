"""Figures of an evaluation: metrics of the catalogue measured on an input, with method, library and version."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata

from voicemill import __version__
from voicemill.errors import NotMeasurableError
from voicemill.evaluation.model import Figure
from voicemill.metrics.catalogue import BY_NAME, metrics_of
from voicemill.metrics.metric import Estimate, Metric

DIGITS = 6
"""Figures are rounded to this many decimals: finer than any of them can resolve, and short enough to read."""


def library_version(name: str) -> str:
    """Version of an installed library; our own and Python's for the names that are not packages."""
    if name == "voicemill":
        return __version__
    if name == "python":
        return platform.python_version()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def figure(metric: Metric, estimate: Estimate, subject: str | None = None) -> Figure:
    """The figure of an estimate.

    Args:
        metric: what was measured.
        estimate: the value, or None and the reason.
        subject: what it was measured on, in place of the metric's own `subject`.
    """
    on = estimate.subject or (metric.subject if subject is None else subject)
    spread = estimate.interval
    return Figure(
        value=None if estimate.value is None else round(float(estimate.value), DIGITS),
        unit=metric.unit,
        method=f"{metric.method}, {on}." if on else f"{metric.method}.",
        library=metric.library,
        version=library_version(metric.library),
        samples=estimate.samples,
        interval=(round(spread[0], DIGITS), round(spread[1], DIGITS)) if spread else None,
        not_measured=estimate.not_measured,
    )


def missing_figures(names: Iterable[str], why: str) -> dict[str, Figure]:
    """Figures that were not measured, with the reason."""
    return {name: figure(BY_NAME[name], Estimate(None, not_measured=why), subject="") for name in names}


def figures_of(given: object, subject: str | None = None) -> dict[str, Figure]:
    """Every metric that is computed from this kind of input; null, with the reason, where it has no meaning.

    Args:
        given: an instance of a class of `voicemill.metrics.inputs`.
        subject: what it was measured on, in place of the metrics' own `subject`.
    """
    return {metric.name: figure(metric, _estimate(metric, given), subject) for metric in metrics_of(type(given))}


def _estimate(metric: Metric, given: object) -> Estimate:
    try:
        found = metric.measure(given)
    except NotMeasurableError as error:
        return Estimate(None, not_measured=str(error))
    return found if isinstance(found, Estimate) else Estimate(found)


def mean_figures(kind: type, inputs: Iterable[object]) -> dict[str, Figure]:
    """Every metric of one sentence, as its mean over the sentences that carry it.

    Args:
        kind: class of the inputs, `SentencePair` or `CopyPair`.
        inputs: one for each sentence; it is consumed as it is made, so that only one is in memory.
    """
    metrics = list(metrics_of(kind))
    values: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    for each in inputs:
        _collect(metrics, each, values)
    return {metric.name: _mean(metric, values, kind) for metric in metrics}


def _collect(metrics: Sequence[Metric], given: object, values: Mapping[str, list[float]]) -> None:
    """Append the values of one sentence. The mean is over the sentences that can be measured; the figure has their
    number.
    """
    for metric in metrics:
        try:
            value = metric.measure(given)
        except NotMeasurableError:
            return
        if isinstance(value, float):
            values[metric.name].append(value)


def _mean(metric: Metric, values: Mapping[str, list[float]], kind: type) -> Figure:
    present = values[metric.name]
    if not present:
        why = metric.unmeasured or str(getattr(kind, "UNMEASURED", "No sentence carries it."))
        return figure(metric, Estimate(None, not_measured=why))
    return figure(metric, Estimate(sum(present) / len(present), samples=len(present)))
