"""Atomic writes, streaming sha256 and strict JSON.

Invariant: a reader never sees a half-written file. A write goes to a temporary file in the same directory, is fsynced
and renamed over the target, and the directory is fsynced; on any failure the target is unchanged and the temporary file
is removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from voicemill import atomic
from voicemill.errors import StorageError

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Larger JSON is refused; our largest manifests are well below one megabyte."""
_DISK_FULL_BELOW = 1024 * 1024
"""Bytes; when a library fails to write and less than this is free, the disk counts as full."""
MAX_JSON_DEPTH = 64
"""Deeper nesting is refused before the parser sees it."""
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class InvalidJsonError(ValueError):
    """The bytes are not acceptable JSON: duplicate keys, NaN, excessive size or depth, or a syntax error."""


@contextlib.contextmanager
def atomic_path(target: Path, *, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is fsynced and renamed over it, on failure removed.

    Args:
        target: the final path; its parent is created. A link is followed; a device or pipe is written to and stays.
        suffix: end of the temporary name, for writers that depend on it (`.wav`, `.nemo`).

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    claim: atomic.Claim | None = None
    if _is_stream(target):
        with tempfile.TemporaryDirectory(prefix="voicemill-output-") as folder:
            temporary = Path(folder) / f"output{suffix}"
            temporary.touch()
            yield temporary
            _write_through(temporary, target)
        return
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            claim = atomic.claim_file(target, suffix)
            yield claim.path
            with claim.path.open("rb") as handle:
                os.fsync(handle.fileno())
            claim.path.chmod(0o666 & ~_umask())
            atomic.publish(claim.path, target)
        except OSError as error:
            raise StorageError.from_os_error(error, target) from error
    finally:
        if claim is not None:
            claim.release()


def _is_stream(target: Path) -> bool:
    """Whether a path names a character device or a pipe, perhaps through a link."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _write_through(made: Path, target: Path) -> None:
    """Copy a finished file into a device or pipe; a pipe without a reader is refused at once.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as out, made.open("rb") as source:
            shutil.copyfileobj(source, out)
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error


def publish_file(made: Path, target: Path) -> None:
    """Rename a finished file beside `target`, such as a download, to `target`, durably.

    It never has one of our temporary names: only files of `atomic_path` are locked, and another process would sweep it.

    Raises:
        StorageError: it cannot be renamed; `target` is unchanged.
    """
    try:
        with made.open("rb") as handle:
            os.fsync(handle.fileno())
        atomic.publish(made, target)
        made.unlink(missing_ok=True)  # the previous file
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error


@contextlib.contextmanager
def library_writes(target: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Translate the errors of a library that writes `target`, such as torch or libsndfile.

    Args:
        target: the file, as the error names it.
        kinds: exceptions that the library raises when it cannot write.

    Raises:
        StorageError: `disk_full` when the disk is full, otherwise `not_writable`.
    """
    try:
        yield
    except kinds as error:
        full = shutil.disk_usage(target.parent).free < _DISK_FULL_BELOW
        cause = OSError(errno.ENOSPC if full else errno.EIO, str(error).partition("\n")[0])
        raise StorageError.from_os_error(cause, target) from error


def ensure_space(folder: Path, needed: int, purpose: str) -> None:
    """Refuse work whose result does not fit on the disk, before its first byte is written.

    Args:
        folder: where the result goes; it exists.
        needed: bytes.
        purpose: what needs them, the subject of the message.

    Raises:
        StorageError: `disk_full`.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{purpose} needs {needed:,} bytes and the disk of {folder} has {free:,}.",
            reason=f"disk_full:{folder}",
            hint="Free some space, or set WORK_DIR to another folder, and start again.",
        )


def require_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be written; it need not exist yet.

    Raises:
        StorageError: `not_writable:<path>`, `disk_full:<path>`.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise StorageError.from_os_error(error, existing) from error


def require_writable_file(path: Path) -> None:
    """Refuse a file that cannot be written; it need not exist yet.

    Raises:
        StorageError: `not_writable:<path>`, `disk_full:<path>`.
    """
    if path.is_dir():
        raise StorageError.from_os_error(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), path)
    require_writable(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(target: Path, data: bytes) -> None:
    """Write `data` to `target` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8 to `target` atomically, newlines as given."""
    write_bytes(target, text.encode("utf-8"))


def dump_json(value: object) -> str:
    """The contract's JSON: two-space indent, sorted keys, non-ASCII unescaped, one trailing newline.

    Raises:
        ValueError: `value` holds NaN or Infinity.
    """
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(target: Path, value: object) -> None:
    """Write `value` in the contract's JSON form, atomically."""
    write_text(target, dump_json(value))


def parse_json(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Parse JSON strictly.

    Raises:
        InvalidJsonError: syntax, encoding, duplicate keys, NaN/Infinity, too large or too deep.
    """
    if len(data) > max_bytes:
        raise InvalidJsonError(f"{len(data)} bytes exceed the limit of {max_bytes}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJsonError(f"not UTF-8 at byte {error.start}") from error
    _check_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
    except InvalidJsonError:
        raise
    except ValueError as error:  # JSONDecodeError, and integers beyond Python's digit limit
        raise InvalidJsonError(str(error)) from error
    if _SURROGATE_ESCAPE.search(text):
        _check_characters(value)
    return value


def read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """`parse_json` of a file, never reading more than the limit.

    Raises:
        InvalidJsonError: see `parse_json`.
        OSError: the file cannot be read.
    """
    return parse_json(read_bounded(path, max_bytes), max_bytes=max_bytes)


def regular_reader(descriptor: int, path: Path | str) -> BufferedReader:
    """A reader of an open regular file; the descriptor of anything else, a folder too, is closed.

    Args:
        descriptor: open for reading, with O_NONBLOCK where it may be a pipe.
        path: for the error.

    Raises:
        OSError: it is no regular file (EISDIR, EINVAL).
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file, at most one more than `max_bytes`; it never waits for a pipe or device.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with regular_reader(os.open(path, os.O_RDONLY | os.O_NONBLOCK), path) as handle:
        return handle.read(max_bytes + 1)


def read_whole(path: Path, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """The bytes of a regular file, or an error if it holds more than `max_bytes`; the rest is never read.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger (EFBIG).
    """
    data = read_bounded(path, max_bytes)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes", str(path))
    return data


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise InvalidJsonError(f"duplicate key {key[:80]!r}")
        result[key] = value
    return result


def _refuse_constant(name: str) -> Any:
    raise InvalidJsonError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise InvalidJsonError(f"number out of range: {text[:40]}")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise InvalidJsonError(f"nested deeper than {MAX_JSON_DEPTH}")


def _check_characters(value: Any) -> None:
    """Refuse a lone surrogate, which UTF-8 cannot encode."""
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise InvalidJsonError("a string holds a lone surrogate")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_characters(key)
            _check_characters(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_characters(inner)


def sha256_file(path: Path) -> str:
    """Streaming sha256 of a file as 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_bytes(data: bytes) -> str:
    """sha256 of `data` as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def content_key(*parts: object) -> str:
    """A key for cache entries: sha256 over the canonical JSON of content digests and settings."""
    return sha256_bytes(json.dumps(parts, sort_keys=True, allow_nan=False, default=str).encode("utf-8"))


def copy_file(source: Path, target: Path) -> None:
    """Copy a regular file atomically."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary, follow_symlinks=False)


@contextlib.contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield an empty staging folder beside `target`; on success it replaces `target`, on failure it is removed.

    Where the system supports it, the old and the new folder are exchanged in one step, so that after a kill at any
    moment one of them is complete under the name. Elsewhere a kill between the two steps leaves the old folder aside,
    and the next call restores it. Leftovers of killed processes are removed by the next call.

    Raises:
        StorageError: the disk is full or cannot be written; nothing is published.
    """
    claim: atomic.Claim | None = None
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            claim = atomic.claim_folder(target)
            claim.path.chmod(0o777 & ~_umask())
            yield claim.path
            _flush_tree(claim.path)
            atomic.publish(claim.path, target)
        except OSError as error:
            raise StorageError.from_os_error(error, target) from error
    finally:
        if claim is not None:
            claim.release()


def _flush_tree(root: Path) -> None:
    for path in sorted(root.rglob("*")):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        elif path.is_dir():
            atomic.fsync_directory(path)
    atomic.fsync_directory(root)


def remove_directory(path: Path) -> None:
    """Remove a folder completely: it is moved away before a file is deleted, so that a kill leaves no part of it.

    Raises:
        StorageError: it cannot be removed.
    """
    claim: atomic.Claim | None = None
    try:
        claim = atomic.claim_folder(path)
        path.rename(claim.path / path.name)
        shutil.rmtree(claim.path)
    except OSError as error:
        raise StorageError.from_os_error(error, path) from error
    finally:
        if claim is not None:
            claim.release()
