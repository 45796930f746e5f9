"""The code of one commit as a tar for the rented machine; it contains tracked files only."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemill import files, git
from voicemill.errors import RefusedError
from voicemill.git import GitError
from voicemill_rental.console import Console


@dataclass(frozen=True)
class Snapshot:
    """A commit and, with --allow-dirty, the changes since.

    Attributes:
        commit: HEAD, 40 hex digits.
        tree: the commit that is sent: HEAD, or a stash commit that includes the changed files.
    """

    commit: str
    tree: str

    @property
    def recorded(self) -> str:
        """The commit for manifests written on the instance; `unknown` if the code differs from the commit."""
        return self.commit if self.tree == self.commit else "unknown"


def take(repository: Path, console: Console, *, allow_dirty: bool = False) -> Snapshot:
    """The code to send; a failing git command never counts as a clean tree.

    Raises:
        RefusedError: `not_a_checkout`, `dirty_tree`, `secret_in_git`.
    """
    try:
        return _take(repository, console, allow_dirty=allow_dirty)
    except GitError as error:
        raise RefusedError(
            f"The rented machine gets the code of a commit, and git found none here: {error}.",
            reason="not_a_checkout",
            hint="Clone the repository with git, or fix the error that git reports.",
        ) from error


def _take(repository: Path, console: Console, *, allow_dirty: bool) -> Snapshot:
    commit = git.run(repository, "rev-parse", "--verify", "HEAD").strip()
    if git.run(repository, "ls-files", "--", ".env", "*/.env"):
        raise RefusedError(
            "A file .env is tracked by git and would be sent to the rented machine.",
            reason="secret_in_git",
            hint="Run git rm --cached .env, commit, and create new keys: the old ones are in the history.",
        )
    changed = git.run(repository, "status", "--porcelain")
    if not changed:
        return Snapshot(commit, commit)
    if not allow_dirty:
        raise RefusedError(
            f"The working tree has changes, so commit {commit[:8]} does not match it.",
            reason="dirty_tree",
            hint="Commit them, or send the changed files as they are with --allow-dirty.",
        )
    left = sum(line.startswith("??") for line in changed.splitlines())
    if left:
        console.info(f"{left} untracked files are not sent.")
    return Snapshot(commit, git.run(repository, "stash", "create").strip() or commit)


@contextlib.contextmanager
def packed(repository: Path, snapshot: Snapshot) -> Iterator[tuple[Path, str]]:
    """Yield a temporary tar of the snapshot and its sha256.

    Raises:
        StorageError: it cannot be written; `disk_full` if the temporary folder is full.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-") as folder:
        path = Path(folder) / "code.tar"
        with files.library_writes(path, GitError):
            git.run(repository, "archive", "--format=tar", "--output", str(path), snapshot.tree)
        yield path, files.sha256_file(path)


def tracked(repository: Path, path: Path) -> bool:
    """Whether git tracks a file at or below `path`, so that it is sent with the code."""
    try:
        return bool(git.run(repository, "ls-files", "--", str(path)))
    except GitError:
        return False
