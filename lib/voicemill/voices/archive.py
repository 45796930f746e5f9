"""A prepared voice as one zip: `voice.json` and `dataset/…`.

Written deterministically: the files of `dataset.json` in the order of their names, stored, with one fixed date and
mode, so that the same dataset is the same archive wherever it is written. Read strictly: nothing is unpacked before
every entry was judged, every byte is checked against its digest, and the result is published whole or not at all.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.dataset import description, edits
from voicemill.errors import DatasetError, UsageError
from voicemill.locks import folder_lock
from voicemill.review import loading
from voicemill.voices import record, registry
from voicemill.voices.record import VoiceRecord
from voicemill.voices.registry import RegisteredVoice
from voicemill.workspace import Workspace, profile_id

TOP = "dataset/"
DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""
MODE = stat.S_IFREG | 0o644
MAX_ENTRIES = 200_000
MAX_BYTES = 64 * 1024**3
"""Beyond what a single speaker's dataset comes to: 64 GiB are 400 hours of clips."""
_LOCAL_HEADER = 30
"""Bytes of a local file header before its name (APPNOTE 4.3.7)."""
_END_SIZES = (22, 22 + 56 + 20)
"""Bytes after the directory: the end record, with or without the 64-bit records before it."""
_ALLOWED_FLAGS = 0x0800
"""UTF-8 names; neither encryption nor sizes that follow the data."""


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
    dataset = loading.load_checked(voice.dataset)
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
        raise _unsafe("not_a_zip", f"it cannot be read as a zip ({error})") from error
    registry.register(workspace.dataset(name), workspace)
    return registry.get(workspace, name)


def judged(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Every entry by name, after all of them were found harmless; nothing has been unpacked yet.

    Args:
        archive: open for reading.
        size: bytes of the whole file.

    Raises:
        DatasetError: `voice_archive_unsafe:` with `unsafe_path`, `link_or_device`, `duplicate`, `compressed`,
            `encrypted`, `too_large`, `too_many`, `overlapping`, `unexpected_entry`, `incomplete`.
    """
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise _unsafe("too_many", f"it holds more than {MAX_ENTRIES:,} entries")
    found: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in infos:
        _judge(info)
        key = unicodedata.normalize("NFKC", info.filename).casefold()
        if key in seen:
            raise _unsafe("duplicate", f"it holds {info.filename!r} twice")
        seen.add(key)
        found[info.filename] = info
    if sum(info.file_size for info in infos) > min(size, MAX_BYTES):
        raise _unsafe("too_large", "its entries claim more bytes than it has, or more than 64 GiB")
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, other in itertools.pairwise(ordered):
        if one.header_offset + _LOCAL_HEADER + len(one.filename.encode()) + one.file_size > other.header_offset:
            raise _unsafe("overlapping", f"{one.filename!r} and {other.filename!r} share bytes")
    _check_every_byte(archive, infos, size)
    for needed in (record.NAME, TOP + description.NAME, TOP + description.MANIFEST):
        if needed not in found:
            raise _unsafe("incomplete", f"{needed} is missing")
    return found


def _check_every_byte(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Entries, directory and end record follow each other without a gap, from byte 0 to the last."""
    if archive.fp is None or archive.comment:
        raise _unsafe("not_a_zip", "it holds a comment")
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        archive.fp.seek(info.header_offset + 26)
        name, extra = struct.unpack("<2H", archive.fp.read(4).ljust(4, b"\0"))
        end = info.header_offset + _LOCAL_HEADER + name + extra + info.compress_size
        if info.header_offset > position:
            raise _unsafe("not_a_zip", f"there are bytes before '{info.filename}' that belong to no entry")
        position = max(position, end)
    directory = sum(46 + len(info.orig_filename.encode()) + len(info.extra) + len(info.comment) for info in infos)
    if archive.start_dir > position or size - archive.start_dir - directory not in _END_SIZES:
        raise _unsafe("not_a_zip", "there are bytes that belong to no entry")


def _judge(info: zipfile.ZipInfo) -> None:
    shown = info.filename.encode("unicode_escape").decode("ascii")[:100]
    original = getattr(info, "orig_filename", info.filename)
    try:
        files.portable_relative(info.filename)
        inside = info.filename == record.NAME or info.filename.startswith(TOP)
    except ValueError as error:
        raise _unsafe("unsafe_path", f"the entry '{shown}' would leave its folder: {error}") from error
    if original != info.filename:  # zipfile cuts a name at a NUL byte
        raise _unsafe("unsafe_path", f"the entry '{shown}' has a hidden end")
    if not inside:
        raise _unsafe("unexpected_entry", f"'{shown}' has no place in it")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _unsafe("link_or_device", f"'{shown}' is a link or a device")
    if info.flag_bits & ~_ALLOWED_FLAGS:
        raise _unsafe("encrypted", f"'{shown}' is encrypted or of unknown size")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise _unsafe("compressed", f"'{shown}' is compressed, which an exported voice never is")


def _info(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.external_attr, entry.create_system = MODE << 16, 3
    return entry


def _read_small(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > files.MAX_JSON_BYTES:
        raise _unsafe("too_large", f"{entry.filename} has {entry.file_size:,} bytes")
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
    loading.load_checked(staging)


def _unsafe(code: str, why: str) -> DatasetError:
    return DatasetError(
        f"The archive is refused: {why}.",
        reason=f"voice_archive_unsafe:{code}",
        hint="Take only archives that voice-prep export wrote, from people you know.",
    )


def _mismatch(name: str, why: str) -> DatasetError:
    return DatasetError(
        f"The archive is not complete: {why}.",
        reason=f"voice_archive_mismatch:{name}",
        hint="Fetch it again, or have it exported again.",
    )
