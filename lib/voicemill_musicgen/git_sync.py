"""RUN_GIT_SYNC=1: bring the checkout to the remote's default branch before anything else. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

from voicemill import git
from voicemill.errors import RefusedError
from voicemill.git import GitError

REMOTE = "origin"
_TIMEOUT = 300
"""Seconds for one git command."""


def sync(repository: Path) -> None:
    """Fetch, check out and pull (fast-forward only). Files that git does not know may lie about; it never replaces one.

    Raises:
        RefusedError: `not_a_checkout`, `dirty_tree`, `git_sync_failed:<fetch|checkout|pull>`.
    """
    if not (repository / ".git").exists():
        raise RefusedError(
            f"{repository} is not a git checkout, so it cannot be brought up to date.",
            reason="not_a_checkout",
            hint="Clone the repository, or unset RUN_GIT_SYNC.",
        )
    if _git(repository, "fetch", "status", "--porcelain", "--untracked-files=no"):
        raise RefusedError(
            "The working tree has changes, which a checkout could lose.",
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
            hint="Do it by hand to see why, or unset RUN_GIT_SYNC.",
        ) from error
