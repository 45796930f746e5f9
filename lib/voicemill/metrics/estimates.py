"""Estimates that several metrics share: an error rate, its excess over another, the mean of one value a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemill.metrics.metric import Estimate

if TYPE_CHECKING:
    from voicemill.metrics.error_rate import ErrorRate

ENOUGH_EXCESS = 0.02
"""An error rate that is not further above the recordings' keeps every limit of their ratio."""


def rate(sentences: Sequence[ErrorRate]) -> Estimate:
    """Error rate of a set of sentences, with its 95% interval (for two sentences or more)."""
    from voicemill.metrics.error_rate import interval, pooled

    spread = interval(sentences) if len(sentences) > 1 else None
    return Estimate(pooled(sentences).rate, samples=len(sentences), interval=spread)


def excess(sentences: Sequence[ErrorRate], baseline: Sequence[ErrorRate]) -> Estimate:
    """Error rate of a set less that of another."""
    from voicemill.metrics.error_rate import pooled

    return Estimate(pooled(sentences).rate - pooled(baseline).rate, samples=len(sentences))


def mean(values: Sequence[float]) -> Estimate:
    """Mean of one value a sentence, with its 95% interval (for two sentences or more)."""
    from voicemill.metrics.bootstrap import interval_of_mean

    return Estimate(sum(values) / len(values), samples=len(values), interval=interval_of_mean(values))
