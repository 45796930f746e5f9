"""Runs jobs, some at a time: starts their supervisors, reads what they print, and ends them.

A job's process does not depend on the server's: after a restart the server reads on where it stopped, and a job that
ended meanwhile is found by the exit code on the disk.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.errors import VoicemillError
from voicemill_serve import supervisor
from voicemill_serve.job_store import FINAL, JobStore, ScriptJob

POLL_SECONDS = 0.2
MAX_LOG_LINES = 500
"""Lines of a job that answers hold: the last ones."""
MAX_READ = 1024 * 1024
"""Bytes of a log that are read at a time, and the rest of the line in which they end."""
KILL_SECONDS = 120.0
"""Time that a cancelled script has to write its checkpoint."""
LOCK = "server.lock"
NAMES = {"dataset": "Dataset build", "voice-prep": "Preparation"}
"""Types of jobs that are no training, in messages."""
BESIDE = frozenset(("voice-prep",))
"""Types of jobs that do not wait for others, nor others for them: a preparation takes minutes, a training hours."""


class JobsBusyError(VoicemillError):
    """Another server runs the jobs of this work folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another server runs the jobs of {folder.parent}.",
            reason="jobs_busy",
            hint="Ask that server, or give this one another WORK_DIR.",
        )


class JobRunner:
    """The jobs of one work folder.

    Attributes:
        store: the jobs on the disk.
        changed: notified whenever a job changes; see `wait`.
    """

    def __init__(self, folder: Path, parallel: int = 1) -> None:
        """Take the jobs of a work folder.

        Args:
            folder: `<work>/jobs`.
            parallel: jobs at a time, and as many of each type of `BESIDE`; the others are pending.

        Raises:
            JobsBusyError: another server has them.
            OSError: the folder cannot be used.
            sqlite3.Error: the database cannot be opened.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._parallel = folder, parallel
        self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise JobsBusyError(folder) from error
        self.store = JobStore(folder)
        self.changed = asyncio.Condition()
        self._cancelled_at: dict[str, float] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def close(self) -> None:
        """Release the jobs to another server; running ones continue."""
        os.close(self._lock)

    async def submit(
        self, kind: str, message: str, argv: Sequence[str], environment: Mapping[str, str], **fields: Any
    ) -> ScriptJob:
        """Add a job; it starts as soon as it may.

        Raises:
            OSError: it cannot be written.
            sqlite3.Error: likewise.
        """
        job = ScriptJob(str(uuid.uuid4()), kind, "pending", message, _now(), **fields)
        folder = self._folder / job.id
        command = {"argv": list(argv), "cwd": str(Path.cwd()), "environment": dict(environment)}
        try:
            folder.mkdir()
            files.write_json(folder / supervisor.JOB, command)
            self.store.add(job)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        await self.step()
        return self.store.get(job.id) or job

    async def cancel(self, job_id: str) -> ScriptJob | None:
        """End a job: a pending one at once, a running one by SIGTERM, and by SIGKILL after two minutes."""
        job = self.store.get(job_id)
        if job is None or job.state in FINAL:
            return job
        job.cancelled = True
        if job.state == "pending":
            self._finish(job, "error", "Cancelled before it started")
        else:
            job.message = "Stopping"
            self._cancelled_at[job.id] = time.monotonic()
            self._signal(job, signal.SIGTERM)
        self.store.save(job)
        await self._notify()
        return job

    def stats(self, job_id: str) -> list[dict[str, Any]]:
        """Everything that a job has printed as STATS, in order."""
        found = []
        try:
            with (self._folder / job_id / supervisor.LOG).open("rb") as handle:
                for row in handle:
                    if row.startswith(b'["out", "STATS') and row.endswith(b"\n"):
                        found.append(_stats_of(json.loads(row)[1].removeprefix("STATS")))
        except OSError:
            return []
        return [stats for stats in found if stats is not None]

    async def run(self) -> None:
        """Follow the jobs until cancelled."""
        while True:
            try:
                await self.step()
            except (OSError, sqlite3.Error):  # a full disk; the jobs themselves go on
                await asyncio.sleep(5.0)
            await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> None:
        """Read what running jobs printed, and start pending ones."""
        jobs = self.store.open()
        running = Counter[str]()
        changed = False
        for job in jobs:
            if job.state != "running":
                continue
            if self._follow(job):
                changed = True
                self.store.save(job)
            running[_queue(job)] += job.state == "running"
        for job in jobs:
            if job.state == "pending" and running[_queue(job)] < self._parallel:
                self._start(job)
                self.store.save(job)
                running[_queue(job)] += 1
                changed = True
        if changed:
            await self._notify()

    async def wait(self, seconds: float) -> bool:
        """Wait until a job changes, or some seconds; whether one did."""
        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait(), seconds)
            except TimeoutError:
                return False
        return True

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _start(self, job: ScriptJob) -> None:
        folder = self._folder / job.id
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            argv = [sys.executable, "-I", supervisor.__file__, str(folder), str(lock)]
            null = subprocess.DEVNULL
            self._children[job.id] = subprocess.Popen(
                argv, stdin=null, stdout=null, stderr=null, pass_fds=(lock,), start_new_session=True
            )
        finally:
            os.close(lock)
        job.state, job.startedAt = "running", _now()

    def _follow(self, job: ScriptJob) -> bool:
        """Read what a job printed; True if it changed."""
        folder = self._folder / job.id
        child = self._children.get(job.id)
        alive = child.poll() is None if child is not None else _is_locked(folder / "lock")
        ended = _ending(folder)
        changed = self._read(job, folder / supervisor.LOG)
        if alive and job.cancelled:
            self._end_cancelled(job, folder)
        if alive:
            return changed
        while self._read(job, folder / supervisor.LOG):
            changed = True
        ended = ended or _ending(folder)
        self._children.pop(job.id, None)
        what = NAMES.get(job.type, "Training")
        if job.cancelled:
            self._finish(job, "error", f"{what} cancelled")
        elif ended is None:
            self._finish(job, "error", f"{what} failed (its process was killed)")
        elif ended.get("error"):
            self._finish(job, "error", f"{what} could not start: {ended['error']}")
        elif ended.get("code") == 0:
            self._finish(job, "done", f"{what} complete")
        else:
            code = ended.get("code")
            self._finish(job, "error", f"{what} failed (exit {'null' if code is None else code})")
        return True

    def _end_cancelled(self, job: ScriptJob, folder: Path) -> None:
        """End a cancelled script that does not stop; the time that it has begins anew when the server does."""
        if job.id not in self._cancelled_at:
            self._cancelled_at[job.id] = time.monotonic()
            self._signal(job, signal.SIGTERM)
        elif time.monotonic() - self._cancelled_at[job.id] > KILL_SECONDS:
            self._kill(job, folder)

    def _finish(self, job: ScriptJob, state: str, message: str) -> None:
        job.state, job.message, job.endedAt = state, message, _now()
        self._cancelled_at.pop(job.id, None)

    def _read(self, job: ScriptJob, path: Path) -> bool:
        try:
            with path.open("rb") as handle:
                handle.seek(job.log_position)
                data = handle.read(MAX_READ)
                if len(data) == MAX_READ:
                    data += handle.readline()
        except FileNotFoundError:
            return False
        whole = data[: data.rfind(b"\n") + 1]
        for row in whole.splitlines():
            stream, line = json.loads(row)
            take_line(job, stream, line)
        job.log_position += len(whole)
        return bool(whole)

    def _signal(self, job: ScriptJob, number: int) -> None:
        """Send a signal to a job's supervisor, which passes it on."""
        child = self._children.get(job.id)
        folder = self._folder / job.id
        try:
            if child is not None:
                child.send_signal(number)
            elif _is_locked(folder / "lock"):
                os.kill(int((folder / supervisor.PID).read_text("ascii")), number)
        except (OSError, ValueError):
            return

    def _kill(self, job: ScriptJob, folder: Path) -> None:
        """End a script that ignores SIGTERM, with its supervisor."""
        try:
            pid = int((folder / supervisor.PID).read_text("ascii"))
            for child in _children_of(pid):
                os.killpg(child, signal.SIGKILL)
        except (OSError, ValueError):
            return


