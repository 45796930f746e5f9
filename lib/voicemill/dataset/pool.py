"""One clip is one task: a function over tasks, here or on several processes, results in the order of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from voicemill.progress import Observer
from voicemill.workers import Workers, usable_cores

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

WORTH_A_POOL = 8
"""Fewer tasks than this are done before two processes have started and loaded what they need."""


class TaskPool(Protocol):
    """Where tasks run: `ClipPool` on this machine, `cluster.RayPool` on many."""

    def map(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], observer: Observer | None = None
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`, with progress for the observer."""

    def worker_ids(self) -> list[int]:
        """Process ids of the running workers of this machine."""


class ClipPool:
    """A context in which `map` runs tasks; processes start with the first `map` that is worth it, and stay.

    Functions must be importable (module level), tasks and results picklable. A task reports a fault of its clip
    in its result; an exception stops the whole `map`.
    """

    def __init__(self, workers: int | None = None) -> None:
        """
        Args:
            workers: number of processes; by default one for each core that this process may use.
        """
        self._processes = Workers(workers or usable_cores())

    def __enter__(self) -> ClipPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.stop(at_once=kind is not None)

    def map(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], observer: Observer | None = None
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`, with progress for the observer.

        Raises:
            BlockedError: `worker_died`, when the system ended a process (usually for want of memory).
        """
        advance = observer.advance if observer is not None else _ignore
        few = len(tasks) < WORTH_A_POOL and not self._processes.ids
        if self._processes.count == 1 or few or len(tasks) < 2:
            return [_advanced(function(task), done, advance) for done, task in enumerate(tasks, start=1)]
        return self._processes.run(function, tasks, advance)

    def worker_ids(self) -> list[int]:
        """Process ids of the running workers."""
        return self._processes.ids


def _ignore(done: int) -> None:
    """No observer."""


def _advanced(result: _Result, done: int, advance: Callable[[int], None]) -> _Result:
    advance(done)
    return result
