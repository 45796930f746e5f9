"""How something new takes a name: in one step, durably, and without litter.

It is made beside its target under a name that only we use, `.<target>.voicemill-<random>`, and locked by whoever makes
it. A killed process leaves it behind, unlocked: the next one that writes into the same folder removes it. What a
living process is making is locked, so it stays.
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
"""A folder that was moved away for its successor, where two names cannot change places in one step."""
_OURS = re.compile(r"\..+\.voicemill-(?:was-)?[a-z0-9_]{8}(?:\..*)?", re.DOTALL)
_swept: set[Path] = set()
"""Folders that this process has looked through: once is enough, and a dataset has thousands of files."""


@dataclass(frozen=True)
class Claim:
    """A temporary file or folder that this process holds; `release` removes what lies at `path` by then."""

    path: Path
    _descriptor: int

    def release(self) -> None:
        """Remove it and give up the lock. What cannot be removed is left to the next sweep."""
        with contextlib.suppress(OSError):
            _remove(self.path)
        os.close(self._descriptor)


def claim_file(target: Path, suffix: str = "") -> Claim:
    """A new empty file beside `target`, for its owner alone.

    Raises:
        OSError: it cannot be made.
    """

    def make() -> str:
        descriptor, name = tempfile.mkstemp(prefix=_prefix(target), suffix=suffix, dir=target.parent)
        os.close(descriptor)
        return name

    return _claim(target, make)


def claim_folder(target: Path) -> Claim:
    """A new empty folder beside `target`, for its owner alone.

    Raises:
        OSError: it cannot be made.
    """
    return _claim(target, lambda: tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}{_MARK}"


def _claim(target: Path, make: Callable[[], str]) -> Claim:
    sweep_once(target.parent)
    while True:
        path = Path(make())
        descriptor = os.open(path, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a file system without locks: then nothing is swept there either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return Claim(path, descriptor)
        os.close(descriptor)  # swept between its making and its lock


def sweep_once(folder: Path) -> None:
    """`sweep`, unless this process has done it."""
    if folder not in _swept:
        sweep(folder)
        _swept.add(folder)


def sweep(folder: Path) -> None:
    """Remove what killed processes left in `folder`; an old folder whose successor never came is put back."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries if _OURS.fullmatch(entry.name)]
        for path in left:
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _put_back(path)
                    _remove(path)
                finally:
                    os.close(descriptor)


def _put_back(path: Path) -> None:
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
    """Let `made` take the name `target`, durably; what had the name before lies at `made` afterwards, or is gone.

    Old and new change places in one step where the system can; elsewhere a file is replaced in one step and a folder
    in two. When the folder cannot be flushed the old one gets its name back: an error is never a publication.

    Raises:
        OSError: `target` is what it was.
    """
    if not os.path.lexists(target):
        made.rename(target)
        _flushed(target.parent, lambda: target.rename(made))
        return
    folder = target.is_dir() and not target.is_symlink()
    if folder != made.is_dir():
        number = errno.EISDIR if folder else errno.ENOTDIR
        raise OSError(number, os.strerror(number), str(target))
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
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""Constants of Linux's renameat2(2)."""
_CANNOT_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOENT)
"""What it says where the kernel or the file system has no exchange, or where one of the names has gone."""


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where the system or the file system cannot.

    Raises:
        OSError: it can, and failed.
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
