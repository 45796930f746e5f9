"""Folders that hold one record each, named by its id: drafts and recording sessions."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, Field, ValidationError

from voicemill import files
from voicemill.errors import UsageError
from voicemill_studio.file_names import is_id


class StudioRecord(BaseModel):
    """A record of `new_id`, made at `created`, in seconds since 1970."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    created: float


Record = TypeVar("Record", bound=StudioRecord)


@dataclass(frozen=True)
class RecordFolders(Generic[Record]):
    """The folders `<folder>/<id>/<name>` of one kind of record.

    Attributes:
        model: of the record.
        what: the kind, for the error.
        reason: of the error that there is no such record.
    """

    folder: Path
    name: str
    model: type[Record]
    what: str
    reason: str

    def add(self, record: Record) -> Path:
        """Write a new record; its folder.

        Raises:
            StorageError: it cannot be written.
        """
        files.write_json(self.folder / record.id / self.name, record.model_dump(mode="json"))
        return self.folder / record.id

    def read(self, record_id: str) -> tuple[Path, Record]:
        """The folder and the record of an id.

        Raises:
            UsageError: there is none.
        """
        unknown = UsageError(f"There is no such {self.what}.", reason=self.reason)
        if not is_id(record_id):
            raise unknown
        folder = self.folder / record_id
        try:
            return folder, self.model.model_validate(files.read_json(folder / self.name))
        except (OSError, files.InvalidJsonError, ValidationError) as error:
            raise unknown from error

    def all(self) -> list[tuple[Path, Record]]:
        """All of them, newest first."""
        found = []
        for path in self.folder.glob(f"*/{self.name}"):
            with contextlib.suppress(UsageError):
                found.append(self.read(path.parent.name))
        return sorted(found, key=lambda each: each[1].created, reverse=True)

    def remove(self, record_id: str) -> None:
        """Remove a record and its files.

        Raises:
            UsageError: there is none.
            StorageError: it cannot be removed.
        """
        folder, _ = self.read(record_id)
        files.remove_directory(folder)
