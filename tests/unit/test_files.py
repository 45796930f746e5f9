from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill import atomic, files
from voicemill.errors import StorageError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values)
def test_json_written_is_read_back_the_same(value: object) -> None:
    assert files.parse_json(files.dump_json(value).encode("utf-8", "surrogatepass")) == value


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused_with_a_reason(data: bytes) -> None:
    with contextlib.suppress(files.InvalidJsonError):  # any other error fails the test
        files.parse_json(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a": 1, "a": 2}', "duplicate key"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e999]", "out of range"),
        (b"[" * 200_000, "nested deeper"),
        (b"[" + b"1" * 5000 + b"]", "digits"),
        (b"\xff", "not UTF-8"),
        (b"{", "Expecting"),
        (b"[" + b" " * 100, "exceed"),
        (b'"a\x00b"', "control character"),
        (b'["a\tb"]', "control character"),
        (b'{"a": ["\\ud83d"]}', "surrogate"),
        (b'{"\\uDE00": 1}', "surrogate"),
    ],
)
def test_bad_json_is_refused_and_named(data: bytes, words: str) -> None:
    with pytest.raises(files.InvalidJsonError, match=words):
        files.parse_json(data, max_bytes=90 if words == "exceed" else 10**6)


def test_brackets_in_strings_are_no_depth_and_pairs_of_surrogates_are_characters() -> None:
    assert files.parse_json(b'{"' + b"[" * 200 + b'": "\\"[[", "b": "\\ud83d\\ude00"}')["b"] == "\U0001f600"


def test_a_pipe_never_makes_a_reader_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        files.read_json(tmp_path / "pipe")


def test_dump_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.dump_json({"loss": float("nan")})


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "status.json"
    files.write_json(target, {"n": 1})

    def write_half() -> None:
        with files.atomic_path(target) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError) as caught:
        write_half()
    assert caught.value.code == "disk_full"
    assert json.loads(target.read_text()) == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_directory_replaces_the_old_one_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with files.atomic_directory(target) as staging:
        (staging / "a").write_text("first")

    def fail() -> None:
        with files.atomic_directory(target) as staging:
            (staging / "a").write_text("second")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert (target / "a").read_text() == "first"
    with files.atomic_directory(target) as staging:
        (staging / "b").write_text("third")
    assert sorted(path.name for path in target.iterdir()) == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_leftovers_of_a_killed_process_are_swept_and_an_old_folder_comes_back(tmp_path: Path) -> None:
    (tmp_path / ".bundle.voicemill-was-abcdefgh" / "bundle").mkdir(parents=True)
    (tmp_path / ".bundle.voicemill-was-abcdefgh" / "bundle" / "a").write_text("old")
    (tmp_path / ".bundle.voicemill-01234567").mkdir()
    (tmp_path / ".status.json.voicemill-0123456_.tmp").write_text("half")
    others = [".bundle.voicemill-x", ".other.tmp", "bundle.voicemill-01234567"]
    for name in others:
        (tmp_path / name).write_text("not ours")
    atomic.sweep(tmp_path)
    assert (tmp_path / "bundle" / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["bundle", *others])


def test_temporary_files_of_a_living_process_are_not_swept(tmp_path: Path) -> None:
    lib = Path(atomic.__file__).parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(lib)!r}); from pathlib import Path; from voicemill import files\n"
        "with files.atomic_directory(Path('bundle')) as staging:\n"
        "    (staging / 'a').write_text('made'); print('ready', flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
        atomic.sweep(tmp_path)
        maker.communicate("go on\n", timeout=60)
    assert maker.returncode == 0
    assert (tmp_path / "bundle" / "a").read_text() == "made"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("when", ["before it is opened", "before it is locked"])
