"""The production lanes by name, and the parts of their entry points that need only the standard library."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemill import git, path_names
from voicemill.boundary import Interrupts, missing_module
from voicemill.errors import DependencyError, InterruptedRunError, RefusedError, StorageError, VoicemillError
from voicemill.lane_status import StatusFile, describe, liveness, read_lane_status
from voicemill.locks import lane_lock
from voicemill.protocol import Protocol, State, one_line
from voicemill.settings import DEFAULT_BASE_WEIGHTS, Settings

LIGHT = ("pydantic", "yaml", "license_expression")
"""Packages that the gates and file formats need; training needs more."""
RUNTIME = ("numpy", "soundfile", "torch")
"""Packages that preparation and training need."""
SCRIPTS = Path("scripts/voice")


@dataclass(frozen=True)
class Lane:
    """A production lane.

    Attributes:
        name: as in TRAIN_LANE; also the job's name in status files, unless TRAIN_JOB_TYPE is set.
        script: its entry point in `scripts/voice/`, for job servers.
        base_weights: default base weights; `None` uses those of the preset.
    """

    name: str
    script: str
    base_weights: str | None

    def job(self, settings: Settings) -> str:
        """Name of the job in status files."""
        return settings.launch.job_type or self.name


MAIN = Lane("tts_prod_train", "train_production_tts.py", None)
NEMO = Lane("tts_prod_train_nemo", "train_production_nemo.py", DEFAULT_BASE_WEIGHTS)
LANES = {lane.name: lane for lane in (MAIN, NEMO)}


def check_light(*, dry_run: bool = False) -> None:
    """Refuse a Python that lacks the library's light dependencies.

    Args:
        dry_run: what reads licence expressions is not needed; single licences are judged without it.

    Raises:
        DependencyError: `runtime_dependency_missing:<a,b>`.
    """
    needed = [name for name in LIGHT if not (dry_run and name == "license_expression")]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"This Python lacks {', '.join(missing)}, which voicemill's gates need.",
            reason=f"runtime_dependency_missing:{','.join(missing)}",
            hint="Run ./run-direct once, which installs everything, or use TRAIN_BACKEND=local_docker.",
        )


@contextlib.contextmanager
def lane_state(
    settings: Settings,
    job: str,
    protocol: Protocol,
    interrupts: Interrupts,
    on_error: Callable[[str], None] | None = None,
) -> Iterator[tuple[StatusFile, int | None]]:
    """Hold the work folder and keep the lane's status, from `running` to its final state; a busy folder is not touched.

    Args:
        settings: the environment; a variable that makes no sense is refused once the status is written.
        job: name of the job in the status file.
        protocol: the lines on stdout.
        interrupts: signals; those that arrived before the status existed are delivered.
        on_error: see `final_state`.

    Yields:
        The status, and the descriptor of the work folder's lock for the processes of the steps.

    Raises:
        RefusedError: `lane_busy:<work folder>`; nothing was written.
        UsageError: `bad_usage`: a variable makes no sense.
    """
    with contextlib.ExitStack() as stack:
        path = settings.paths.lane_status(job)
        try:
            lock = stack.enter_context(lane_lock(settings.workspace.work, settings.launch.lane_lock))
            _check_predecessor(path, lock)
            status = StatusFile(path, job)
        except VoicemillError as error:
            protocol.head(settings.head)
            _show_error(error, None, protocol)
            raise
        with final_state(status, protocol, on_error):
            protocol.head(settings.head)
            if settings.head == "unknown" and (why := git.unknown_head(settings.repository)):
                _print_note(f"The commit is unknown: {one_line(why, 300)}")
            interrupts.deliver()
            check_settings(settings)
            yield status, lock


def _check_predecessor(path: Path, lock: int | None) -> None:
    """Look at the status that a lane left: a dead one is named on stderr, before its status is replaced.

    On a file system without locks, a process of this machine that still runs keeps its folder.

    Raises:
        RefusedError: `lane_busy:<work folder>`.
    """
    try:
        found = read_lane_status(path)
    except (OSError, ValueError):
        return
    state = liveness(found)
    # The orchestrator of this lane is its parent, or runs outside its container.
    ours = found.pid in (os.getpid(), os.getppid()) or found.host != socket.gethostname()
    if lock is None and state == "running" and not ours:
        raise RefusedError(
            f"Another lane is running: {path.name} says {describe(found)}.",
            reason=f"lane_busy:{path.parent.parent.absolute().name}",
            hint="Wait until it has finished, or set WORK_DIR to another folder.",
        )
    if state == "dead":
        _print_note(f"The lane before this one is {describe(found)}.")


def _print_note(sentence: str) -> None:
    """Write a line for people."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"  {sentence}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def step_lock(settings: Settings, protocol: Protocol) -> Iterator[int | None]:
    """Hold the work folder for a step that runs alone, or use the lock of the lane that started it.

    Raises:
        RefusedError: `lane_busy:<work folder>`.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(lane_lock(settings.workspace.work, settings.launch.lane_lock))
        except VoicemillError as error:
            _show_error(error, None, protocol)
            raise
        yield lock


def check_settings(settings: Settings) -> None:
    """Refuse a variable of the environment that makes no sense.

    Raises:
        UsageError: `bad_usage`.
    """
    if settings.fault is not None:
        raise settings.fault


@contextlib.contextmanager
def final_state(
    status: StatusFile | None,
    protocol: Protocol,
    on_error: Callable[[str], None] | None = None,
    result: Path | None = None,
) -> Iterator[None]:
    """Record the reason of an early end in the status file, print it and re-raise; an existing final state is kept.

    Args:
        status: the lane's status file; `None` for a step that runs alone.
        protocol: receives the STATS and ARTIFACT lines of the end, and the `status=blocked` line.
        on_error: called with the reason of every library error, to write further files.
        result: the file that `on_error` writes, if there is no status.

    Raises:
        DependencyError: a package could not be imported.
        UsageError: `name_too_long`.
        InterruptedRunError: the reader of stdout has exited.
    """
    try:
        with _imports(), status.beating() if status else contextlib.nullcontext():
            try:
                yield
            except BrokenPipeError as error:
                raise InterruptedRunError(signal.SIGPIPE) from error
            except OSError as error:
                if (long := path_names.too_long(error)) is not None:
                    raise long from error
                raise
    except VoicemillError as error:
        with contextlib.suppress(StorageError):  # if the disk failed, report the first error
            _finish(status, state_of(error), error.reason)
            if on_error:
                on_error(error.reason)
        with contextlib.suppress(BrokenPipeError):
            _show_error(error, status, protocol, result)
        raise
    except BaseException as error:  # a defect, or a second Ctrl-C: the status must not stay `running`
        defect = f"internal_error:{type(error).__name__}"
        with contextlib.suppress(StorageError):
            _finish(status, "error", defect)
        with contextlib.suppress(OSError):
            protocol.result("error", defect, status.path if status else result)
        raise


def state_of(error: VoicemillError) -> State:
    """The final state of a job that ended with this error."""
    return "blocked" if error.exit_code == 2 else "error"


def _show_error(
    error: VoicemillError, status: StatusFile | None, protocol: Protocol, result: Path | None = None
) -> None:
    """Print the end of a job as STATS, ARTIFACT and bracketed line; a final state of another process is kept."""
    state, reason = state_of(error), error.reason
    if status is not None and status.status.state in ("blocked", "error"):
        state, reason = status.status.state, status.status.reason or reason
    protocol.result(state, reason, status.path if status else result)
    if error.exit_code == 2:
        protocol.blocked(error.reason)


@contextlib.contextmanager
def _imports() -> Iterator[None]:
    """Block the lane if a package cannot be imported; a missing module of voicemill is a defect."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "voicemill":
            raise
        if (error.name or "").partition(".")[0] in RUNTIME:
            missing = [name for name in RUNTIME if importlib.util.find_spec(name) is None]
            if missing:
                raise DependencyError(
                    f"This Python does not have {', '.join(missing)}.",
                    reason=f"runtime_dependency_missing:{','.join(missing)}",
                    hint="Run it through ./run-direct, which installs it.",
                ) from error
        raise missing_module(error) from error


def _finish(status: StatusFile | None, state: State, reason: str) -> None:
    if status is None:
        return
    status.take_over()
    if status.status.state == "running":
        status.update(state=state, reason=reason)
