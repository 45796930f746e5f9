"""Files that clients upload in parts, which survive the server's process.

A part is added only where the file on the disk ends, so a client that lost its connection, or whose server was killed,
asks for that place and goes on. A file is `<upload>.data`, with what is known about it in `<upload>.json`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.errors import StorageError, UsageError, VoicemillError
from voicemill_studio import upload_checks
from voicemill_studio.file_names import is_id, shown_name
from voicemill_studio.upload_checks import Arrived, FileCheck


@dataclass(frozen=True)
class UploadLimits:
    """Limits of the files of one draft.

    Attributes:
        file_bytes: of one file.
        files: of one draft.
        part_bytes: of one request.
    """

    file_bytes: int = 8 * 1024**3
    files: int = 20_000
    part_bytes: int = 8 * 1024 * 1024


class UploadRecord(BaseModel):
    """One file of a draft.

    Attributes:
        id: a digest of name, length and time.
        name: for people; never part of a path.
        bytes: that the file will have.
        modified: the client's time of the file, which tells two files of one name apart.
        refused: reason and sentence, if its content is not accepted; it takes no further part then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    name: str = Field(min_length=1, max_length=255)
    bytes: int = Field(ge=1)
    modified: int = 0
    created: float
    check: FileCheck = FileCheck()
    refused: tuple[str, str] | None = None


@dataclass(frozen=True)
class Upload:
    """A file with the bytes of it that are on the disk."""

    record: UploadRecord
    received: int

    @property
    def complete(self) -> bool:
        """Whether every byte is there."""
        return self.received == self.record.bytes


class UploadOffsetError(VoicemillError):
    """A part does not begin where the file on the disk ends.

    Attributes:
        received: bytes that are on the disk.
    """

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes of this file have arrived.", reason="upload_offset")
        self.received = received


class UploadStore:
    """The files of one draft. Its methods may be called from several threads and processes."""

    def __init__(self, folder: Path, limits: UploadLimits | None = None) -> None:
        self._folder = folder
        self.limits = limits or UploadLimits()

    def data(self, upload_id: str) -> Path:
        """Where the bytes of a file are."""
        return self._path(upload_id, ".data")

    def create(self, name: str, total: int, modified: int = 0) -> Upload:
        """A new file; or the one that was begun before with the same name, length and time, to go on with.

        Raises:
            UsageError: `upload_empty`, `upload_too_large`, `upload_too_many`.
            StorageError: `disk_full`, or it cannot be written.
        """
        name = shown_name(name)
        if total < 1:
            raise UsageError(f"{name} is empty.", reason="upload_empty")
        if total > self.limits.file_bytes:
            limit = self.limits.file_bytes / 1024**3
            raise UsageError(f"{name} is larger than {limit:g} GiB.", reason="upload_too_large")
        record = UploadRecord(
            id=files.content_key(name, total, modified)[:16],
            name=name,
            bytes=total,
            modified=modified,
            created=time.time(),
        )
        with contextlib.suppress(UsageError):
            known = self.get(record.id)
            if known.record.refused is None:
                return known
        if sum(1 for _ in self._folder.glob("*.json")) >= self.limits.files:
            raise UsageError(f"A voice takes {self.limits.files:,} files at most.", reason="upload_too_many")
        with _written(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            files.ensure_space(self._folder, total, f"Uploading {name}")
            self.data(record.id).touch()
        self._save(record)
        return Upload(record, 0)

    def append(self, upload_id: str, offset: int, part: bytes) -> Upload:
        """Add a part to a file.

        Args:
            upload_id: of the file.
            offset: bytes before this part.
            part: the bytes.

        Raises:
            UploadOffsetError: the file on the disk ends elsewhere.
            UsageError: `upload_unknown`, `upload_too_large`, or the file was refused.
            StorageError: `upload_busy`, `disk_full`, or it cannot be written; the file on the disk is as before.
        """
        record = self._record(upload_id)
        if record.refused is not None:
            raise UsageError(record.refused[1], reason=record.refused[0])
        with _written(self.data(upload_id)), self._open(upload_id) as handle:
            received = os.fstat(handle).st_size
            if offset != received:
                raise UploadOffsetError(received)
            if received + len(part) > record.bytes or len(part) > self.limits.part_bytes:
                raise UsageError("The part is larger than what is missing.", reason="upload_too_large")
            try:
                _write_all(handle, part, received)
            except OSError:
                os.ftruncate(handle, received)
                raise
            if received + len(part) == record.bytes:
                os.fsync(handle)
        return Upload(record, received + len(part))

    def check(self, upload_id: str) -> Upload:
        """Check what has arrived of a file, and keep the result; a file that is not accepted keeps no bytes.

        Raises:
            UsageError: `upload_unknown`.
            StorageError: the result cannot be written.
        """
        upload = self.get(upload_id)
        record = upload.record
        if record.refused is not None or record.check.whole:
            return upload
        arrived = Arrived(self.data(upload_id), upload.received, record.bytes, record.name)
        try:
            changed = record.model_copy(update={"check": upload_checks.check(arrived, record.check)})
        except VoicemillError as error:
            if not isinstance(error, StorageError):
                sentence = str(error).replace(self.data(upload_id).name, record.name)
                changed = record.model_copy(update={"refused": (error.code, sentence)})
                with _written(self.data(upload_id)):
                    os.truncate(self.data(upload_id), 0)
            else:
                raise
        self._save(changed)
        return Upload(changed, self._received(changed))

    def get(self, upload_id: str) -> Upload:
        """A file by its id.

        Raises:
            UsageError: `upload_unknown`.
        """
        record = self._record(upload_id)
        return Upload(record, self._received(record))

    def all(self) -> list[Upload]:
        """All files, in the order of their creation."""
        if not self._folder.is_dir():
            return []
        found = []
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(UsageError):
                found.append(self.get(path.stem))
        return sorted(found, key=lambda upload: (upload.record.created, upload.record.id))

    def remove(self, upload_id: str) -> None:
        """Remove a file.

        Raises:
            UsageError: `upload_unknown`.
            StorageError: it cannot be removed.
        """
        self._record(upload_id)
        with _written(self._folder):
            self._path(upload_id, ".json").unlink(missing_ok=True)
            self.data(upload_id).unlink(missing_ok=True)

    def _path(self, upload_id: str, suffix: str) -> Path:
        if not is_id(upload_id):
            raise _unknown()
        return self._folder / f"{upload_id}{suffix}"

    def _record(self, upload_id: str) -> UploadRecord:
        try:
            return UploadRecord.model_validate(files.read_json(self._path(upload_id, ".json")))
        except (OSError, files.InvalidJsonError, ValidationError) as error:
            raise _unknown() from error

    def _received(self, record: UploadRecord) -> int:
        try:
            return self.data(record.id).stat().st_size
        except OSError:
            return 0

    def _save(self, record: UploadRecord) -> None:
        files.write_json(self._path(record.id, ".json"), record.model_dump(mode="json"))

    @contextlib.contextmanager
    def _open(self, upload_id: str) -> Iterator[int]:
        """The file, locked for one request."""
        handle = os.open(self.data(upload_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError("Another request adds to this file.", reason="upload_busy") from error
            yield handle
        finally:
            os.close(handle)


def _write_all(handle: int, part: bytes, offset: int) -> None:
    view = memoryview(part)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError.from_os_error(error, path) from error


def _unknown() -> UsageError:
    return UsageError("There is no such upload.", reason="upload_unknown")
