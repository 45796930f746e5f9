"""RUN_GIT_SYNC=1 against a real remote: a bare repository on this disk."""

from __future__ import annotations

import subprocess

import pytest

from voicemill.errors import RefusedError
from voicemill_musicgen.git_sync import sync


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path):
    """A clone of a remote whose default branch is `trunk`, one commit behind it."""
    remote, author, mine = tmp_path / "remote.git", tmp_path / "author", tmp_path / "mine"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "trunk", str(remote)], check=True)
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(author)], check=True)
    git(author, "remote", "add", "origin", str(remote))
    (author / "a").write_text("1")
    git(author, "add", "a")
    git(author, "commit", "-qm", "One")
    git(author, "push", "-q", "origin", "trunk")
    subprocess.run(["git", "clone", "-q", str(remote), str(mine)], check=True)
    (author / "a").write_text("2")
    git(author, "commit", "-qam", "Two")
    git(author, "push", "-q", "origin", "trunk")
    return mine


def refused(folder):
    with pytest.raises(RefusedError) as caught:
        sync(folder)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (1, True)
    return caught.value.reason


def test_the_checkout_follows_the_remotes_branch(clone):
    (clone / "recording.wav").write_text("not known to git")
    git(clone, "checkout", "-q", "-b", "elsewhere")
    sync(clone)
    assert (clone / "a").read_text() == "2"
    assert git(clone, "rev-parse", "--abbrev-ref", "HEAD") == "trunk"
    head = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "-q", "--detach", "HEAD~1")
    sync(clone)
    assert git(clone, "rev-parse", "HEAD") == head


def test_changes_are_never_lost(clone):
    (clone / "a").write_text("mine")
    assert refused(clone) == "dirty_tree"
    assert (clone / "a").read_text() == "mine"
    git(clone, "add", "a")
    assert refused(clone) == "dirty_tree"
    git(clone, "commit", "-qm", "Mine")
    assert refused(clone) == "git_sync_failed:pull", "the histories have parted"
    assert (clone / "a").read_text() == "mine"


def test_what_cannot_be_reached(clone, tmp_path):
    assert refused(tmp_path) == "not_a_checkout"
    git(clone, "remote", "set-url", "origin", str(tmp_path / "gone.git"))
    assert refused(clone) == "git_sync_failed:fetch"
