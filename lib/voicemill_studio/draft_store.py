"""Voices that are being put together from uploaded files: name, rights and choices, with the files beside them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.dataset.rights import parse_rights
from voicemill.errors import UsageError
from voicemill.locks import folder_lock
from voicemill.workspace import profile_id
from voicemill_studio.file_names import new_id
from voicemill_studio.record_folders import RecordFolders, StudioRecord
from voicemill_studio.upload_store import UploadLimits, UploadStore

Preset = Literal["standard", "studio", "archive"]
"""Presets of voice-prep."""
Separation = Literal["auto", "always", "never"]


class DraftRecord(StudioRecord):
    """What a person chose for a new voice.

    Attributes:
        voice: profile id.
        licence: SPDX expression of the recordings' licence; empty where none is stated.
        consent: statement of the speaker's consent; empty where none is stated.
        preset: of voice-prep.
        separate: whether the voice is taken out of music and noise.
        recognise: the words of recordings without text are recognised.
        job: id of the preparation that was started last; empty before the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str
    licence: str = ""
    consent: str = Field(default="", max_length=64 * 1024)
    preset: Preset = "standard"
    separate: Separation = "auto"
    recognise: Literal["", "yes"] = ""
    job: str = ""


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
        self._records = RecordFolders(folder, "draft.json", DraftRecord, "draft of a voice", reason="draft_unknown")
        self._limits = limits

    def create(self, voice: str) -> Draft:
        """A new draft.

        Raises:
            UsageError: `invalid_voice_profile_id`.
            StorageError: it cannot be written.
        """
        record = DraftRecord(id=new_id(), voice=profile_id(voice), created=time.time())
        return Draft(self._records.add(record), record, self._limits)

    def get(self, draft_id: str) -> Draft:
        """A draft by its id.

        Raises:
            UsageError: `draft_unknown`.
        """
        return Draft(*self._records.read(draft_id), self._limits)

    def all(self) -> list[Draft]:
        """All drafts, newest first."""
        return [Draft(folder, record, self._limits) for folder, record in self._records.all()]

    def remove(self, draft_id: str) -> None:
        """Remove a draft and its files.

        Raises:
            UsageError: `draft_unknown`.
            StorageError: it cannot be removed.
        """
        self._records.remove(draft_id)
