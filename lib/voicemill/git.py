"""Git commands on a checkout. They never ask for a password, and Ctrl-C does not reach them."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path


class GitError(Exception):
    """Git is missing, took too long or failed; the message is the last line of its stderr."""


def run(repository: Path, *arguments: str, seconds: float | None = None) -> str:
    """Run one git command in `repository` and return its stdout.

    Args:
        repository: the checkout.
        arguments: the command and its arguments.
        seconds: time limit; none by default.

    Raises:
        GitError: git is missing, timed out or failed.
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
        raise GitError((done.stderr.strip().splitlines() or ["git printed no error message"])[-1])
    return done.stdout


def unknown_head(repository: Path) -> str | None:
    """Git's reason why the commit of a checkout is unknown; None outside a checkout."""
    if (repository / ".git").exists():
        try:
            run(repository, "rev-parse", "HEAD", seconds=10.0)
        except GitError as error:
            return str(error)
    return None


def head_commit(repository: Path, baked: str | None = None) -> str:
    """The checkout's HEAD (40 hex digits), else the commit baked into the image, else `unknown`."""
    if (repository / ".git").exists():
        with contextlib.suppress(GitError):
            return run(repository, "rev-parse", "HEAD", seconds=10.0).strip()
    return baked or "unknown"
