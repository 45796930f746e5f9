"""What lies in a folder: read without following a link, hashed through the same descriptor that was checked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from voicemill import files
from voicemill.errors import BundleFileError

MAX_ENTRIES = 10_000
"""A bundle has a handful of files; a folder with more entries is refused before it is walked further."""
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, order=True)
class Digest:
    """Size and sha256 of one file of a folder."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """What a walk found: regular files, folders, and what has no place in a bundle (links, pipes, devices)."""

    regular: tuple[str, ...]
    folders: tuple[str, ...]
    irregular: tuple[str, ...]


def walk(root: Path) -> Listing:
    """List a folder recursively; links are not followed, names come as POSIX paths relative to it, sorted.

    Raises:
        BundleFileError: `unsafe_path` when it holds more than `MAX_ENTRIES` entries.
        OSError: it cannot be read.
    """
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
        BundleFileError: `unsafe_path` for a path that leaves the folder, is no relative POSIX path, is the manifest
        itself, or
            equals or contains another one after case folding and Unicode normalisation.
    """
    seen: dict[str, str] = {}
    for path in paths:
        try:
            files.safe_relative(path)
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
    """
    try:
        parts = files.safe_relative(relative).parts
    except ValueError as error:
        raise _unsafe(relative, str(error)) from error
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
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
    except (
        OSError
    ) as error:  # ELOOP for a link, ENOTDIR for a link or file where a folder should be, ENXIO for a socket
        raise _irregular(relative) from error
    finally:
        os.close(folder)
    with os.fdopen(descriptor, "rb") as handle:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _irregular(relative)
        yield handle


def _irregular(path: str) -> BundleFileError:
    return BundleFileError(
        f"{path} is not a regular file.",
        reason="not_a_regular_file",
        path=path,
        hint="A bundle holds plain files only: no links, pipes or devices.",
    )


def digest_file(root: Path, relative: str) -> Digest:
    """Size and sha256 of one file, of exactly the bytes that were read.

    Raises:
        BundleFileError: see `open_regular`.
    """
    with open_regular(root, relative) as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return Digest(relative, handle.tell(), digest)


def copy_checked(root: Path, relative: str, target: Path) -> Digest:
    """Copy one file to `target` (new) and digest the very bytes that were written.

    Raises:
        BundleFileError: see `open_regular`.
    """
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_regular(root, relative) as source, target.open("xb") as out:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            out.write(block)
            size += len(block)
    return Digest(relative, size, digest.hexdigest())


def for_each(paths: Iterable[str], work: Callable[[str], Digest]) -> list[Digest]:
    """Run `work` over files in parallel (hashing releases the interpreter lock), results in the order given."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, paths))
