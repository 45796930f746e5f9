"""The code at one commit, as a tar: what the rented machine gets. Only what git tracks is in it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemill import files, git
from voicemill.errors import RefusedError
from voicemill.git import GitError
from voicemill_rental.console import Talk


@dataclass(frozen=True)
class Snapshot:
    """A commit and, where the person allowed it, what was changed since.

    Attributes:
        commit: 40 hex digits: HEAD.
        tree: what is sent: HEAD, or a commit of git's that holds the changed files too.
    """

    commit: str
    tree: str

    @property
    def recorded(self) -> str:
        """The commit that manifests made there record: none, when the code is no commit's."""
        return self.commit if self.tree == self.commit else "unknown"


def take(repository: Path, talk: Talk, *, allow_dirty: bool = False) -> Snapshot:
    """See what would be sent.

    What git cannot say is never taken for a clean tree.

    Raises:
        RefusedError: `not_a_checkout`, `dirty_tree`, `secret_in_git`.
    """
    try:
        return _taken(repository, talk, allow_dirty=allow_dirty)
    except GitError as error:
        raise RefusedError(
            f"The rented machine gets the code of a commit, and git knows none here: {error}.",
            reason="not_a_checkout",
            hint="Clone the repository with git, or mend what git complains of.",
        ) from error


def _taken(repository: Path, talk: Talk, *, allow_dirty: bool) -> Snapshot:
    commit = git.run(repository, "rev-parse", "--verify", "HEAD").strip()
    if git.run(repository, "ls-files", "--", ".env", "*/.env"):
        raise RefusedError(
            "A file .env is in git, and would go to the rented machine.",
            reason="secret_in_git",
            hint="git rm --cached .env, commit, and make new keys: the old ones are in the history.",
        )
    changed = git.run(repository, "status", "--porcelain")
    if not changed:
        return Snapshot(commit, commit)
    if not allow_dirty:
        raise RefusedError(
            f"The working tree has changes, so commit {commit[:8]} is not what you see.",
            reason="dirty_tree",
            hint="Commit them, or send the changed files as they are with --allow-dirty.",
        )
    left = sum(line.startswith("??") for line in changed.splitlines())
    if left:
        talk.say(f"{left} files that git does not track are not sent.")
    return Snapshot(commit, git.run(repository, "stash", "create").strip() or commit)


@contextlib.contextmanager
def packed(repository: Path, snapshot: Snapshot) -> Iterator[tuple[Path, str]]:
    """A tar of the snapshot and its sha256, while the block lasts.

    Raises:
        StorageError: it cannot be written; `disk_full` where there is no room for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-") as folder:
        path = Path(folder) / "code.tar"
        with files.library_writes(path, GitError):
            git.run(repository, "archive", "--format=tar", "--output", str(path), snapshot.tree)
        yield path, files.sha256_file(path)


def tracked(repository: Path, path: Path) -> bool:
    """True when something at or below `path` is in git, and so goes with the code."""
    try:
        return bool(git.run(repository, "ls-files", "--", str(path)))
    except GitError:
        return False
