"""Prepared voices by slug: registered by the preparation, listed, shown, renamed, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from voicemill import files
from voicemill.dataset import description
from voicemill.dataset.rights import licence_warning
from voicemill.errors import StorageError, UsageError
from voicemill.locks import folder_lock, require_unused
from voicemill.voices import record
from voicemill.voices.record import VoiceRecord
from voicemill.workspace import Workspace, profile_id

State = Literal["ready", "missing"]


@dataclass(frozen=True)
class RegisteredVoice:
    """A voice that is known. `missing`: the record is there and its dataset is not."""

    record: VoiceRecord
    state: State
    dataset: Path

    def as_dict(self) -> dict[str, Any]:
        """For programs: the record, and whether its dataset is there."""
        return {**self.record.model_dump(mode="json"), "state": self.state}

    def rows(self) -> list[tuple[str, str]]:
        """For people."""
        known, clips, held = self.record, self.record.clips, self.record.rights
        shown = [
            ("dataset", f"{self.dataset} ({self.state})"),
            ("clips", f"{clips.train} to train on, {clips.validation} to validate, {clips.rejected} left out"),
            ("speech", f"{clips.seconds:.1f} s of {clips.seconds_in:.1f} s"),
            ("text", f"{known.text.words} words, {known.text.guessed_words} with a guessed pronunciation"),
            *((source.role, f"{source.name} ({source.bytes:,} bytes, {source.sha256})") for source in known.source),
            ("consent", (held.consent if held else None) or "not stated"),
            ("licence", (held.licence if held else None) or "not stated"),
        ]
        if known.prepared_as != known.slug:
            shown.append(("prepared as", known.prepared_as))
        caution = licence_warning(held)
        if caution:
            shown.append(("note", caution))
        return [*shown, ("sha256", known.dataset_sha256)]


def register(root: Path, workspace: Workspace) -> VoiceRecord:
    """Write the record of the dataset in `workspace.dataset(slug)`, unless it is unchanged.

    Raises:
        UsageError: `dataset_not_found:<slug>`.
        StorageError: it cannot be written.
    """
    with folder_lock(root):
        return _register(root, workspace)


def _register(root: Path, workspace: Workspace) -> VoiceRecord:
    described = description.read(root)
    if described is None:
        raise UsageError(
            f"There is no prepared dataset in {root}.",
            reason=f"dataset_not_found:{root.name}",
            hint="Prepare the voice with voice-prep.",
        )
    made = VoiceRecord.of(described, root.name)
    _store(workspace, root.name, made)
    return made


def _store(workspace: Workspace, slug: str, made: VoiceRecord | None) -> None:
    """Write or remove a record; the file of a voice that also speaks without training stays."""
    path = _path(workspace, slug)
    with folder_lock(path.parent):
        text = record.file_with(path, made)
        if text is not None and (not path.is_file() or path.read_bytes() != text.encode()):
            files.write_text(path, text)
        if text is None and path.parent.is_dir():
            files.remove_directory(path.parent)


def known(workspace: Workspace) -> list[RegisteredVoice]:
    """All voices by slug: those with a dataset, whose record is brought up to date, and records without one.

    Raises:
        DatasetError: `voice_invalid:<slug>`, of a record without a dataset that it could be made again from.
    """
    found: dict[str, RegisteredVoice] = {}
    for path in sorted((workspace.work / "datasets").glob(f"*/{description.NAME}")):
        slug = path.parent.name
        if not slug.startswith(".") and description.read(path.parent) is not None:
            found[slug] = RegisteredVoice(register(path.parent, workspace), "ready", path.parent)
    for path in sorted(workspace.voices.glob(f"*/{record.NAME}")):
        slug = path.parent.name
        if slug not in found and record.has_record(path):
            found[slug] = RegisteredVoice(record.read_record(path), "missing", workspace.dataset(slug))
    return [found[slug] for slug in sorted(found)]


def get(workspace: Workspace, slug: str) -> RegisteredVoice:
    """One voice.

    Raises:
        UsageError: `voice_not_found:<slug>`.
        DatasetError: `voice_invalid:<slug>`.
    """
    with folder_lock(workspace.dataset(slug)):
        return _get(workspace, slug)


def _get(workspace: Workspace, slug: str) -> RegisteredVoice:
    root = workspace.dataset(slug)
    if description.read(root) is not None:
        return RegisteredVoice(_register(root, workspace), "ready", root)
    path = _path(workspace, slug)
    if record.has_record(path):
        return RegisteredVoice(record.read_record(path), "missing", root)
    raise UsageError(
        f"There is no prepared voice {slug!r}.",
        reason=f"voice_not_found:{slug}",
        hint="voice-prep list shows the voices that there are.",
    )


def require_free(workspace: Workspace, slug: str) -> None:
    """Refuse a slug that is taken.

    Raises:
        UsageError: `voice_exists:<slug>`.
    """
    if record.has_record(_path(workspace, slug)) or workspace.dataset(slug).exists():
        raise UsageError(
            f"There is a voice {slug!r} already.",
            reason=f"voice_exists:{slug}",
            hint="Choose another name, or delete that one first with voice-prep delete.",
        )


def rename(workspace: Workspace, old: str, new: str) -> RegisteredVoice:
    """Give a voice another slug: its dataset and record move, the clips keep the names they were prepared under.

    Raises:
        UsageError: `voice_not_found`, `voice_exists`, `invalid_voice_profile_id`.
        StorageError: a folder cannot be moved; the voice is unchanged.
    """
    with folder_lock(workspace.dataset(old)):
        voice = _get(workspace, old)
        require_unused(voice.dataset)
        require_free(workspace, profile_id(new))
        target = workspace.dataset(new)
        if voice.state == "ready":
            try:
                voice.dataset.rename(target)
            except OSError as error:
                raise StorageError.from_os_error(error, target) from error
            _register(target, workspace)
        else:
            _store(workspace, new, voice.record.model_copy(update={"slug": new}))
        _store(workspace, old, None)
        return _get(workspace, new)


def delete(workspace: Workspace, slug: str) -> RegisteredVoice:
    """Remove a voice's dataset and record; trained bundles and cached stages stay.

    Raises:
        UsageError: `voice_not_found`.
        StorageError: something cannot be removed.
    """
    with folder_lock(workspace.dataset(slug)):
        voice = _get(workspace, slug)
        require_unused(voice.dataset)
        if voice.dataset.is_dir():
            files.remove_directory(voice.dataset)
        _store(workspace, slug, None)
        return voice


def _path(workspace: Workspace, slug: str) -> Path:
    return workspace.voices / profile_id(slug) / record.NAME
