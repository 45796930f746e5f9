"""One voice for a lane: what happens is told to the protocol, to the lane's status file and to the person, in that
order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemill.progress import Observer
from voicemill.protocol import Protocol, Scalar, State, StatusFile

HUNDREDTHS = 100
"""What PROGRESS counts in a real lane."""


@dataclass(frozen=True)
class Phase:
    """A part of the lane: its share of PROGRESS and how many stages its observer will hear of."""

    name: str
    until: int
    stages: int = 1


class LaneReporter:
    """An `Observer` for the rooms; moves PROGRESS through phases whose shares are fixed, so that lines are the same
    in each run.
    """

    def __init__(
        self, protocol: Protocol, status: StatusFile | None, observer: Observer, total: int = HUNDREDTHS
    ) -> None:
        """
        Args:
            protocol: the lines on stdout.
            status: the lane's status file; `None` for a step that runs alone.
            observer: the person's display.
            total: what PROGRESS counts to.
        """
        self._protocol, self._status, self._observer, self._all = protocol, status, observer, total
        self._from, self._phase, self._stages, self._total = 0, Phase("start", 0), 0, 0

    def start(self) -> None:
        """The first PROGRESS line."""
        self._move(0)

    @contextlib.contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """A part of the lane; at its end PROGRESS has reached its share, so that its STATS and ARTIFACT lines come
        after.
        """
        self._from = self._phase.until
        self._phase, self._stages, self._total = phase, 0, 0
        yield
        self._move(phase.until)

    def reached(self, current: int) -> None:
        """PROGRESS of a step without stages."""
        self._move(current)

    def stage(self, name: str, total: int | None = None) -> None:
        """See `Observer.stage`."""
        self._stages, self._total = self._stages + 1, total or 0
        self._move(self._at(0.0))
        self._observer.stage(name, total)

    def advance(self, done: int, note: str = "") -> None:
        """See `Observer.advance`."""
        if self._total:
            self._move(self._at(min(1.0, done / self._total)))
        self._observer.advance(done, note)

    def note(self, text: str) -> None:
        """See `Observer.note`."""
        self._observer.note(text)

    def stats(self, values: dict[str, Scalar]) -> None:
        """Measured values, on stdout and in the status file."""
        self._protocol.stats(values)
        if self._status:
            self._status.update(stats=values)

    def artifact(self, path: Path) -> None:
        """A complete file, on stdout and in the status file."""
        shown = self._protocol.artifact(path)
        if self._status:
            self._status.update(artifact=shown)

    def finish(self, state: State = "completed", reason: str | None = None) -> None:
        """The final state; only a completed lane reaches the total."""
        if state == "completed":
            self._move(self._all)
        if self._status:
            self._status.update(state=state, reason=reason)

    def _at(self, fraction: float) -> int:
        """PROGRESS for a fraction of the current stage; stages share their phase evenly."""
        stages = max(self._phase.stages, self._stages)
        share = (max(self._stages, 1) - 1 + fraction) / stages
        return self._from + int((self._phase.until - self._from) * share)

    def _move(self, current: int) -> None:
        if current > self._protocol.current or self._protocol.total == 0:
            self._protocol.progress(current, self._all)
            if self._status:
                self._status.update(progress=(self._protocol.current, self._protocol.total))
