"""What a person sees of a training: one line a step, most important first, because a narrow terminal cuts its end."""

from __future__ import annotations

import resource
from collections import deque
from dataclasses import dataclass, field

from voicemill.lane.reporter import LaneReporter
from voicemill.training.checkpoint import StepReport
from voicemill.training.timing import TimeLeft, format_duration

_LINES = 20
"""STATS lines of one training, beside its first step."""
_LOOKED_AT = 50
"""Steps that the speed is averaged over."""


@dataclass
class StepDisplay:
    """Hears of each step of one model; moves the display on, and writes a STATS line now and then."""

    title: str
    max_steps: int
    reporter: LaneReporter
    _left: TimeLeft = field(init=False)
    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_LOOKED_AT), init=False)

    def __post_init__(self) -> None:
        self._left = TimeLeft(self.max_steps)

    def step(self, report: StepReport) -> None:
        """One step is done."""
        self._seen.append((report.seconds, report.frames))
        left = self._left.update(report.step, report.seconds)
        self.reporter.advance(report.step, self._line(report, left))
        every = max(1, self.max_steps // _LINES)
        if report.step == 1 or report.step % every == 0 or report.step == self.max_steps:
            self.reporter.stats(
                {
                    "model": self.title,
                    "step": report.step,
                    "max_steps": self.max_steps,
                    "loss": round(report.loss, 5),
                    "frames_per_second": self._speed(),
                    "seconds_left": None if left is None else round(left),
                }
            )

    def _speed(self) -> int | None:
        """Mel frames a second, padding not counted; None at the first step."""
        (began, _), (now, _) = self._seen[0], self._seen[-1]
        learned = sum(frames for _, frames in self._seen) - self._seen[0][1]
        return round(learned / (now - began)) if now > began else None

    def _line(self, report: StepReport, left: float | None) -> str:
        speed = self._speed()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        terms = f"mel {report.mel_loss:.3f}"
        if report.duration_loss or report.pitch_loss:
            terms += f" duration {report.duration_loss:.3f} pitch {report.pitch_loss:.3f}"
        parts = [
            f"loss {report.loss:.3f}",
            "" if left is None else f"{format_duration(left)} left",
            "" if speed is None else f"{speed} frames/s",
            terms,
            f"rate {report.learning_rate:.1e}",
            f"{memory:.0f} MB",
        ]
        return " · ".join(part for part in parts if part)
