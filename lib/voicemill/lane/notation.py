"""How a lane's files and messages write paths, times and versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from voicemill.settings import Settings


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that train."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package, distribution in (
        ("torch", "torch"),
        ("nemo", "nemo-toolkit"),
        ("lightning", "lightning"),
        ("numpy", "numpy"),
    ):
        try:
            found[package] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def shown(path: Path, settings: Settings) -> str:
    """A path for people: relative to the work directory or the repository, else its last two names."""
    from voicemill.bundle.places import portable

    absolute = path.absolute()
    base = (
        settings.workspace.work if absolute.is_relative_to(settings.workspace.work.absolute()) else settings.repository
    )
    return portable(path, base)


def own_path(settings: Settings) -> str:
    """The path of the training status as it was given, or relative to the work directory."""
    given = settings.paths.training_status_given
    return shown(settings.paths.training_status, settings) if given is None else given.as_posix()


def reachable(path: Path, settings: Settings) -> str:
    """A path for a later step: relative to the work directory, with `..` if it lies elsewhere."""
    return Path(os.path.relpath(path.absolute(), settings.workspace.work.absolute())).as_posix()


def now() -> str:
    """The current time as RFC 3339."""
    return rfc3339(datetime.now(UTC))


def rfc3339(moment: datetime) -> str:
    """A moment in UTC as RFC 3339."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
