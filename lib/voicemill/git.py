"""What git says of a checkout. It asks nobody for a password, and hears no Ctrl-C that is meant for us."""

from __future__ import annotations

import subprocess
from pathlib import Path


class GitError(Exception):
    """git is not there, took too long or refused; the message is the last thing that it said."""


def ask(repository: Path, *arguments: str, seconds: float | None = None) -> str:
    """Stdout of one git command in `repository`.

    Args:
        repository: where git looks.
        arguments: the command and its own arguments.
        seconds: that it may take; default any time.

    Raises:
        GitError: see there.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(str(error)) from error
    if done.returncode != 0:
        raise GitError((done.stderr.strip().splitlines() or ["it gave no reason"])[-1])
    return done.stdout
