"""Locks of the file system, for files that several processes read, change and write again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from voicemill.errors import StorageError

WAIT_SECONDS = 30.0
"""A lock is held for the time of one small file, or of one dataset that is being put in place."""
_POLL_SECONDS = 0.01


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
