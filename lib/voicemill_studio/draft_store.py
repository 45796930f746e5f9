"""Voices that are being put together from uploaded files: name, rights and choices, with the files beside them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.dataset.rights import parse_rights
from voicemill.errors import UsageError
from voicemill.locks import folder_lock
from voicemill.workspace import profile_id
from voicemill_studio.file_names import is_id, new_id
from voicemill_studio.upload_store import UploadLimits, UploadStore

Room = Literal["standard", "studio", "archive"]
"""Presets of voice-prep."""
Separation = Literal["auto", "always", "never"]


class DraftRecord(BaseModel):
    """What a person chose for a new voice.

    Attributes:
        voice: profile id.
        licence: SPDX expression of the recordings' licence; empty where none is stated.
        consent: statement of the speaker's consent; empty where none is stated.
        preset: of voice-prep.
        separate: whether the voice is taken out of music and noise.
        job: id of the preparation that was started last; empty before the first.
        created: seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    voice: str
    licence: str = ""
    consent: str = Field(default="", max_length=64 * 1024)
    preset: Room = "standard"
    separate: Separation = "auto"
    job: str = ""
    created: float


class Draft:
    """One draft."""

    def __init__(self, folder: Path, record: DraftRecord, limits: UploadLimits | None = None) -> None:
        self.folder, self.record = folder, record
        self.uploads = UploadStore(folder / "files", limits)

    def change(self, **fields: object) -> None:
        """Change some fields of the record.

        Raises:
            UsageError: `draft_invalid`, or the licence or consent cannot be used, see `parse_rights`.
            StorageError: it cannot be written.
        """
        try:
            changed = DraftRecord.model_validate({**self.record.model_dump(), **fields})
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise UsageError(f"The choice for {where} is not valid.", reason="draft_invalid") from error
        parse_rights(None, changed.licence or None)
        with folder_lock(self.folder / "draft.json"):
            files.write_json(self.folder / "draft.json", changed.model_dump(mode="json"))
        self.record = changed


class DraftStore:
    """The drafts of a work folder."""

    def __init__(self, folder: Path, limits: UploadLimits | None = None) -> None:
        self._folder, self._limits = folder, limits

    def create(self, voice: str) -> Draft:
        """A new draft.

        Raises:
            UsageError: `invalid_voice_profile_id`.
            StorageError: it cannot be written.
        """
        record = DraftRecord(id=new_id(), voice=profile_id(voice), created=time.time())
        files.write_json(self._folder / record.id / "draft.json", record.model_dump(mode="json"))
        return Draft(self._folder / record.id, record, self._limits)

    def get(self, draft_id: str) -> Draft:
        """A draft by its id.

        Raises:
            UsageError: `draft_unknown`.
        """
        unknown = UsageError("There is no such draft of a voice.", reason="draft_unknown")
        if not is_id(draft_id):
            raise unknown
        try:
            record = DraftRecord.model_validate(files.read_json(self._folder / draft_id / "draft.json"))
        except (OSError, files.InvalidJsonError, ValidationError) as error:
            raise unknown from error
        return Draft(self._folder / draft_id, record, self._limits)

    def all(self) -> list[Draft]:
        """All drafts, newest first."""
        found = []
        for path in self._folder.glob("*/draft.json"):
            with contextlib.suppress(UsageError):
                found.append(self.get(path.parent.name))
        return sorted(found, key=lambda draft: draft.record.created, reverse=True)

    def remove(self, draft_id: str) -> None:
        """Remove a draft and its files.

        Raises:
            UsageError: `draft_unknown`.
            StorageError: it cannot be removed.
        """
        self.get(draft_id)
        files.remove_directory(self._folder / draft_id)
