"""The confidence interval of a share: how many of some trials had an outcome."""

from __future__ import annotations

import math

Z = 1.96
"""Standard deviations of a normal distribution that hold 95%."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95% interval of a share (E. B. Wilson, 1927)."""
    share = successes / trials
    centre = share + Z * Z / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    bottom = 1 + Z * Z / trials
    return max(0.0, (centre - spread) / bottom), min(1.0, (centre + spread) / bottom)
