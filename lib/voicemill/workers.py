"""Tasks on worker processes, each at the end of a pipe of its own, so that whatever ends one leaves nobody waiting.

`concurrent.futures` lets its workers share queues and their locks: a signal to the whole process group that ends one
at the wrong moment leaves the caller waiting for ever. Here nothing is shared, a pipe whose worker is gone says so, and
a worker that does not go is killed.

Workers are spawned, never forked: the caller may hold onnxruntime's or torch's threads, and a fork copies their locks.
"""

from __future__ import annotations

import contextlib
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
from types import FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

from voicemill.errors import BlockedError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

PATIENCE = 3.0
"""Seconds that a worker has to clear up after itself when it is told to go."""
OUR_TURN = 0.5
"""Seconds after a worker was ended by SIGTERM in which the same signal may reach us."""

_Pipe = connection.Connection


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    pipe: _Pipe


class Workers:
    """A context of processes that run tasks; they start with the first `run`, or `start`, and stay.

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
        """Start the processes now, so that they load while this one does something else."""
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < self.count:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._prepare, self._arguments), daemon=True)
            process.start()
            theirs.close()  # or the pipe would stay open when the worker is gone
            self._workers.append(_Worker(process, ours))

    def run(
        self,
        function: Callable[[_Task], _Result],
        tasks: Sequence[_Task],
        advance: Callable[[int], object] = lambda done: None,
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`; `advance` hears how many are done.

        Raises:
            BlockedError: `worker_died`, when the system ended a process (usually for want of memory).
            Exception: what a task raised; no other task goes on then.
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
                _sent(worker, (function, task))
                busy[worker.pipe] = (worker, index)

        for worker in self._workers:
            give(worker)
        while busy:
            for pipe in connection.wait(list(busy)):
                worker, index = busy.pop(pipe)  # type: ignore[call-overload]
                results[index] = _received(worker)
                give(worker)
                advance(len(results))
        return [results[index] for index in range(len(tasks))]

    def begin(self, function: Callable[[_Task], object], task: _Task) -> None:
        """Hand one task to the first process and go on; `finish` brings what comes of it.

        Raises:
            BlockedError: `worker_died`.
        """
        self.start()
        _sent(self._workers[0], (function, task))

    def finish(self) -> Any:
        """The result of the task that was begun; waits for it and raises what `run` does."""
        try:
            return _received(self._workers[0])
        except BaseException:
            self.stop(at_once=True)
            raise

    def stop(self, *, at_once: bool = False) -> None:
        """End the processes: when their task is done, or at once; one that does not go is killed."""
        workers, self._workers = self._workers, []
        try:
            for worker in workers:
                worker.pipe.close()  # nothing more to do
                if at_once:
                    worker.process.terminate()
            deadline = time.monotonic() + PATIENCE
            for worker in workers:
                worker.process.join(max(0.0, deadline - time.monotonic()) if at_once else None)
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()


def give_way() -> None:
    """What a process beside a training does first: Ctrl-C is its parent's business, and the training has the cores."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)
    torch.set_num_threads(1)


def _sent(worker: _Worker, message: object) -> None:
    try:
        worker.pipe.send(message)
    except OSError:
        _died(worker)


def _received(worker: _Worker) -> Any:
    try:
        done, value = worker.pipe.recv()
    except (EOFError, OSError):
        _died(worker)
    if not done:
        raise value
    return value


def _died(worker: _Worker) -> NoReturn:
    worker.process.join(OUR_TURN)
    if worker.process.exitcode in (-signal.SIGTERM, 128 + signal.SIGTERM):
        time.sleep(OUR_TURN)  # a signal to the whole group: ours says more than its death
    raise BlockedError(
        "A worker process was ended by the system.",
        reason="worker_died",
        hint="This usually means too little memory: try again with --workers 1.",
    )


def _serve(pipe: _Pipe, prepare: Callable[..., object] | None, arguments: tuple[object, ...]) -> None:
    """A worker: task after task until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGTERM, _leave)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    if prepare is not None:
        prepare(*arguments)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, task = pipe.recv()
            pipe.send(outcome(function, task))


def outcome(function: Callable[[Any], object], task: object) -> tuple[bool, object]:
    """What came of a task: whether it was done, and its result, or else its error in a form that can travel."""
    try:
        return True, function(task)
    except Exception as error:  # the process's boundary: the parent raises it again
        error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  our own
        except Exception:
            return False, RuntimeError(f"{type(error).__name__}: {error}")
        return False, error


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    """Go by way of the `finally` clauses: half-written files are removed, ffmpeg is ended."""
    raise SystemExit(128 + signum)


def _follow(sentinel: int) -> None:
    """End this process when the parent is gone, killed without a word: there is nothing left to do."""
    connection.wait([sentinel])
    os._exit(1)
