"""How a lane's files and messages write paths and times."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from voicemill.settings import Settings


def shown(path: Path, settings: Settings) -> str:
    """A path for people: relative to the work directory or the repository, else its last two names."""
    from voicemill.bundle.places import portable

    absolute = path.absolute()
    base = (
        settings.workspace.work if absolute.is_relative_to(settings.workspace.work.absolute()) else settings.repository
    )
    return portable(path, base)


def reachable(path: Path, settings: Settings) -> str:
    """A path for a later step: relative to the work directory, with `..` if it lies elsewhere."""
    return Path(os.path.relpath(path.absolute(), settings.workspace.work.absolute())).as_posix()


def now() -> str:
    """The current time as RFC 3339."""
    return rfc3339(datetime.now(UTC))


def rfc3339(moment: datetime) -> str:
    """A moment in UTC as RFC 3339."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
