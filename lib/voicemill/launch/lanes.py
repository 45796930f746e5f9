"""The production lanes by name, and the parts of their entry points that need only the standard library."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemill.boundary import missing_module
from voicemill.errors import DependencyError, StorageError, VoicemillError
from voicemill.protocol import Protocol, State, StatusFile
from voicemill.settings import DEFAULT_BASE_WEIGHTS, Settings

LIGHT = ("pydantic", "yaml", "license_expression")
"""Packages that the gates and file formats need; training needs more."""
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
        return settings.train_job_type or self.name


MAIN = Lane("tts_prod_train", "train_production_tts.py", None)
NEMO = Lane("tts_prod_train_nemo", "train_production_nemo.py", DEFAULT_BASE_WEIGHTS)
LANES = {lane.name: lane for lane in (MAIN, NEMO)}


def check_light() -> None:
    """Refuse a Python that lacks the library's light dependencies.

    Raises:
        DependencyError: `runtime_dependency_missing:<a,b>`.
    """
    missing = [name for name in LIGHT if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"This Python lacks {', '.join(missing)}, which voicemill's gates need.",
            reason=f"runtime_dependency_missing:{','.join(missing)}",
            hint="Run ./run-direct once, which installs everything, or use TRAIN_BACKEND=local_docker.",
        )


@contextlib.contextmanager
def final_state(
    status: StatusFile | None, protocol: Protocol, on_error: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Record the reason of an early end in the status file and re-raise; an existing final state is kept.

    Args:
        status: the lane's status file; `None` for a step that runs alone.
        protocol: receives the `status=blocked` line.
        on_error: called with the reason of every library error, to write further files.

    Raises:
        DependencyError: a package could not be imported.
    """
    try:
        with _imports():
            yield
    except VoicemillError as error:
        blocked = error.exit_code == 2
        with contextlib.suppress(StorageError):  # if the disk failed, report the first error
            _finish(status, "blocked" if blocked else "error", error.reason)
            if on_error:
                on_error(error.reason)
        if blocked:
            protocol.blocked(error.reason)
        raise
    except BaseException as error:  # a defect, or a second Ctrl-C: the status must not stay `running`
        with contextlib.suppress(StorageError):
            _finish(status, "error", f"internal_error:{type(error).__name__}")
        raise


@contextlib.contextmanager
def _imports() -> Iterator[None]:
    """Block the lane if a package cannot be imported; a missing module of voicemill is a defect."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "voicemill":
            raise
        raise missing_module(error) from error


def _finish(status: StatusFile | None, state: State, reason: str) -> None:
    if status is None:
        return
    status.take_over()
    if status.status.state == "running":
        status.update(state=state, reason=reason)
