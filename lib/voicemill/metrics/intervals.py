"""95% intervals: of a share by Wilson, and of a mean over sentences by the bootstrap, which is deterministic by seed.

The bootstrap (B. Efron and R. Tibshirani, 1993) covers only the choice of sentences, and is wide for a few of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemill.metrics.metric import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z = 1.96
"""Standard deviations of a normal distribution that hold 95%."""
RESAMPLES = 2000
"""Enough for two digits of a 95% interval."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95% interval of a share (E. B. Wilson, 1927)."""
    share = successes / trials
    centre = share + Z * Z / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    bottom = 1 + Z * Z / trials
    return max(0.0, (centre - spread) / bottom), min(1.0, (centre + spread) / bottom)


def draws(count: int, seed: int = 0) -> NDArray[np.int64]:
    """Indices of `RESAMPLES` random samples of `count` sentences, (RESAMPLES, count)."""
    import numpy as np

    return np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))


def mean(values: Sequence[float]) -> Estimate:
    """Mean of one value a sentence, with its 95% interval (for two sentences or more)."""
    return Estimate(sum(values) / len(values), samples=len(values), interval=interval_of_mean(values))


def interval_of_mean(values: Sequence[float]) -> tuple[float, float] | None:
    """95% interval of the mean of one value a sentence; None for fewer than two sentences."""
    import numpy as np

    if len(values) < 2:
        return None
    means = np.asarray(values, dtype=np.float64)[draws(len(values))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
