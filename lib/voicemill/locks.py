"""Locks of the file system: for files that several processes change, for work folders and for datasets in use.

Every lock ends with the process that holds it, however it ends, and leaves no file. Where the file system has no locks,
nothing is locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from voicemill.errors import RefusedError, StorageError

WAIT_SECONDS = 30.0
"""A lock is held for the time of one small file, or of one dataset that is being put in place."""
_POLL_SECONDS = 0.01
LANE_LOCK = "VOICEMILL_LANE_LOCK"
"""Variable with the descriptor of the work folder's lock that a lane passes to the processes of its steps."""
_held: set[int] = set()
"""Descriptors of long locks: a forked child closes its copies, so that a lock ends with its holder."""


@contextlib.contextmanager
def folder_lock(folder: Path, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a folder; other processes and threads that want it wait.

    The lock is on the parent folder, because `folder` itself may be replaced while the lock is held; so it is shared
    with the neighbours of `folder`. It is released when the process ends, however it ends, and it leaves no file. It is
    not reentrant. Where the file system has no locks, nothing is locked.

    Args:
        folder: it need not exist. Without its parent there is nothing to lock.
        seconds: how long to wait.

    Raises:
        StorageError: `folder_busy:<name>` when the time is over; `not_readable` when the parent cannot be opened.
    """
    try:
        descriptor = os.open(folder.parent, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    except OSError as error:
        raise StorageError.unreadable(error, folder.parent) from error
    try:
        _acquire(descriptor, folder, time.monotonic() + seconds)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            raise StorageError(
                f"Another process is changing {folder}.",
                reason=f"folder_busy:{folder.name}",
                hint="Wait until it has finished, then try again.",
            ) from None
        except OSError:  # the file system has no locks
            return
        return


@contextlib.contextmanager
def lane_lock(work: Path, inherited: int | None = None) -> Iterator[int | None]:
    """Hold a work folder for one lane; a second lane is refused at once.

    Args:
        work: created if it does not exist.
        inherited: descriptor of the lock, if the process that started this one holds it and passed it on.

    Yields:
        The descriptor of the lock, to be passed to the processes of the lane's steps; None without a lock.

    Raises:
        RefusedError: `lane_busy:<name>`.
        StorageError: the folder cannot be created or opened.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        descriptor = _inherit(work, inherited) or os.open(work, os.O_RDONLY)
    except OSError as error:
        raise StorageError.from_os_error(error, work) from error
    with _held_open(descriptor):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                f"Another lane is running in {work}.",
                reason=f"lane_busy:{work.absolute().name}",
                hint="Wait until it has finished, or set WORK_DIR to another folder.",
            ) from None
        except OSError:  # the file system has no locks
            yield None
            return
        yield descriptor


def with_lock(environ: Mapping[str, str], descriptor: int | None) -> dict[str, str]:
    """The environment of a process of a lane's step: it names the lock, which `relay.run` passes on."""
    rest = {name: value for name, value in environ.items() if name != LANE_LOCK}
    return rest if descriptor is None else {**rest, LANE_LOCK: str(descriptor)}


def _inherit(work: Path, descriptor: int | None) -> int | None:
    """The descriptor, if it is open and of this folder."""
    if descriptor is None:
        return None
    try:
        if not os.path.samestat(os.fstat(descriptor), work.stat()):
            return None
        os.set_inheritable(descriptor, False)
    except OSError:
        return None
    return descriptor


@contextlib.contextmanager
def in_use(dataset: Path) -> Iterator[None]:
    """Keep others from replacing or removing a dataset, while a lane trains on it.

    Raises:
        RefusedError: `lane_busy:<name>`: it is being replaced or removed.
        StorageError: it cannot be read.
    """
    with contextlib.ExitStack() as use:
        with folder_lock(dataset):
            use.enter_context(in_use_unlocked(dataset))
        yield


@contextlib.contextmanager
def in_use_unlocked(dataset: Path) -> Iterator[None]:
    """`in_use` for a caller that holds the `folder_lock` while this begins."""
    try:
        descriptor = os.open(dataset, os.O_RDONLY)
    except OSError as error:
        raise StorageError.unreadable(error, dataset) from error
    with _held_open(descriptor):
        _flock_or_refuse(descriptor, fcntl.LOCK_SH, dataset)
        yield


def require_unused(dataset: Path) -> None:
    """Refuse to replace or remove a dataset that a lane trains on; call it while holding the `folder_lock`.

    Raises:
        RefusedError: `lane_busy:<name>`.
    """
    try:
        descriptor = os.open(dataset, os.O_RDONLY)
    except OSError:
        return  # there is none, or it cannot be read: the caller reports it
    try:
        _flock_or_refuse(descriptor, fcntl.LOCK_EX, dataset)
    finally:
        os.close(descriptor)


def _flock_or_refuse(descriptor: int, kind: int, dataset: Path) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RefusedError(
            f"A lane is using the dataset {dataset.name}.",
            reason=f"lane_busy:{dataset.name}",
            hint="Wait until the lane has finished, then try again.",
        ) from None
    except OSError:  # the file system has no locks
        return


@contextlib.contextmanager
def _held_open(descriptor: int) -> Iterator[None]:
    _held.add(descriptor)
    try:
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _close_in_child() -> None:
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
