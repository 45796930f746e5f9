"""A speaking voice as one zip: the files of its folder below `<slug>/`.

Archives of the Qwen3-TTS toolbox before this one are read, too. Nothing is unpacked before every entry was judged, and
the voice is published whole or not at all. A prompt in a pickle is copied like any other file; it is never loaded.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import DatasetError, UsageError
from voicemill.locks import folder_lock
from voicemill.voices import zip_entries
from voicemill.voices.zip_entries import ArchiveRules, unsafe
from voicemill_cloning import voice_file
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.voice_file import SpeakingVoice, voice_slug

MAX_ENTRIES, MAX_BYTES = 2_000, 1024**3
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""
_FILE = re.compile(r"voice\.json|source_clip\.wav|ref\.wav|prompts/[A-Za-z0-9._-]+\.(?:safetensors|pkl|meta\.json)")


@dataclass(frozen=True)
class ExportedVoice:
    """An archive that was written."""

    path: Path
    bytes: int
    sha256: str
    entries: int


def export_voice(voices: SpeakingVoices, name: str, target: Path) -> ExportedVoice:
    """Write a voice to a zip, atomically; the same voice gives the same bytes.

    Args:
        voices: the registry.
        name: of the voice.
        target: the archive.

    Raises:
        UsageError: `voice_not_found`; `trained_voice_fixed`, its bundle is exported by voice-bundle.
        StorageError: it cannot be written.
    """
    voice = voices.get(name)
    if voice.file is None:
        raise UsageError(
            f"{voice.slug} is a trained voice.",
            reason=f"trained_voice_fixed:{voice.slug}",
            hint=f"Export its bundle: voice-bundle export {voice.bundle} {voice.slug}.tar",
        )
    with folder_lock(voice.folder):
        names = sorted(
            name
            for path in voice.folder.rglob("*")
            if path.is_file() and not path.is_symlink() and _FILE.fullmatch(name := _relative(path, voice.folder))
        )
        with (
            files.atomic_path(target, suffix=".zip") as temporary,
            zipfile.ZipFile(temporary, "w", compression=zipfile.ZIP_DEFLATED) as archive,
        ):
            for each in names:
                entry = zipfile.ZipInfo(f"{voice.slug}/{each}", _DATE)
                entry.external_attr, entry.create_system = (stat.S_IFREG | 0o644) << 16, 3
                entry.compress_type = zipfile.ZIP_DEFLATED
                data = (voice.folder / each).read_bytes()
                if each == voice_file.NAME:
                    data = voice.file.model_copy(update={"dataset": None}).dump().encode()
                archive.writestr(entry, data)
    return ExportedVoice(target, target.stat().st_size, files.sha256_file(target), len(names))


def import_voice(voices: SpeakingVoices, source: Path, *, force: bool = False) -> SpeakingVoice:
    """Take a voice from a zip.

    Args:
        voices: the registry.
        source: the archive.
        force: replace a voice of the same name.

    Raises:
        UsageError: `voice_archive_missing`, `voice_exists`, `invalid_voice_slug`.
        DatasetError: `voice_archive_unsafe:<why>`, `voice_archive_mismatch:<file>`.
        ConfigError: `voice_invalid:<slug>`.
        StorageError: it cannot be written.
    """
    if not source.is_file():
        raise UsageError(f"There is no archive at {source}.", reason="voice_archive_missing", hint="Check the path.")
    try:
        with zipfile.ZipFile(source) as archive:
            entries = zip_entries.judged(archive, source.stat().st_size, _RULES)
            top = {name.partition("/")[0] for name in entries}
            if len(top) != 1:
                raise unsafe("unexpected_entry", "it does not hold the folder of one voice")
            (folder,) = top
            inside = {name.partition("/")[2]: entry for name, entry in entries.items()}
            return _publish(voices, archive, inside, folder, force)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise unsafe("not_a_zip", f"it cannot be read as a zip ({error})") from error


def _publish(
    voices: SpeakingVoices, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], folder: str, force: bool
) -> SpeakingVoice:
    if voice_file.NAME not in entries:
        raise unsafe("incomplete", f"{voice_file.NAME} is missing")
    if entries[voice_file.NAME].file_size > files.MAX_JSON_BYTES:
        raise unsafe("too_large", f"{voice_file.NAME} has {entries[voice_file.NAME].file_size:,} bytes")
    slug = voice_slug(folder)
    stated = voice_file.parse_voice(archive.read(entries[voice_file.NAME]), slug)
    voice = stated.model_copy(update={"slug": slug, "dataset": None})
    needed = [*voice.prompts.values(), *([voice.ref.wav] if voice.ref else [])]
    for name in needed:
        if name not in entries:
            raise DatasetError(
                f"The archive is not complete: {name} is missing, which {voice_file.NAME} names.",
                reason=f"voice_archive_mismatch:{name}",
                hint="Fetch it again, or have it exported again.",
            )
    if not force:
        voices.require_free(slug)
    voices.root.mkdir(parents=True, exist_ok=True)
    files.ensure_space(voices.root, sum(entry.file_size for entry in entries.values()), "The voice")
    with files.atomic_directory(voices.folder(slug)) as staging:
        for name, entry in entries.items():
            path = staging / name
            path.parent.mkdir(exist_ok=True)
            with archive.open(entry) as data, path.open("xb") as out:
                shutil.copyfileobj(data, out, 1 << 20)
        dataset = voices.dataset_of(slug) if force else None
        files.write_text(staging / voice_file.NAME, voice.model_copy(update={"dataset": dataset}).dump())
        with folder_lock(voices.folder(slug)):
            if not force:
                voices.require_free(slug)  # another import may have finished first
    return voice


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _allowed(name: str) -> bool:
    folder, slash, rest = name.partition("/")
    return bool(slash) and bool(folder) and (rest in ("", "prompts/") or bool(_FILE.fullmatch(rest)))


_RULES = ArchiveRules(_allowed, MAX_ENTRIES, MAX_BYTES, compressed=True)
