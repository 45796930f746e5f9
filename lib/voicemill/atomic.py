"""Publication of new files and folders: in one step, durably, and without leftovers.

A new file or folder is created beside its target under a name that only this package uses,
`.<target>.voicemill-<random>`, and is locked by its creator. A killed process leaves it behind, unlocked: the next
process that writes into the same folder removes it. Temporary files of living processes are locked, so they stay.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MARK = ".voicemill-"
_ASIDE = ".voicemill-was-"
"""A folder that was moved aside for its successor, where two names cannot be exchanged in one step."""
_OURS = re.compile(r"\..+\.voicemill-(?:was-)?[a-z0-9_]{8}(?:\..*)?", re.DOTALL)
_swept: set[Path] = set()
"""Folders that this process has swept: once is enough, and a dataset has thousands of files."""


@dataclass(frozen=True)
class Claim:
    """A temporary file or folder that this process has locked; `release` removes whichever file is at `path`."""

    path: Path
    _descriptor: int

    def release(self) -> None:
        """Remove it and release the lock. If it cannot be removed, the next sweep does it."""
        with contextlib.suppress(OSError):
            _remove(self.path)
        os.close(self._descriptor)


def claim_file(target: Path, suffix: str = "") -> Claim:
    """Create an empty file beside `target`, readable by its owner only.

    Raises:
        OSError: it cannot be created.
    """

    def make() -> str:
        descriptor, name = tempfile.mkstemp(prefix=_prefix(target), suffix=suffix, dir=target.parent)
        os.close(descriptor)
        return name

    return _claim(target, make)


def claim_folder(target: Path) -> Claim:
    """Create an empty folder beside `target`, readable by its owner only.

    Raises:
        OSError: it cannot be created.
    """
    return _claim(target, lambda: tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}{_MARK}"


def _claim(target: Path, make: Callable[[], str]) -> Claim:
    sweep_once(target.parent)
    while True:
        path = Path(make())
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process swept it before it was opened
        with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return Claim(path, descriptor)
        os.close(descriptor)  # it was swept before it was locked


def sweep_once(folder: Path) -> None:
    """Call `sweep`, unless this process has already done so."""
    if folder not in _swept:
        sweep(folder)
        _swept.add(folder)


def sweep(folder: Path) -> None:
    """Remove leftovers of killed processes from `folder`; an old folder without a successor is restored."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if _OURS.fullmatch(entry.name)]
        for path in left:
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _restore(path)
                    _remove(path)
                finally:
                    os.close(descriptor)


def _restore(path: Path) -> None:
    for previous in path.iterdir() if _ASIDE in path.name else ():
        target = path.parent / previous.name
        if not target.exists():
            previous.rename(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def publish(made: Path, target: Path) -> None:
    """Rename `made` to `target`, durably; afterwards the previous `target` is at `made`, or removed.

    Old and new are exchanged in one step where the system supports it; elsewhere a file is replaced in one step and a
    folder in two. If the folder cannot be flushed, the old one gets its name back: after an error nothing is published.

    Raises:
        OSError: it cannot be published; `target` is unchanged.
    """
    if not os.path.lexists(target):
        made.rename(target)
        _flushed(target.parent, lambda: target.rename(made))
        return
    folder = target.is_dir() and not target.is_symlink()
    if folder != made.is_dir():
        number = errno.EISDIR if folder else errno.ENOTDIR
        raise OSError(number, os.strerror(number), str(target))
    if not folder and (target.is_symlink() or not target.is_file()):
        raise OSError(errno.EINVAL, "neither a regular file nor a folder", str(target))
    if _exchange(made, target):
        _flushed(target.parent, lambda: _exchange(made, target))
    elif folder:
        _replace_folder(made, target)
    else:
        made.replace(target)
        fsync_directory(target.parent)


def _replace_folder(made: Path, target: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}{_ASIDE}", dir=target.parent))
    previous = aside / target.name

    def undo() -> None:
        if target.exists():
            target.rename(made)
        previous.rename(target)
        aside.rmdir()

    try:
        target.rename(previous)
        made.rename(target)
    except OSError:
        if previous.exists():
            previous.rename(target)
        aside.rmdir()
        raise
    _flushed(target.parent, undo)
    shutil.rmtree(aside, ignore_errors=True)


def _flushed(folder: Path, undo: Callable[[], object]) -> None:
    try:
        fsync_directory(folder)
    except OSError:
        with contextlib.suppress(OSError):
            undo()
        raise


def fsync_directory(path: Path) -> None:
    """Flush the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""Constants of Linux's renameat2(2)."""
_CANNOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOENT)
"""Errors where the kernel or the file system has no exchange, or where one of the names no longer exists."""


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system does not support it.

    Raises:
        OSError: it is supported and failed.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    flags = ctypes.c_uint(_RENAME_EXCHANGE)
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))
