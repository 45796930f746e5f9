"""Reports a run of a lane: as protocol lines, in the lane's status file, and to the person's display."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from voicemill.lane import plan
from voicemill.lane.plan import LaneStep
from voicemill.lane_status import StatusFile
from voicemill.progress import Observer
from voicemill.protocol import Protocol, Scalar

TableRow = tuple[str, str]
"""A row of the table for people at the end of a lane."""


class LaneReporter:
    """An `Observer` that moves PROGRESS through the steps of a plan.

    A step's share is reached at the end of the step and not before. Within a step, its stages have equal parts, and a
    stage's part grows with the units of work that are done. PROGRESS never decreases.
    """

    def __init__(
        self,
        protocol: Protocol,
        status: StatusFile | None,
        observer: Observer,
        steps: Sequence[LaneStep] = plan.STEPS,
    ) -> None:
        """
        Args:
            protocol: the lines on stdout.
            status: the lane's status file; `None` for a step that runs alone.
            observer: the person's display.
            steps: the steps that will run, with their shares.
        """
        self._protocol, self._status, self._observer, self._steps = protocol, status, observer, tuple(steps)
        self._begin, self._end = 0, plan.end(steps)
        self._stages: tuple[str, ...] = ()
        self._index: int | None = None
        self._units = 0

    def start(self) -> None:
        """Write the first PROGRESS line."""
        self._move(0)

    @contextlib.contextmanager
    def step(self, step: LaneStep, stages: Sequence[str] = ()) -> Iterator[None]:
        """Run a step inside; STATS and ARTIFACT lines of its results belong after it.

        Args:
            step: a step of the plan.
            stages: names of the stages that will be announced, in order; others do not move PROGRESS.
        """
        index = [each.name for each in self._steps].index(step.name)
        self._begin = self._steps[index - 1].until if index else 0
        self._end = self._steps[index].until
        self._stages, self._index, self._units = tuple(stages), None, 0
        yield
        self._move(self._end)

    def part(self, done: int, of: int) -> None:
        """A part of the current step is done; for a step without stages."""
        self._move(self._at(done / of))

    def stage(self, name: str, total: int | None = None) -> None:
        """See `Observer.stage`."""
        self._index = self._stages.index(name) if name in self._stages else None
        self._units = total or 0
        self._advance(0)
        self._observer.stage(name, total)

    def advance(self, done: int, note: str = "") -> None:
        """See `Observer.advance`."""
        if self._units:
            self._advance(min(1.0, done / self._units))
        self._observer.advance(done, note)

    def note(self, text: str) -> None:
        """See `Observer.note`."""
        self._observer.note(text)

    def stats(self, values: dict[str, Scalar]) -> None:
        """Write measured values to stdout and the status file."""
        self._protocol.stats(values)
        if self._status:
            self._status.update(stats=values)

    def shown(self, path: Path) -> str:
        """A path as the protocol prints it."""
        return self._protocol.shown(path)

    def artifact(self, path: Path) -> None:
        """Name a complete file on stdout and in the status file."""
        shown = self._protocol.artifact(path)
        if self._status:
            self._status.update(artifact=shown)

    def checkpoint(self, path: Path) -> None:
        """Name the model of a finished training in the status file."""
        if self._status:
            self._status.update(checkpoint=self._protocol.shown(path))

    def finish(self) -> None:
        """Reach the end of the plan and complete the status file."""
        self._move(plan.end(self._steps))
        if self._status:
            self._status.update(state="completed")

    def _advance(self, fraction: float) -> None:
        """Move to a fraction of the current stage."""
        if self._index is not None:
            self._move(min(self._at((self._index + fraction) / len(self._stages)), self._end - 1))

    def _at(self, fraction: float) -> int:
        """PROGRESS for a fraction of the current step."""
        return self._begin + int((self._end - self._begin) * fraction)

    def _move(self, current: int) -> None:
        if current > self._protocol.current or self._protocol.total == 0:
            self._protocol.progress(current, plan.end(self._steps))
            if self._status:
                self._status.update(progress=(self._protocol.current, self._protocol.total))
