"""Files that matter: atomic writes, streaming sha256, safe relative paths, strict JSON.

Invariant: a reader never meets a half-written file. A write goes to a temporary file in the same directory, is fsynced,
renamed over the target, and the directory is fsynced; on any failure the target is untouched and the temporary file
is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from voicemill.errors import StorageError

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Larger JSON is refused; our largest manifests are well below one megabyte."""
_NO_ROOM = 1024 * 1024
"""Bytes; a library that failed to write with less than this left met a full disk."""
MAX_JSON_DEPTH = 64
"""Deeper nesting is refused before the parser sees it."""


class InvalidJsonError(ValueError):
    """The bytes are not JSON that we accept: duplicate keys, NaN, absurd size or depth, or plain syntax."""


def fsync_directory(path: Path) -> None:
    """Make a rename in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_path(target: Path, *, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is fsynced and renamed over it, on failure removed.

    Args:
        target: the final path; its parent is made.
        suffix: end of the temporary name, for writers that look at it (`.wav`, `.nemo`).

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    temporary: Path | None = None
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            prefix = f".{target.name[:40]}."
            descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=suffix or ".tmp", dir=target.parent)
            os.close(descriptor)
            temporary = Path(name)
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
            fsync_directory(target.parent)
        except OSError as error:
            raise StorageError.from_os_error(error, target) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def library_writes(target: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Within, a library writes `target` and reports failure in its own words, as torch and libsndfile do.

    Args:
        target: the file, as the error is to name it.
        kinds: what the library raises when it cannot write.

    Raises:
        StorageError: `disk_full` when the disk has no room left, else `not_writable`.
    """
    try:
        yield
    except kinds as error:
        full = shutil.disk_usage(target.parent).free < _NO_ROOM
        because = OSError(errno.ENOSPC if full else errno.EIO, str(error).partition("\n")[0])
        raise StorageError.from_os_error(because, target) from error


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
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
    except InvalidJsonError:
        raise
    except ValueError as error:  # JSONDecodeError, and integers beyond Python's digit limit
        raise InvalidJsonError(str(error)) from error


def read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """`parse_json` of a file, never reading more than the limit.

    Raises:
        InvalidJsonError: see `parse_json`.
        OSError: the file cannot be read.
    """
    with path.open("rb") as handle:
        return parse_json(handle.read(max_bytes + 1), max_bytes=max_bytes)


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
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise InvalidJsonError(f"nested deeper than {MAX_JSON_DEPTH}")
        elif character in "]}":
            depth -= 1


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


def safe_relative(path: str) -> PurePosixPath:
    """Accept a relative POSIX path that stays inside its folder on every system, or raise ValueError saying why."""
    if not path or len(path) > 1024:
        raise ValueError("empty or too long")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ValueError("control character")
    if "\\" in path or path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        raise ValueError("not a relative POSIX path")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("empty, '.' or '..' component")
    if unicodedata.normalize("NFC", path) != path:
        raise ValueError("not in Unicode normal form C")
    return PurePosixPath(path)


def copy_file(source: Path, target: Path) -> None:
    """Copy a regular file atomically."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary, follow_symlinks=False)


@contextlib.contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield an empty staging folder beside `target`; on success it replaces `target`, on failure it is removed.

    Where the system can, old and new folder change places in one step, so that a kill at any moment leaves one of
    them whole under the name. Elsewhere the old folder is moved aside first, and moved back if the second step
    fails. A staging folder that a kill left behind is swept at the next call.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_staging(target)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.staging-", dir=target.parent))
        staging.chmod(0o777 & ~_umask())
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error
    try:
        yield staging
        for path in sorted(staging.rglob("*")):
            if path.is_file():
                with path.open("rb") as handle:
                    os.fsync(handle.fileno())
            elif path.is_dir():
                fsync_directory(path)
        fsync_directory(staging)
        _exchange(staging, target)
        fsync_directory(target.parent)
    except OSError as error:
        raise StorageError.from_os_error(error, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _exchange(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    if _swap(staging, target):
        return  # the old folder lies under the staging name now and goes with it
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    target.rename(aside / target.name)
    try:
        staging.rename(target)
    except OSError:
        (aside / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""Constants of Linux's renameat2(2)."""


def _swap(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; False where the system or the file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    flags = ctypes.c_uint(_RENAME_EXCHANGE)
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), flags) == 0)


def sweep_staging(target: Path) -> None:
    """Remove what a killed run left beside `target`; an old folder whose successor never arrived is put back."""
    if not target.parent.is_dir():
        return
    for left in target.parent.glob(f".{target.name}.old-*"):
        previous = left / target.name
        if previous.exists() and not target.exists():
            previous.rename(target)
        shutil.rmtree(left, ignore_errors=True)
    for left in target.parent.glob(f".{target.name}.staging-*"):
        shutil.rmtree(left, ignore_errors=True)
