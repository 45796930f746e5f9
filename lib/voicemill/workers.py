"""A pool of worker processes, each with its own pipe, so that the end of one never leaves the caller waiting.

The workers of `concurrent.futures` share queues and their locks: if a signal to the whole process group ends one of
them at the wrong moment, the caller waits for ever. Here nothing is shared: the pipe of a dead worker reports its end,
and a worker that does not exit is killed.

Workers are spawned, never forked: the caller may hold onnxruntime's or torch's threads, and a fork copies their locks.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

from voicemill.errors import BlockedError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

TERMINATE_TIMEOUT = 3.0
"""Seconds that a worker has to clean up after SIGTERM before it is killed."""
SIGNAL_GRACE_SECONDS = 0.5
"""Seconds after a worker was ended by SIGTERM in which the same signal may reach this process."""

_Pipe = connection.Connection


def usable_cores(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use, at least 1; a quota of its container (`docker run --cpus 1.5`) is rounded up.

    Args:
        cgroups: where the kernel shows the quotas of this process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroups)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroups: Path) -> float | None:
    """Cores of a container's quota; None without one. Microseconds of processor time in a period of microseconds."""
    try:  # version 2 of cgroups
        quota, period = (cgroups / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (cgroups / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (cgroups / "cpu/cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 < int(period) else None
    except ValueError:  # "max"
        return None


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    pipe: _Pipe


class Workers:
    """Processes that run tasks; they start with the first `run`, or `start`, and stay until the context ends.

    Functions must be importable (module level), tasks and results picklable.
    """

    def __init__(self, count: int, prepare: Callable[..., object] | None = None, *arguments: object) -> None:
        """
        Args:
            count: number of processes.
            prepare: called with the arguments in each process before its first task.
            arguments: picklable.
        """
        self.count = count
        self._prepare, self._arguments = prepare, arguments
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(at_once=kind is not None)

    @property
    def ids(self) -> list[int]:
        """Process ids of the running workers."""
        return sorted(worker.process.pid for worker in self._workers if worker.process.pid is not None)

    def start(self) -> None:
        """Start the processes now, so that they load while this one does other work."""
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < self.count:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._prepare, self._arguments), daemon=True)
            process.start()
            theirs.close()  # otherwise the pipe would stay open after the worker's end
            self._workers.append(_Worker(process, ours))

    def run(
        self,
        function: Callable[[_Task], _Result],
        tasks: Sequence[_Task],
        advance: Callable[[int], object] = lambda done: None,
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`; `advance` is called with the number of finished tasks.

        Raises:
            BlockedError: `worker_died`, when the system ended a process (usually for lack of memory).
            Exception: the error of a task; the other tasks are stopped.
        """
        try:
            return self._run(function, tasks, advance)
        except BaseException:
            self.stop(at_once=True)
            raise

    def _run(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], advance: Callable[[int], object]
    ) -> list[_Result]:
        self.start()
        results: dict[int, _Result] = {}
        waiting = iter(enumerate(tasks))
        busy: dict[_Pipe, tuple[_Worker, int]] = {}

        def give(worker: _Worker) -> None:
            index, task = next(waiting, (None, None))
            if index is not None:
                _send(worker, (function, task))
                busy[worker.pipe] = (worker, index)

        for worker in self._workers:
            give(worker)
        while busy:
            for pipe in connection.wait(list(busy)):
                worker, index = busy.pop(pipe)  # type: ignore[call-overload]
                results[index] = _receive(worker)
                give(worker)
                advance(len(results))
        return [results[index] for index in range(len(tasks))]

    def begin(self, function: Callable[[_Task], object], task: _Task) -> None:
        """Send one task to the first process and return at once; `finish` returns its result.

        Raises:
            BlockedError: `worker_died`.
        """
        self.start()
        _send(self._workers[0], (function, task))

    def finish(self) -> Any:
        """Wait for the task that was begun and return its result; raises the same errors as `run`."""
        try:
            return _receive(self._workers[0])
        except BaseException:
            self.stop(at_once=True)
            raise

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the processes after their task, or at once; one that does not exit in time is killed."""
        workers, self._workers = self._workers, []
        try:
            for worker in workers:
                worker.pipe.close()  # a worker exits when its pipe is closed
                if at_once:
                    worker.process.terminate()
            deadline = time.monotonic() + TERMINATE_TIMEOUT
            for worker in workers:
                worker.process.join(max(0.0, deadline - time.monotonic()) if at_once else None)
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()


def lower_priority() -> None:
    """Prepare a process that runs beside a training: low priority, one thread; its parent handles Ctrl-C."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)
    torch.set_num_threads(1)


def _send(worker: _Worker, message: object) -> None:
    try:
        worker.pipe.send(message)
    except OSError:
        _raise_died(worker)


def _receive(worker: _Worker) -> Any:
    try:
        done, value = worker.pipe.recv()
    except (EOFError, OSError):
        _raise_died(worker)
    if not done:
        raise value
    return value


def _raise_died(worker: _Worker) -> NoReturn:
    worker.process.join(SIGNAL_GRACE_SECONDS)
    if worker.process.exitcode in (-signal.SIGTERM, 128 + signal.SIGTERM):
        time.sleep(
            SIGNAL_GRACE_SECONDS
        )  # the signal may be for the whole group: then this process ends by it, which is the better report
    raise BlockedError(
        "A worker process was ended by the system.",
        reason="worker_died",
        hint="This usually means too little memory: try again with --workers 1.",
    )


def _serve(pipe: _Pipe, prepare: Callable[..., object] | None, arguments: tuple[object, ...]) -> None:
    """The main function of a worker: run tasks until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    signal.signal(signal.SIGTERM, _exit)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with_parent, args=(parent.sentinel,), daemon=True).start()
    if prepare is not None:
        prepare(*arguments)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, task = pipe.recv()
            pipe.send(run_task(function, task))


def run_task(function: Callable[[Any], object], task: object) -> tuple[bool, object]:
    """Run a task and return (True, result), or (False, error) with an error that can be pickled."""
    try:
        return True, function(task)
    except Exception as error:  # the boundary of the process: the parent raises it again
        error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  our own
        except Exception:
            return False, RuntimeError(f"{type(error).__name__}: {error}")
        return False, error


def _exit(signum: int, frame: FrameType | None) -> NoReturn:
    """Exit through the `finally` clauses, which remove half-written files and stop ffmpeg.

    A signal to the whole process group is followed by one from the parent, which must not interrupt these clauses.
    """
    signal.signal(signum, _exiting)
    raise SystemExit(128 + signum)


def _exiting(signum: int, frame: FrameType | None) -> None:
    """A further signal; the parent kills a worker that takes too long."""


def _exit_with_parent(sentinel: int) -> None:
    """Exit when the parent has been killed."""
    connection.wait([sentinel])
    os._exit(1)
