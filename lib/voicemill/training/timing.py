"""How long a training will go on, from how long its steps took."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_LOOKED_AT = 400
"""Steps that the estimate is made of: enough to see short and long batches, few enough to follow a busier machine."""


@dataclass
class TimeLeft:
    """Give it the clock after each step; it tells the seconds left.

    The first step of a run is left out: it waits for what is loaded and compiled only once.
    """

    max_steps: int
    _seen: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_LOOKED_AT), repr=False)

    def after(self, step: int, now: float) -> float | None:
        """Seconds left after `step` (from 1) at the time `now` in seconds; None before two steps were seen.

        Steps that were skipped in between count as steps: they take as long.
        """
        self._seen.append((step, now))
        (first, began) = self._seen[0]
        if step == first:
            return None
        return (now - began) / (step - first) * (self.max_steps - step)


def spoken(seconds: float) -> str:
    """`1:02:03`, `2:03` or `0:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
