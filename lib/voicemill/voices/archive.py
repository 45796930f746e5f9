"""A prepared voice as one zip: `voice.json` and `dataset/…`.

Written deterministically: the files of `dataset.json` in the order of their names, stored, with one fixed date and
mode, so that the same dataset is the same archive wherever it is written. Read strictly: nothing is unpacked before
every entry was judged, every byte is checked against its digest, and the result is published whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.dataset import description, edits
from voicemill.dataset.prepared import load_checked
from voicemill.errors import DatasetError, UsageError
from voicemill.locks import folder_lock
from voicemill.voices import record, registry, zip_entries
from voicemill.voices.record import VoiceRecord
from voicemill.voices.registry import RegisteredVoice
from voicemill.voices.zip_entries import ArchiveRules, unsafe
from voicemill.workspace import Workspace, profile_id

TOP = "dataset/"
DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""
MODE = stat.S_IFREG | 0o644
MAX_ENTRIES = 200_000
MAX_BYTES = 64 * 1024**3
"""Beyond what a single speaker's dataset comes to: 64 GiB are 400 hours of clips."""


@dataclass(frozen=True)
class Exported:
    """An archive that was written."""

    path: Path
    bytes: int
    sha256: str
    entries: int


def export(workspace: Workspace, slug: str, target: Path | None = None) -> Exported:
    """Write a voice to a zip, atomically; the report and the timings stay, everything else goes.

    Args:
        workspace: where the voice is.
        slug: its name.
        target: the archive; by default `<slug>.voice.zip` in the current directory.

    Raises:
        UsageError: `voice_not_found`.
        DatasetError: `dataset_incomplete`, the dataset is not there or was changed.
        StorageError: it cannot be written.
    """
    voice = registry.get(workspace, slug)
    dataset = load_checked(voice.dataset)
    names = [*dataset.description.files, description.NAME]
    if (voice.dataset / edits.NAME).is_file():
        names.append(edits.NAME)
    path = target or Path(f"{slug}.voice.zip")
    with (
        files.atomic_path(path, suffix=".zip") as temporary,
        zipfile.ZipFile(temporary, "w", compression=zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        archive.writestr(_info(record.NAME), voice.record.dump())
        for name in sorted(names):
            size = (voice.dataset / name).stat().st_size
            entry = _info(TOP + name)
            entry.file_size = size  # zip64 only where it is needed, known before the first byte
            with (voice.dataset / name).open("rb") as source, archive.open(entry, "w") as out:
                shutil.copyfileobj(source, out, 1 << 20)
    return Exported(path, path.stat().st_size, files.sha256_file(path), len(names) + 1)


def import_voice(workspace: Workspace, source: Path, slug: str | None = None) -> RegisteredVoice:
    """Take a voice from a zip.

    Args:
        workspace: where it goes.
        source: the archive.
        slug: another name for it.

    Raises:
        UsageError: `voice_archive_missing`, `voice_exists`, `invalid_voice_profile_id`.
        DatasetError: `voice_archive_unsafe:<why>`, `voice_archive_mismatch:<file>`, `voice_invalid`.
        StorageError: it cannot be written; `disk_full` before the first byte where it does not fit.
    """
    if not source.is_file():
        raise UsageError(f"There is no archive at {source}.", reason="voice_archive_missing", hint="Check the path.")
    try:
        with zipfile.ZipFile(source) as archive:
            entries = judged(archive, source.stat().st_size)
            stated = record.parse_record(_read_small(archive, entries[record.NAME]), source.name)
            name = profile_id(slug or stated.slug)
            registry.require_free(workspace, name)
            _room(workspace, sum(entry.file_size for entry in entries.values()))
            with contextlib.ExitStack() as publication, files.atomic_directory(workspace.dataset(name)) as staging:
                for path, entry in entries.items():
                    if path != record.NAME:
                        _extract(archive, entry, staging / path.removeprefix(TOP))
                _check(staging, stated)
                publication.enter_context(folder_lock(workspace.dataset(name)))
                registry.require_free(workspace, name)  # another import may have finished first
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise unsafe("not_a_zip", f"it cannot be read as a zip ({error})") from error
    registry.register(workspace.dataset(name), workspace)
    return registry.get(workspace, name)


def judged(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """`zip_entries.judged` of the archive of a prepared voice.

    Raises:
        DatasetError: `voice_archive_unsafe:<why>`; `incomplete`, a file that every voice has is missing.
    """
    found = zip_entries.judged(archive, size, RULES)
    for needed in (record.NAME, TOP + description.NAME, TOP + description.MANIFEST):
        if needed not in found:
            raise unsafe("incomplete", f"{needed} is missing")
    return found


def _inside(name: str) -> bool:
    return name == record.NAME or name.startswith(TOP)


RULES = ArchiveRules(_inside, MAX_ENTRIES, MAX_BYTES)
"""An exported voice is stored, never compressed."""


def _info(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.external_attr, entry.create_system = MODE << 16, 3
    return entry


def _read_small(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > files.MAX_JSON_BYTES:
        raise unsafe("too_large", f"{entry.filename} has {entry.file_size:,} bytes")
    return archive.read(entry)


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)


def _room(workspace: Workspace, needed: int) -> None:
    workspace.work.mkdir(parents=True, exist_ok=True)
    files.ensure_space(workspace.work, needed, "The voice")


def _check(staging: Path, stated: VoiceRecord) -> None:
    """The unpacked files must match `dataset.json`, and `dataset.json` must match the record."""
    described = description.read(staging)
    if described is None:
        raise _mismatch(description.NAME, "it is not valid")
    # a receiver never looks at unlisted files: of those, only edits may be imported
    beside = [name for name in (description.REPORT, description.TIMINGS) if (staging / name).exists()]
    found = [*(f"unexpected {name}" for name in beside), *description.differences(staging, described)]
    if found:
        raise _mismatch(found[0].partition(" ")[2], found[0])
    if files.sha256_file(staging / description.MANIFEST) != described.dataset_sha256:
        raise _mismatch(description.MANIFEST, "it is not the manifest that dataset.json names")
    if VoiceRecord.of(described, stated.slug) != stated:
        raise _mismatch(record.NAME, "it differs from dataset.json")
    edits.read(staging)
    load_checked(staging)


def _mismatch(name: str, why: str) -> DatasetError:
    return DatasetError(
        f"The archive is not complete: {why}.",
        reason=f"voice_archive_mismatch:{name}",
        hint="Fetch it again, or have it exported again.",
    )
