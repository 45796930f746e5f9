"""Estimate of the time left of a training, from the duration of its steps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_WINDOW = 400
"""Steps of the estimate: enough for short and long batches, few enough to follow a change of the machine's load."""


@dataclass
class TimeLeft:
    """Seconds left, updated after each step.

    The first step of a run is excluded: it includes loading and compiling.
    """

    max_steps: int
    _times: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_WINDOW), repr=False)

    def update(self, step: int, now: float) -> float | None:
        """Seconds left after `step` (from 1), which ended at the time `now` in seconds; None before two steps.

        Skipped steps count: they take as long.
        """
        self._times.append((step, now))
        (first, began) = self._times[0]
        if step == first:
            return None
        return (now - began) / (step - first) * (self.max_steps - step)


def format_duration(seconds: float) -> str:
    """`1:02:03`, `2:03` or `0:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
