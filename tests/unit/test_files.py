from __future__ import annotations

import contextlib
import errno
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill import files
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
    ],
)
def test_bad_json_is_refused_and_named(data: bytes, words: str) -> None:
    with pytest.raises(files.InvalidJsonError, match=words):
        files.parse_json(data, max_bytes=90 if words == "exceed" else 10**6)


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


def test_leftovers_of_a_killed_exchange_are_swept_and_the_old_folder_comes_back(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    (tmp_path / ".bundle.old-x" / "bundle").mkdir(parents=True)
    (tmp_path / ".bundle.old-x" / "bundle" / "a").write_text("old")
    (tmp_path / ".bundle.staging-y").mkdir()
    files.sweep_staging(target)
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\\b", "C:x", "a\nb", "e\u0301", "a/", "x" * 2000]
)
def test_unsafe_relative_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        files.safe_relative(path)


def test_safe_relative_paths_pass() -> None:
    assert files.safe_relative("clips/été-1.wav").as_posix() == "clips/été-1.wav"
