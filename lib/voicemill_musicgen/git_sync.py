"""RUN_GIT_SYNC=1: update the checkout to the remote's default branch first. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

from voicemill import git
from voicemill.errors import RefusedError
from voicemill.git import GitError

REMOTE = "origin"
_TIMEOUT = 300
"""Timeout of one git command, in seconds."""


def sync(repository: Path) -> None:
    """Fetch, check out and pull (fast-forward only). Untracked files are allowed; git never overwrites them.

    Raises:
        RefusedError: `not_a_checkout`, `dirty_tree`, `git_sync_failed:<fetch|checkout|pull>`.
    """
    if not (repository / ".git").exists():
        raise RefusedError(
            f"{repository} is not a git checkout, so it cannot be updated.",
            reason="not_a_checkout",
            hint="Clone the repository, or unset RUN_GIT_SYNC.",
        )
    if _git(repository, "fetch", "status", "--porcelain", "--untracked-files=no"):
        raise RefusedError(
            "The working tree has changes that a checkout could overwrite.",
            reason="dirty_tree",
            hint="Commit or stash them, or unset RUN_GIT_SYNC.",
        )
    named = re.match(r"ref: refs/heads/(\S+)\s", _git(repository, "fetch", "ls-remote", "--symref", REMOTE, "HEAD"))
    branch = named[1] if named else "main"
    _git(repository, "fetch", "fetch", "--quiet", REMOTE)
    _git(repository, "checkout", "checkout", "--quiet", branch)
    _git(repository, "pull", "pull", "--quiet", "--ff-only", REMOTE, branch)


def _git(repository: Path, step: str, *arguments: str) -> str:
    try:
        return git.run(repository, *arguments, seconds=_TIMEOUT)
    except GitError as error:
        raise RefusedError(
            f"git {arguments[0]} failed: {error}.",
            reason=f"git_sync_failed:{step}",
            hint="Run the command by hand to see the cause, or unset RUN_GIT_SYNC.",
        ) from error