def _queue(job: ScriptJob) -> str:
    """Jobs of one queue wait for each other."""
    return job.type if job.type in BESIDE else ""


def take_line(job: ScriptJob, stream: str, line: str) -> None:
    """Add one line that a script printed to its job."""
    job.logs = [*job.logs, f"{line}\n" if stream == "out" else f"[ERR] {line}\n"][-MAX_LOG_LINES:]
    if stream != "out":
        return
    dataset = job.type == "dataset"
    parts = line.split()
    if line.startswith("PROGRESS") and len(parts) >= 3:
        try:
            job.progress = {"current": _number(parts[1]), "total": _number(parts[2])}
            job.message = f"{'Processing' if dataset else 'Step'} {parts[1]}/{parts[2]}"
        except ValueError:
            return
    if "loss" in line.lower() and not dataset:
        job.message = line.strip()
    if line.startswith("STATS"):
        _take_stats(job, line.removeprefix("STATS"), dataset)
    if line.startswith("ARTIFACT") and not dataset and (reference := line.removeprefix("ARTIFACT").strip()):
        job.artifactRefs = [*(job.artifactRefs or []), reference]


def _stats_of(text: str) -> dict[str, Any] | None:
    """The object of a STATS line; None where it is none."""
    try:
        stats = files.parse_json(text.encode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return stats if isinstance(stats, dict) else None


def _take_stats(job: ScriptJob, text: str, dataset: bool) -> None:
    stats = _stats_of(text)
    if stats is None:
        return
    if dataset:
        job.datasetStats = stats
        stats = {"mode": stats.get("mode"), "manifestPath": stats.get("manifestPath")}
    job.metadata = {**(job.metadata or {}), **stats}


def _number(text: str) -> float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return int(value) if value.is_integer() else value


def _ending(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / supervisor.EXIT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_locked(path: Path) -> bool:
    """Whether a process holds a lock on a file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _children_of(pid: int) -> list[int]:
    """Child processes, on Linux."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def _now() -> int:
    return int(time.time() * 1000)
