from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from voicemill.bundle import contents
from voicemill.errors import BundleFileError, StorageError
from voicemill.files import sha256_bytes


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


def test_every_kind_of_entry_counts(tmp_path, monkeypatch):
    """Files, folders and others together, and the bound itself is allowed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("")
    (tmp_path / "link").symlink_to("file")
    monkeypatch.setattr(contents, "MAX_ENTRIES", 3)
    assert len(contents.walk(tmp_path).regular) == 1
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleFileError, match="more than 3 entries") as caught:
        contents.walk(tmp_path)
    assert caught.value.code == "unsafe_path"


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["manifest.json"], "cannot list itself"),
        (["MANIFEST.JSON"], "cannot list itself"),
        (["a", "a/b"], "'a' is listed as a file"),
        (["A/b/c", "a/B"], "'a/B' is listed as a file"),
        (["a\\b"], "the path 'a"),
        (["/a"], "path"),
    ],
)
def test_lists_that_could_mean_two_things(paths, why):
    with pytest.raises(BundleFileError, match="(?i)" + why.replace("\\", ".")) as caught:
        contents.check_paths(paths)
    assert caught.value.code == "unsafe_path"


def test_no_link_is_followed_below_the_root(tmp_path):
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "real/inner/file").write_bytes(b"x")
    (tmp_path / "linked").symlink_to("real")
    (tmp_path / "root").symlink_to("real")
    (tmp_path / "real/link").symlink_to("inner/file")
    os.mkfifo(tmp_path / "pipe")
    with contents.open_regular(tmp_path, "real/inner/file") as handle:
        assert handle.read() == b"x"
    with contents.open_regular(tmp_path / "root", "inner/file") as handle:
        assert handle.read() == b"x", "the root itself may be a link"
    for relative in ("linked/inner/file", "real/link", "real/inner", "real/inner/file/more", "pipe/file"):
        with pytest.raises(BundleFileError) as caught:
            contents.digest_file(tmp_path, relative)
        assert caught.value.code == "not_a_regular_file", relative
    for relative in ("none", "real/none", "none/file"):
        with pytest.raises(BundleFileError) as caught:
            contents.digest_file(tmp_path, relative)
        assert (caught.value.code, caught.value.path) == ("required_file_missing", relative)
    with pytest.raises(BundleFileError) as caught:
        contents.digest_file(tmp_path, "../x")
    assert caught.value.code == "unsafe_path"
    long = "x" * 300
    with pytest.raises(StorageError) as unreadable:
        contents.digest_file(tmp_path, long)
    assert unreadable.value.reason == f"not_readable:{tmp_path / long}"
    with pytest.raises(StorageError) as unreadable:
        contents.digest_file(tmp_path / "none", "file")
    assert unreadable.value.reason == f"not_readable:{tmp_path / 'none'}"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """The memory of a process is a regular file whose first page gives EIO."""
    root = Path(f"/proc/{os.getpid()}")
    reads = (
        lambda: contents.digest_file(root, "mem"),
        lambda: contents.read_regular(root, "mem", 10),
        lambda: contents.copy_checked(root, "mem", tmp_path / "new"),
    )
    for read in reads:
        with pytest.raises(StorageError) as caught:
            read()
        assert caught.value.reason == f"not_readable:{root / 'mem'}"
        (tmp_path / "new").unlink(missing_ok=True)


def test_a_copy_has_the_digest_and_the_size_of_its_bytes(tmp_path):
    data = bytes(range(256)) * 8192  # two blocks and a part
    (tmp_path / "f").write_bytes(data + b"end")
    found = contents.copy_checked(tmp_path, "f", tmp_path / "deep/er/copy")
    assert (tmp_path / "deep/er/copy").read_bytes() == data + b"end"
    whole = contents.digest_file(tmp_path, "f", len(data) + 3)
    assert (found.bytes, found.sha256) == (whole.bytes, whole.sha256) == (2**21 + 3, sha256_bytes(data + b"end"))
    assert contents.read_regular(tmp_path, "f", 5) == data[:6]
    with pytest.raises(BundleFileError) as caught:
        contents.digest_file(tmp_path, "f", 5)
    assert caught.value.code == "bytes_mismatch"
    with pytest.raises(FileExistsError):
        contents.copy_checked(tmp_path, "f", tmp_path / "deep/er/copy")


def test_a_file_that_grows_while_it_is_hashed_is_refused(tmp_path):
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.truncate(1 << 28)
    begun, ended = threading.Event(), threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not ended.is_set():
                file.write(b"x")
                begun.set()

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        assert begun.wait(10)
        with pytest.raises(BundleFileError) as caught:
            contents.digest_file(tmp_path, "f")
    finally:
        ended.set()
        growing.join()
    assert caught.value.code == "checksum_mismatch"


def test_a_file_must_stay_as_it_was_hashed(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"first")
    digest = contents.digest_file(tmp_path, "f")
    with contents.open_unchanged(tmp_path, digest) as handle:
        assert handle.read() == b"first"
    with pytest.raises(BundleFileError) as caught, contents.open_unchanged(tmp_path, digest):
        path.write_bytes(b"other")
    assert caught.value.code == "checksum_mismatch"
    with pytest.raises(BundleFileError) as caught, contents.open_unchanged(tmp_path, digest):
        pytest.fail("it was changed before")
    assert caught.value.code == "checksum_mismatch"
