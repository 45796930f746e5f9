"""One clip is one task: a function over tasks, here or in a pool of processes, results in the order of the tasks.

Workers are spawned, never forked: the caller may hold onnxruntime's or torch's threads, and a fork copies their locks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from types import TracebackType
from typing import TypeVar

from voicemill.errors import DatasetError
from voicemill.progress import Observer

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

WORTH_A_POOL = 8
"""Fewer tasks than this are done before two processes have started and loaded what they need."""


class ClipPool:
    """A context in which `map` runs tasks; processes start with the first `map` that is worth it, and stay.

    Functions must be importable (module level), tasks and results picklable. A task reports what is wrong with its clip
    in its result; an exception stops the whole `map`.
    """

    def __init__(self, jobs: int | None = None) -> None:
        """
        Args:
            jobs: number of processes; by default one for each core that this process may use.
        """
        self.jobs = jobs or _usable_cores()
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> ClipPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def start(self) -> None:
        """Start the processes now, so that they load while this one does something else."""
        if self._executor is None and self.jobs > 1:
            self._executor = ProcessPoolExecutor(
                self.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_initialise
            )

    def map(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], observer: Observer | None = None
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`, telling the observer how many are done.

        Raises:
            DatasetError: `worker_died`, when the system ended a process (usually for want of memory).
        """
        if self.jobs > 1 and len(tasks) >= WORTH_A_POOL:
            self.start()
        if self._executor is None or len(tasks) < 2:
            return [_told(function(task), done, observer) for done, task in enumerate(tasks, start=1)]
        futures: list[Future[_Result]] = [self._executor.submit(function, task) for task in tasks]
        try:
            return [_told(future.result(), done, observer) for done, future in enumerate(futures, start=1)]
        except BrokenProcessPool as error:
            raise DatasetError(
                "A worker process of the preparation was ended by the system.",
                reason="worker_died",
                hint="This usually means too little memory: try again with --jobs 1.",
            ) from error
        finally:
            for future in futures:
                future.cancel()

    def worker_ids(self) -> list[int]:
        """Process ids of the running workers."""
        processes = getattr(self._executor, "_processes", None) or {}
        return sorted(processes)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _told(result: _Result, done: int, observer: Observer | None) -> _Result:
    if observer is not None:
        observer.advance(done)
    return result


def _initialise() -> None:
    """In a worker: Ctrl-C is the parent's business, and without a parent there is nothing left to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    """End this process when the parent is gone, killed without a word."""
    connection.wait([sentinel])
    os._exit(1)