@pytest.mark.parametrize("claim", [atomic.claim_file, atomic.claim_folder])
def test_a_temporary_name_that_another_process_sweeps_at_once_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim: Callable[[Path], atomic.Claim], when: str
) -> None:
    swept: list[str] = []
    real = os.open

    def opened(path: str | Path, flags: int, *mode: int, **more: int) -> int:
        found = [one for one in tmp_path.iterdir() if ".voicemill-" in one.name]
        if flags != os.O_RDONLY or swept or Path(path) not in found:
            return real(path, flags, *mode, **more)
        if when == "before it is locked":
            descriptor = real(path, flags)
        swept.append(Path(path).name)
        found[0].rmdir() if found[0].is_dir() else found[0].unlink()
        return descriptor if when == "before it is locked" else real(path, flags)

    monkeypatch.setattr(os, "open", opened)
    made = claim(tmp_path / "out")
    assert len(swept) == 1
    assert made.path.exists()
    assert made.path.name != swept[0]
    made.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_that_cannot_be_flushed_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    if not exchange:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    for target in (tmp_path / "new", tmp_path / "old"):
        made = tmp_path / "made"
        made.mkdir()
        if target.name == "old":
            target.mkdir()
            (target / "a").write_text("old")
        with monkeypatch.context() as patch:
            patch.setattr(atomic, "fsync_directory", fail)
            with pytest.raises(OSError, match="Input/output"):
                atomic.publish(made, target)
        assert target.exists() == (target.name == "old")
        made.rmdir()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old" / "a").read_text() == "old"


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(StorageError) as caught:
        files.write_text(tmp_path / "x", "text")
    assert caught.value.code == "not_writable"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def _kinds(folder: Path) -> dict[str, Path]:
    """Output paths that are no regular files, by kind."""
    (folder / "file").write_text("before")
    (folder / "link").symlink_to(folder / "file")
    (folder / "dangling").symlink_to(folder / "later")
    (folder / "null").symlink_to("/dev/null")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return {name: folder / name for name in ("link", "dangling", "null", "pipe", "socket")}


def test_publishing_replaces_regular_files_only(tmp_path: Path) -> None:
    paths = _kinds(tmp_path)
    kinds = {name: path.lstat().st_mode for name, path in paths.items()}
    for name in ("link", "dangling", "null"):
        files.write_text(paths[name], "after")
    assert (tmp_path / "file").read_text() == (tmp_path / "later").read_text() == "after"
    for name in ("pipe", "socket"):
        with pytest.raises(StorageError) as caught:
            files.write_text(paths[name], "after")
        assert caught.value.code == "not_writable"
    (tmp_path / "made").write_text("made")
    for name in paths:
        with pytest.raises(StorageError):
            files.publish_file(tmp_path / "made", paths[name])
    assert {name: path.lstat().st_mode for name, path in paths.items()} == kinds
    assert (tmp_path / "made").read_text() == "made"


def test_a_pipe_with_a_reader_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_text(pipe, "hello")
        assert os.read(reader, 100) == b"hello"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_full_device_is_a_full_disk_and_stays(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.is_char_device() or not os.access(full, os.W_OK):
        pytest.skip("no /dev/full on this system")
    with pytest.raises(StorageError) as caught:
        files.write_text(full, "x")
    assert caught.value.code == "disk_full"
    assert full.is_char_device()


@pytest.mark.parametrize("kind", ["zero", "pipe", "folder", "sparse"])
def test_a_whole_file_is_read_only_within_its_bound(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "named"
    if kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as handle:
            handle.truncate(300 * 10**9)
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is compared
        files.read_whole(path, 1000)
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert caught.value.filename == str(path)
    assert caught.value.errno == {"folder": errno.EISDIR, "sparse": errno.EFBIG}.get(kind, errno.EINVAL)


def test_a_file_of_exactly_the_bound_is_read(tmp_path: Path) -> None:
    (tmp_path / "named").write_bytes(b"x" * 1000)
    assert files.read_whole(tmp_path / "named", 1000) == b"x" * 1000
