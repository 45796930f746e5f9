"""The files of a folder: read without following links, hashed through the descriptor that was checked."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import TypeVar

from voicemill import path_names
from voicemill.errors import BundleFileError, StorageError
from voicemill.files import regular_reader
from voicemill.workers import usable_cores

MAX_ENTRIES = 10_000
"""A bundle has a handful of files; a folder with more entries is refused before it is walked further."""
GRAPH, LEXICON = "voice.onnx", "lexicon.txt"
"""The voice as one ONNX graph, and its pronunciations."""
SAMPLE = "sample.wav"
SAMPLE_CREDENTIALS = "sample.c2pa"
"""Signed metadata of the sample, beside the bundle's folder: it differs each time, and the bundle must not."""
OPINIONS = "opinions.json"
"""What listeners think of a voice, beside its bundle."""
STABILITY = "stability.json"
"""File name of the figures of stability, beside the bundle's folder as the certificate is."""
CERTIFICATE = "certificate.json"
"""The verdict on a bundle, beside its folder."""
BLOCK_BYTES = 1 << 20
_IRREGULAR = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR)
"""Errors of opening a link, a link or file in place of a folder, a socket."""


Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, and modification time and inode change time; programs cannot set the last one."""


@dataclass(frozen=True, order=True)
class Digest:
    """Size and sha256 of one file of a folder; `stamp` identifies the file that was hashed."""

    path: str
    bytes: int
    sha256: str
    stamp: Stamp | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Listing:
    """The entries of a folder tree: regular files, folders, and others (links, pipes, devices)."""

    regular: tuple[str, ...]
    folders: tuple[str, ...]
    irregular: tuple[str, ...]


def walk(root: Path) -> Listing:
    """List a folder recursively; links are not followed, names come as POSIX paths relative to it, sorted.

    Raises:
        BundleFileError: `unsafe_path` when it holds more than `MAX_ENTRIES` entries.
        StorageError: `not_readable`.
    """
    try:
        return _walk(root)
    except OSError as error:
        raise StorageError.unreadable(error, error.filename or root) from error


def _walk(root: Path) -> Listing:
    regular: list[str] = []
    folders: list[str] = []
    irregular: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                    folders.append(name)
                elif entry.is_file(follow_symlinks=False):
                    regular.append(name)
                else:
                    irregular.append(name)
                if len(regular) + len(irregular) + len(folders) > MAX_ENTRIES:
                    raise BundleFileError(
                        f"{root} holds more than {MAX_ENTRIES} entries.",
                        reason="unsafe_path",
                        hint="This is not a voice bundle.",
                    )
    return Listing(tuple(sorted(regular)), tuple(sorted(folders)), tuple(sorted(irregular)))


def check_paths(paths: Iterable[str]) -> None:
    """Refuse lists of paths that could mean two things on some system.

    Raises:
        BundleFileError: `unsafe_path` for a path that leaves the folder, is not a relative POSIX path, is the
            manifest itself, or equals or contains another one after case folding and Unicode normalisation.
    """
    seen: dict[str, str] = {}
    for path in paths:
        try:
            path_names.portable_relative(path)
        except ValueError as error:
            raise _unsafe(path, str(error)) from error
        key = folded(path)
        if key == "manifest.json":
            raise _unsafe(path, "the manifest cannot list itself")
        if key in seen:
            raise _unsafe(path, f"it collides with {seen[key]!r} on some systems")
        seen[key] = path
    for key, path in seen.items():
        for parent in PurePosixPath(key).parents:
            if str(parent) in seen:
                raise _unsafe(path, f"{seen[str(parent)]!r} is listed as a file")


def folded(path: str) -> str:
    """The form in which two names count as the same: compatibility-normalised and case-folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _unsafe(path: str, why: str) -> BundleFileError:
    shown = path.encode("unicode_escape").decode("ascii")[:200]
    return BundleFileError(
        f"The path {shown!r} is not safe in a bundle: {why}.",
        reason="unsafe_path",
        path=shown,
        hint="Build the bundle again; do not use it as it is.",
    )


