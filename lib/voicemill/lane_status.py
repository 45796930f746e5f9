"""The lane's status file `artifacts/train_status.<job>.json` (formats contract, section 1), and whether its lane runs.

While a lane runs, its status names the process and has a heartbeat. A reader on the same machine asks the system about
the process; a reader elsewhere goes by the age of the heartbeat. Standard library only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar, Literal

from voicemill import files
from voicemill.errors import BlockedError, StorageError, UsageError
from voicemill.protocol import Scalar, State

HEARTBEAT_SECONDS = 10.0
"""Time between two heartbeats."""
SILENT_SECONDS = 180.0
"""Age of a heartbeat from which a process on another machine counts as dead."""
MAX_BYTES = 1 << 20

Liveness = Literal["running", "dead", "ended", "unknown"]


@dataclass(frozen=True)
class Progress:
    """Steps done, and their total."""

    current: int = 0
    total: int = 0


@dataclass(frozen=True)
class LaneStatusV1:
    """Version 1 of the status, which older commits wrote."""

    # A plain dataclass, because it is also written without pydantic; its JSON Schema is generated from it all the same.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    job_type: str
    status: State
    state: State
    reason: str | None = None
    progress: Progress = Progress()
    stats: dict[str, Scalar] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LaneStatus(LaneStatusV1):
    """The status of a lane.

    Attributes:
        pid: the process that runs the lane; null once it has ended, as are the next three.
        host: name of the machine, or of the container.
        process: `<pid namespace>:<start in clock ticks after boot>`, which distinguishes it from a later process with
            the same id; null where the system has no /proc.
        heartbeat: RFC 3339; written every `HEARTBEAT_SECONDS` while the process lives.
        timestamp: unix seconds of the last change.
        step: of the training that runs or ran last.
        epoch: null: the trainings count steps.
        loss: of that step.
        checkpoint: the acoustic model of a finished training.
    """

    pid: int | None = None
    host: str | None = None
    process: str | None = None
    heartbeat: str | None = None
    timestamp: int | None = None
    step: int | None = None
    epoch: int | None = None
    loss: float | None = None
    checkpoint: str | None = None


def read_lane_status(path: Path) -> LaneStatus:
    """Read a status of any version; unknown fields, which later versions may add, are ignored.

    Raises:
        OSError: the file cannot be read.
        InvalidJsonError: it is not strict JSON.
        ValueError: it is not a lane's status.
    """
    found = files.read_json(path, max_bytes=MAX_BYTES)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    known = {each.name: found[each.name] for each in dataclasses.fields(LaneStatus) if each.name in found}
    for name, kinds in _KINDS.items():
        if name in known and (not isinstance(known[name], kinds) or isinstance(known[name], bool)):
            raise ValueError(f"{name} has the wrong type")
    if known.get("state") not in ("running", "completed", "blocked", "error") or "job_type" not in known:
        raise ValueError("there is no job_type, or no state")
    progress = known.get("progress", {})
    numbers = [progress.get(name, 0) for name in ("current", "total")]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in numbers):
        raise ValueError("progress holds no whole numbers")
    return LaneStatus(**{"status": known["state"], **known, "progress": Progress(*numbers)})


def find(place: Path) -> list[Path]:
    """The status files of a place: the file itself, or those of a work folder or of its `artifacts`, sorted by name.

    Raises:
        UsageError: `missing_input_file`.
    """
    if place.is_dir():
        for folder in (place / "artifacts", place):
            if found := sorted(folder.glob("train_status.*.json")):
                return found
    elif place.exists():
        return [place]
    raise UsageError(
        f"There is no status of a lane at {place}.",
        reason="missing_input_file",
        hint="Name a work folder, or a file train_status.<job>.json.",
    )


def read(path: Path) -> LaneStatus:
    """`read_lane_status` with an error for people.

    Raises:
        BlockedError: `lane_status_invalid:<name>`.
        StorageError: `not_readable:<path>`.
    """
    try:
        return read_lane_status(path)
    except ValueError as error:
        raise BlockedError(
            f"{path} is not the status of a lane: {str(error).rstrip('.')}.",
            reason=f"lane_status_invalid:{path.name}",
            hint="Name a file train_status.<job>.json that a lane has written.",
        ) from error
    except OSError as error:
        raise StorageError.unreadable(error, path) from error


_KINDS: dict[str, tuple[type, ...]] = {
    "job_type": (str,),
    "status": (str,),
    "state": (str,),
    "reason": (str, type(None)),
    "progress": (dict,),
    "stats": (dict,),
    "artifacts": (list,),
    "pid": (int, type(None)),
    "host": (str, type(None)),
    "process": (str, type(None)),
    "heartbeat": (str, type(None)),
    "timestamp": (int, float, type(None)),
}


def liveness(status: LaneStatus, now: float | None = None) -> Liveness:
    """Whether the lane of a status has ended, still runs, or died without a final state.

    A status of version 1 names no process: if it says `running`, nothing is known.

    Args:
        status: as it was read.
        now: unix seconds; by default the current time.
    """
    if status.state != "running":
        return "ended"
    if status.pid is None:
        return "unknown"
    here = _identity()
    if status.host == here.host and _namespace(status.process) == _namespace(here.process):
        return "running" if _alive(status.pid, status.process) else "dead"
    age = heartbeat_age(status, now)
    return "running" if age is not None and age < SILENT_SECONDS else "dead"


def describe(status: LaneStatus) -> str:
    """One line about a lane for people, without its name."""
    state, progress = liveness(status), status.progress
    done = f"{progress.current} of {progress.total}" if progress.total else "no progress yet"
    if state == "ended":
        return status.state + (f" ({status.reason})" if status.reason else "")
    if state == "unknown":
        return f"running, according to a status without a process ({done})"
    age = heartbeat_age(status)
    seen = "" if age is None else f", last heartbeat {age:.0f} s ago"
    what = "running" if state == "running" else "dead: its process ended without a result"
    return f"{what} ({done}, process {status.pid} on {status.host}{seen})"


def heartbeat_age(status: LaneStatus, now: float | None = None) -> float | None:
    """Seconds since the last heartbeat, at least 0; None without one."""
    try:
        beat = datetime.fromisoformat((status.heartbeat or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    if beat.tzinfo is None:
        return None
    return max(0.0, (time.time() if now is None else now) - beat.timestamp())


@dataclass(frozen=True)
class _Identity:
    """The process of a lane, as `LaneStatus` has it."""

    pid: int
    host: str
    process: str | None


def _identity() -> _Identity:
    pid, started = os.getpid(), _start_ticks(os.getpid())
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return _Identity(pid, socket.gethostname(), None)
    return _Identity(pid, socket.gethostname(), None if started is None else f"{namespace}:{started}")


def _namespace(process: str | None) -> str | None:
    return process.partition(":")[0] if process else None


def _start_ticks(pid: int) -> int | None:
    """Start of a process in clock ticks after boot; None if it is a zombie, or there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
        return None if fields[0] == b"Z" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def _alive(pid: int, process: str | None) -> bool:
    """Whether the process exists and is the one that wrote the status."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # it exists and belongs to another user
    except (ProcessLookupError, OverflowError):
        return False
    started = (process or "").partition(":")[2]
    if not started:
        return True
    found = _start_ticks(pid)
    return found is not None and str(found) == started


class StatusFile:
    """The lane's status on disk: `running` from the first second, and always a final state at the end."""

    def __init__(self, path: Path, job_type: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._identity = _identity()
        self.status = self._first(job_type)
        self._write()

    def _first(self, job_type: str) -> LaneStatus:
        return LaneStatus(job_type=job_type, status="running", state="running")

    def update(
        self,
        *,
        state: State | None = None,
        reason: str | None = None,
        progress: tuple[int, int] | None = None,
        stats: dict[str, Scalar] | None = None,
        artifact: str | None = None,
        checkpoint: str | None = None,
    ) -> None:
        """Change the fields that are given and write the file atomically."""
        changes: dict[str, Any] = {}
        if state is not None:
            changes |= {"state": state, "status": state}
        if reason is not None:
            changes["reason"] = reason
        if progress is not None:
            changes["progress"] = Progress(current=progress[0], total=progress[1])
        if stats is not None:
            changes["stats"] = {**self.status.stats, **stats}
            changes |= self._figures(stats)
        if artifact is not None and artifact not in self.status.artifacts:
            changes["artifacts"] = [*self.status.artifacts, artifact]
        if checkpoint is not None:
            changes["checkpoint"] = checkpoint
        self._change(**changes)

    def _figures(self, stats: dict[str, Scalar]) -> dict[str, Scalar]:
        """Fields of the status that are measured values too."""
        return {name: stats[name] for name in ("step", "loss") if name in stats}

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self.status = dataclasses.replace(self.status, **changes)
            self._write()

    def take_over(self) -> None:
        """Continue from the state that another process has written since (a lane that ran in a container)."""
        try:
            self.status = read_lane_status(self.path)
        except (OSError, files.InvalidJsonError, ValueError, TypeError):
            return  # missing, or not a lane status: the known state is kept

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the heartbeat in a thread, until the status is final or another process writes the file."""
        stop = threading.Event()
        thread = threading.Thread(target=self._beat, args=(stop,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            with self._lock, contextlib.suppress(StorageError, OSError, ValueError, TypeError):
                found = read_lane_status(self.path)
                if found.state != "running" or (found.pid, found.host) != (self._identity.pid, self._identity.host):
                    return
                self._write()

    def _write(self) -> None:
        running = self.status.state == "running"
        now = datetime.now(timezone.utc)  # noqa: UP017 - Python 3.10 too
        self.status = dataclasses.replace(
            self.status,
            pid=self._identity.pid if running else None,
            host=self._identity.host if running else None,
            process=self._identity.process if running else None,
            heartbeat=now.strftime("%Y-%m-%dT%H:%M:%SZ") if running else None,
            timestamp=int(now.timestamp()),
        )
        document = dataclasses.asdict(self.status)
        try:
            files.write_json(self.path, document)
        except StorageError as error:
            final = self.status.state in ("blocked", "error") or error.code == "disk_full"
            if self.status.state == "running" or not final or not self.path.is_file():
                raise
            # A full disk cannot take a new file, but the old one can be overwritten: it must not stay `running`.
            # A run whose results could not be written is never `completed`.
            try:
                self.path.write_text(files.dump_json(document), encoding="utf-8")
            except OSError:
                raise error from None
