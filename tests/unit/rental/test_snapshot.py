"""What of a checkout would go to a rented machine, in real repositories."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from voicemill import files
from voicemill.errors import RefusedError, StorageError
from voicemill_rental import snapshot
from voicemill_rental.console import Console
from voicemill_rental.snapshot import Snapshot

TALK = Console()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a").write_text("one")
    for command in (["init", "-q"], ["add", "a"], ["commit", "-qm", "One"]):
        subprocess.run(
            ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org", *command], check=True
        )
    return root


def test_the_snapshot_is_the_commit(repository: Path) -> None:
    found = snapshot.take(repository, TALK)
    assert found.recorded == found.commit == found.tree
    with snapshot.packed(repository, found) as (path, digest):
        assert digest == files.sha256_file(path)
        with tarfile.open(path) as archive:
            assert archive.getnames() == ["a"]
    assert not path.exists()


def test_an_index_that_git_cannot_read_is_no_clean_tree(repository: Path) -> None:
    (repository / "a").write_text("two")
    (repository / ".git/index").write_bytes(b"broken")
    with pytest.raises(RefusedError) as caught:
        snapshot.take(repository, TALK)
    assert caught.value.reason == "not_a_checkout"
    assert "index" in str(caught.value)


def test_a_snapshot_that_cannot_be_packed_is_told(repository: Path) -> None:
    with pytest.raises(StorageError) as caught, snapshot.packed(repository, Snapshot("0" * 40, "0" * 40)):
        pass
    assert caught.value.code == "not_writable"