@contextlib.contextmanager
def open_regular(root: Path, relative: str) -> Iterator[BufferedReader]:
    """Open a regular file below `root` for reading; no component below `root` may be a link, and a FIFO never blocks.

    Raises:
        BundleFileError: `unsafe_path`, `required_file_missing`, `not_a_regular_file`.
        StorageError: `not_readable`.
    """
    try:
        parts = path_names.safe_relative(relative).parts
    except ValueError as error:
        raise _unsafe(relative, str(error)) from error
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError.unreadable(error, root) from error
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError as error:
        raise BundleFileError(
            f"{relative} is not there.",
            reason="required_file_missing",
            path=relative,
            hint="Copy the bundle again, whole.",
        ) from error
    except OSError as error:
        if error.errno not in _IRREGULAR:
            raise StorageError.unreadable(error, root / relative) from error
        raise _irregular(relative) from error
    finally:
        os.close(folder)
    try:
        opened = regular_reader(descriptor, relative)
    except OSError as error:
        raise _irregular(relative) from error
    with opened as handle:
        yield handle


def read_regular(root: Path, relative: str, most: int) -> bytes:
    """The bytes of a small file, at most one more than `most`.

    Raises:
        BundleFileError: see `open_regular`.
        StorageError: `not_readable`.
    """
    with open_regular(root, relative) as handle:
        try:
            return handle.read(most + 1)
        except OSError as error:
            raise StorageError.unreadable(error, root / relative) from error


def _irregular(path: str) -> BundleFileError:
    return BundleFileError(
        f"{path} is not a regular file.",
        reason="not_a_regular_file",
        path=path,
        hint="A bundle holds plain files only: no links, pipes or devices.",
    )


def _stamp(handle: BufferedReader) -> Stamp:
    status = os.fstat(handle.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextlib.contextmanager
def open_unchanged(root: Path, digest: Digest) -> Iterator[BufferedReader]:
    """Open a file that was hashed before, and check before and after that it is the same, unmodified file.

    Raises:
        BundleFileError: see `open_regular`; `checksum_mismatch` when it was swapped or written since.
        StorageError: `not_readable`.
    """
    with open_regular(root, digest.path) as handle:
        _check_stamp(handle, digest.path, digest.stamp)
        yield handle
        _check_stamp(handle, digest.path, digest.stamp)


def _check_stamp(handle: BufferedReader, path: str, stamp: Stamp | None) -> None:
    if _stamp(handle) != stamp:
        raise BundleFileError(
            f"{path} was changed while it was being checked.",
            reason="checksum_mismatch",
            path=path,
            hint="Let nothing write into the bundle, and start again.",
        )


def digest_file(root: Path, relative: str, size: int | None = None) -> Digest:
    """Size and sha256 of one file, of exactly the bytes that were read.

    Args:
        root: the folder.
        relative: the file's path in it.
        size: the expected size; a file of another size is refused before it is hashed.

    Raises:
        BundleFileError: see `open_regular`; `checksum_mismatch` when it was written to meanwhile.
        StorageError: `not_readable`.
    """
    with open_regular(root, relative) as handle:
        stamp = _stamp(handle)
        found = os.fstat(handle.fileno()).st_size
        if size is not None and found != size:
            raise BundleFileError(
                f"{relative} has {found} bytes; the manifest lists {size}.",
                reason="bytes_mismatch",
                path=relative,
                hint="Build the bundle again; do not use this one.",
            )
        try:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise StorageError.unreadable(error, root / relative) from error
        _check_stamp(handle, relative, stamp)
        return Digest(relative, handle.tell(), digest, stamp)


def copy_checked(root: Path, relative: str, target: Path) -> Digest:
    """Copy one file to `target` (new) and digest the very bytes that were written.

    Raises:
        BundleFileError: see `open_regular`.
        StorageError: `not_readable`.
    """
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_regular(root, relative) as source, target.open("xb") as out:
        while block := _block(source, root / relative):
            digest.update(block)
            out.write(block)
            size += len(block)
    return Digest(relative, size, digest.hexdigest())


def _block(source: BufferedReader, path: Path) -> bytes:
    try:
        return source.read(BLOCK_BYTES)
    except OSError as error:
        raise StorageError.unreadable(error, path) from error


Item = TypeVar("Item")
Result = TypeVar("Result")


def for_each(items: Sequence[Item], work: Callable[[Item], Result]) -> list[Result]:
    """Run `work` over items in parallel (hashing releases the interpreter lock), results in the order given."""
    with ThreadPoolExecutor(max_workers=min(8, usable_cores())) as pool:
        return list(pool.map(work, items))
