from __future__ import annotations

import os
import socket

import pytest

from voicemill.bundle import contents
from voicemill.errors import BundleFileError


def test_walk_follows_nothing(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / "link").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    listing = contents.walk(tmp_path)
    assert listing == contents.Listing(("a/b/file",), ("a", "a/b"), ("link", "pipe"))


def test_walk_gives_up_on_folders_that_are_no_bundles(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "MAX_ENTRIES", 3)
    for number in range(5):
        (tmp_path / str(number)).write_text("")
    with pytest.raises(BundleFileError):
        contents.walk(tmp_path)


def test_a_socket_is_no_file_and_nothing_blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        os.mkfifo("pipe")
        for name in ("socket", "pipe"):
            with pytest.raises(BundleFileError) as caught:
                contents.digest_file(tmp_path, name)
            assert caught.value.code == "not_a_regular_file"


def test_a_file_swapped_after_opening_is_still_the_one_that_was_opened(tmp_path):
    (tmp_path / "f").write_bytes(b"first")
    with contents.open_regular(tmp_path, "f") as handle:
        (tmp_path / "g").write_bytes(b"second")
        os.replace(tmp_path / "g", tmp_path / "f")
        assert handle.read() == b"first"


def test_names_that_are_the_same_on_some_system():
    for one, other in (("a.nemo", "A.nemo"), ("stra\u00dfe", "STRASSE"), ("\u00e9", "\u00c9"), ("\ufb01x", "fix")):
        with pytest.raises(BundleFileError):
            contents.check_paths([one, other])
    contents.check_paths(["a", "b", "c/d", "c/e"])
