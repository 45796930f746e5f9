"""What outlives a process, in the user's state folder: the lock, leases, pinned host keys.

The folder is the user's own and closed to others, and no symbolic link in it is followed: another user of the machine
can neither make us destroy something else nor keep us from destroying what we have rented.
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
    """An instance that exists, or may exist because it was about to be ordered.

    Attributes:
        job: our name for the run.
        label: what the instance is called at vast.ai; ours alone.
        instance: its number once it is known.
        dollars: its price an hour.
        began: when it was ordered, seconds since 1970.
        kept: `--keep`: the next start leaves it alone.
        gpu, image: of the offer that was taken.
    """

    job: str
    label: str
    instance: int | None = None
    dollars: float = 0.0
    began: float = 0.0
    kept: bool = False
    gpu: str | None = None
    image: str | None = None


class State:
    """The folder. Nothing is made before something has to be written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folder and see that it is ours.

        Raises:
            RefusedError: `state_unsafe`.
            StorageError: it cannot be made.
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
        """One run at a time; a process that dies lets go.

        Raises:
            RefusedError: `rental_busy`, with the process that has it; `state_unsafe`.
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
                    f"Another run with a rented machine is going on (process {holder}).",
                    reason=f"rental_busy:{holder}",
                    hint="Wait for it, or stop it with Ctrl-C: it destroys its instance then.",
                ) from error
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n".encode())
            handle.flush()
            yield

    def write(self, lease: Lease) -> None:
        """Put a lease on the disk, for good before anything else happens."""
        files.write_json(self._lease(lease), asdict(lease))

    def drop(self, lease: Lease) -> None:
        """Its instance is gone."""
        self._lease(lease).unlink(missing_ok=True)
        if lease.instance is not None:
            shutil.rmtree(self.host(lease.instance), ignore_errors=True)

    def leases(self) -> list[Lease]:
        """All leases, oldest first; one that cannot be read is shown to nobody's harm as an error.

        Raises:
            RefusedError: `state_unsafe`: a link, or nothing of ours; the person looks, for it may stand for money.
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
        """Folder of what is known about an instance's ssh server."""
        return self.root / "hosts" / str(instance)

    def _lease(self, lease: Lease) -> Path:
        return self.root / "leases" / f"{lease.job}.json"


def _unsafe(path: Path) -> RefusedError:
    return RefusedError(
        f"{path} is not what we have left there: a link, damaged, or another user's.",
        reason=f"state_unsafe:{path}",
        hint="Look at it, see with `make vast-status` or at vast.ai that nothing runs, and remove it.",
    )
