"""The user's state folder, which outlives a process: the lock, leases, pinned host keys.

The folder is private to the user, and no symbolic link in it is followed: another user of the machine can neither
redirect a destruction to another instance nor prevent one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import RefusedError, StorageError


@dataclass(frozen=True)
class Lease:
    """A record of an instance that exists, or may exist because it was about to be ordered.

    Attributes:
        job: name of the run.
        label: label of the instance at vast.ai, unique to the run.
        instance: its number, once known.
        dollars: price per hour.
        began: when it was ordered, seconds since 1970.
        kept: set by `--keep`; the next start does not destroy the instance.
        gpu, image: of the accepted offer.
    """

    job: str
    label: str
    instance: int | None = None
    dollars: float = 0.0
    began: float = 0.0
    kept: bool = False
    gpu: str | None = None
    image: str | None = None


class StateFolder:
    """The state folder, created when the first file is written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Create the folder and check its owner and permissions.

        Raises:
            RefusedError: `state_unsafe`.
            StorageError: it cannot be created.
        """
        try:
            for folder in (self.root, self.root / "leases", self.root / "hosts"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                found = folder.lstat()
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                    raise _unsafe(folder)
        except FileExistsError as error:
            raise _unsafe(self.root) from error
        except OSError as error:
            raise StorageError.from_os_error(error, self.root) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock: one run at a time. The system releases it if the process dies.

        Raises:
            RefusedError: `rental_busy`, with the process that holds it; `state_unsafe`.
        """
        self.prepare()
        path = self.root / "vast.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unsafe(path) from error
        with open(descriptor, "r+b") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = handle.read(20).decode("ascii", "replace").strip() or "unknown"
                raise RefusedError(
                    f"Another run with a rented machine is active (process {holder}).",
                    reason=f"rental_busy:{holder}",
                    hint="Wait for it, or stop it with Ctrl-C; it then destroys its instance.",
                ) from error
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n".encode())
            handle.flush()
            yield

    def write(self, lease: Lease) -> None:
        """Write a lease and flush it to the disk."""
        files.write_json(self._lease(lease), asdict(lease))

    def drop(self, lease: Lease) -> None:
        """Remove a lease whose instance is gone."""
        self._lease(lease).unlink(missing_ok=True)
        if lease.instance is not None:
            shutil.rmtree(self.host(lease.instance), ignore_errors=True)

    def leases(self) -> list[Lease]:
        """All leases, oldest first.

        Raises:
            RefusedError: `state_unsafe`: a link or an unreadable file, which may belong to a running instance.
        """
        found = []
        for path in sorted((self.root / "leases").glob("*.json")):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                with open(descriptor, "rb") as handle:
                    found.append(Lease(**files.parse_json(handle.read(64 * 1024))))
            except (OSError, files.InvalidJsonError, TypeError) as error:
                raise _unsafe(path) from error
        return sorted(found, key=lambda lease: lease.began)

    def host(self, instance: int) -> Path:
        """Folder of an instance's ssh configuration and pinned host key."""
        return self.root / "hosts" / str(instance)

    def _lease(self, lease: Lease) -> Path:
        return self.root / "leases" / f"{lease.job}.json"


def _unsafe(path: Path) -> RefusedError:
    return RefusedError(
        f"{path} is a symbolic link, damaged, or owned by another user.",
        reason=f"state_unsafe:{path}",
        hint="Check with `make vast-status` or at vast.ai that nothing is running, then remove it.",
    )
