"""Runs the tasks of a batch, one after another or in parallel."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from voicemill.boundary import Interrupts
from voicemill.errors import InterruptedRunError, NotAcceptableError, RefusedError, StorageError
from voicemill.launch import relay
from voicemill.launch.batch import summary
from voicemill.launch.batch.journal import Journal, JournalRecord, open_journal
from voicemill.launch.batch.summary import TaskResult
from voicemill.launch.batch.tasks import BatchTask
from voicemill.protocol import Protocol

LOCK = "running.lock"
LEFTOVER_TIMEOUT_SECONDS = 150.0
"""How long the tasks of a killed batch may take to write their checkpoints and exit."""
WAKE_SECONDS = 1.0


@dataclass(frozen=True)
class BatchJob:
    """The tasks of a batch and its options.

    Attributes:
        tasks: the tasks, in file order.
        folder: for journal, logs and summary.
        repository: the checkout whose apps run.
        parallel: number of tasks at the same time.
        fail_fast: start no further task after a failure.
        force: repeat tasks that are already finished.
        head: fields of summary.json about the batch as a whole.
    """

    tasks: Sequence[BatchTask]
    folder: Path
    repository: Path
    parallel: int = 1
    fail_fast: bool = False
    force: bool = False
    head: Mapping[str, object] = field(default_factory=dict)


class Fanout(Interrupts):
    """Forwards one signal to every running child."""

    def __init__(self) -> None:
        super().__init__()
        self._sends: set[Callable[[int], None]] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def forwarded(self, send: Callable[[int], None]) -> Iterator[None]:
        """Inside the block signals are also passed to `send`; at once if one has arrived already."""
        with self._lock:
            self._sends.add(send)
            late = self.received
        if late is not None:
            send(late)
        try:
            yield
        finally:
            with self._lock:
                self._sends.discard(send)

    def send(self, signum: int) -> None:
        """Forward a signal to all children."""
        with self._lock:
            self.received = signum
            sends = list(self._sends)
        for send in sends:
            with contextlib.suppress(ProcessLookupError):
                send(signum)


def run(batch: BatchJob, protocol: Protocol, interrupts: Interrupts) -> Path:
    """Run the unfinished tasks; returns the path of summary.json.

    Raises:
        RefusedError: `batch_busy`.
        NotAcceptableError: `batch_failed`: at least one task failed; the summary is written.
        InterruptedRunError: stopped by a signal; the same command continues.
        StorageError: journal or summary cannot be written.
    """
    started = _now()
    with open_journal(batch.folder) as journal:
        _wait_for_leftovers(batch.folder)
        if batch.force:
            journal.forget()
        children = Fanout()
        with interrupts.forwarded(children.send):
            results = _run_all(batch, journal, protocol, children)
        counts = {state: sum(result.state == state for result in results) for state in ("ok", "failed", "not_run")}
        times = {"started_at": started, "ended_at": _now()}
        path = summary.write(batch.folder, {**batch.head, **times, **counts}, results)
    summary.show(results)
    protocol.artifact(path)
    if children.received is not None:
        stopped = InterruptedRunError(children.received)
        stopped.hint = "Run the same command again to continue."
        raise stopped
    if counts["failed"]:
        first = next(result for result in results if result.state == "failed")
        raise NotAcceptableError(
            f"{counts['failed']} of {len(results)} tasks failed, the first in line {first.task.line}.",
            reason="batch_failed",
            hint=f"Its log is {first.record.log if first.record else ''}; correct it and run the same command again.",
        )
    return path


def _run_all(batch: BatchJob, journal: Journal, protocol: Protocol, children: Fanout) -> list[TaskResult]:
    total, lock = len(batch.tasks), threading.Lock()
    results = {task.key: TaskResult(task, journal.finished(task.key)) for task in batch.tasks}
    ended = sum(result.record is not None for result in results.values())
    if ended:
        _say(f"{ended} of {total} tasks are already finished and are not repeated (use --force to repeat them).")
    protocol.progress(ended, total)
    failed = threading.Event()
    broken: list[StorageError] = []

    def work(task: BatchTask) -> None:
        nonlocal ended
        if children.should_stop() or (failed.is_set() and batch.fail_fast) or broken:
            return
        try:
            record = _run_one(batch, task, journal, lock, protocol, children)
        except StorageError as error:
            broken.append(error)
            return
        if record.exit_code != 0:
            failed.set()
        with lock:
            stopped = children.should_stop() and record.exit_code != 0
            results[task.key] = TaskResult(task, record, stopped)
            ended += 0 if stopped else 1
            protocol.progress(ended, total)

    left = [task for task in batch.tasks if results[task.key].record is None]
    with ThreadPoolExecutor(max_workers=max(1, batch.parallel)) as pool:
        waiting = [pool.submit(work, task) for task in left]
        # Wake up regularly: a signal delivered to another thread is handled when this one wakes.
        while wait(waiting, timeout=WAKE_SECONDS).not_done:
            pass
        for done in waiting:
            done.result()
    if broken:
        raise broken[0]
    return [results[task.key] for task in batch.tasks]


def _run_one(
    batch: BatchJob, task: BatchTask, journal: Journal, lock: threading.Lock, protocol: Protocol, children: Fanout
) -> JournalRecord:
    log_path = batch.folder / f"{task.line:04d}-{task.key[:8]}.log"
    record = JournalRecord(task.key, "started", log=protocol.shown(log_path))
    with lock:
        journal.write(record)
    artifacts: list[str] = []
    mark = f"[{task.line}]"

    def on_line(line: str) -> None:
        if line.startswith("ARTIFACT "):
            artifacts.append(line.removeprefix("ARTIFACT "))
        _say(line, mark)

    _say(task.text, mark)
    began = time.monotonic()
    with relay.open_log(log_path) as log:
        log.say(task.text)
        code = relay.run(
            [*_locked(batch.folder), *task.command(batch.repository)],
            on_line=on_line,
            on_error_line=lambda line: _say(line, mark),
            log=log,
            interrupts=children,
            show=False,
        )
    seconds = round(time.monotonic() - began, 3)
    record = replace(record, state="done", exit_code=code, seconds=seconds, artifacts=tuple(artifacts))
    with lock:
        journal.write(record)
    _say("done" if code == 0 else f"ended with exit code {code}; its log is {record.log}", mark)
    return record


def _locked(folder: Path) -> list[str]:
    """The command prefix of a task: it holds a lock while any of its processes lives, and gets SIGTERM if we die.

    Both tools are part of util-linux; without them a task outlives a batch that was killed with SIGKILL.
    """
    command = []
    if shutil.which("flock"):
        command += ["flock", "--shared", "--no-fork", str(folder / LOCK)]
    if shutil.which("setpriv"):
        command += ["setpriv", "--pdeathsig", "TERM", "--"]
    return command


def _wait_for_leftovers(folder: Path) -> None:
    """Wait until the tasks of a killed batch have written their checkpoints.

    Raises:
        RefusedError: `batch_busy`: one of them does not exit.
    """
    with (folder / LOCK).open("ab") as handle:
        until, printed = time.monotonic() + LEFTOVER_TIMEOUT_SECONDS, False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                if time.monotonic() > until:
                    raise RefusedError(
                        "A task of the killed batch is still running.",
                        reason="batch_busy",
                        hint="Stop it, then start again.",
                    ) from None
            if not printed:
                _say("Waiting for a task of the killed batch to exit.")
                printed = True
            time.sleep(0.1)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 (Python 3.10)


def _say(text: str, mark: str = "[batch]") -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{mark} {text}\n")
        sys.stderr.flush()
