"""Metadata of clips: one line a clip with its file and its text, in the dialects of several tools.

| dialect | line |
|---|---|
| LJSpeech | `id|text` or `id|text|normalized text` |
| LJSpeech with a speaker | `id|text|normalized text|speaker` |
| Coqui, XTTS | `wav|text|speaker`, with or without a header |
| Piper | `id|speaker|text` |
| GPT-SoVITS | `path|speaker|language|text` |
| table with a header | columns by their names, as in F5-TTS (`audio_file|text`) and exports of spreadsheets |

Columns are separated by `|`, tabs, semicolons or commas.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from voicemill import path_names
from voicemill.audio.probing import SOURCE_SUFFIXES
from voicemill.errors import DatasetError
from voicemill.text.text_files import missing, read_text
from voicemill.text.unspoken import spoken_line

_CLIP = frozenset(
    (
        *("id", "file", "filename", "file_name", "path", "clip", "name"),
        *("audio", "audio_file", "audio_filepath", "audio_path", "wav", "wav_path", "wav_filename"),
    )
)
_TEXT = frozenset(["text", "sentence", "transcript", "transcription", "transcribed"])
_NORMALIZED = frozenset(("normalized", "normalised", "normalized_text", "normalised_text", "normalized text"))
_SPEAKER = frozenset(["speaker", "speaker_name", "speaker_id"])
_LANGUAGES = frozenset(["en", "zh", "ja", "ko", "yue", "de", "es", "fr", "it", "pt", "all_zh", "all_ja", "auto"])
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]|^[\\/]")
_NAMED = 3
"""Missing recordings that a message names."""


@dataclass(frozen=True)
class MetadataRow:
    """One clip: the line of the file, its file name or id, its text and the speaker if the file names one."""

    line: int
    clip: str
    text: str
    normalized: str | None
    speaker: str | None
    audio: Path


@dataclass(frozen=True)
class _Columns:
    dialect: str
    clip: int
    text: int
    normalized: int | None = None
    speaker: int | None = None


def read_rows(path: Path, folder: Path | None, note: Callable[[str], None] | None = None) -> list[MetadataRow]:
    """The clips of a metadata file.

    Args:
        path: the file.
        folder: of the recordings; by default `wavs/` beside the file, or the folder of the file.
        note: is given a sentence about a dialect other than LJSpeech's, another encoding, and absolute paths; without
            it only UTF-8 is accepted.

    Raises:
        DatasetError: `missing_transcript` or `metadata_invalid`, with file and line; `missing_clip`, recordings do not
            exist.
    """
    say = note or _ignore
    separator, lines = _lines(path, read_text(path, utf_16=True, note=note))
    columns = _columns(path, lines)
    header = bool(lines) and _header(lines[0][1]) is not None
    rows: list[MetadataRow] = []
    absent: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    moved = 0
    for number, fields in lines[1:] if header else lines:
        clip, inside = _name(path, number, fields[columns.clip])
        moved += not inside
        text, normalized = (
            spoken_line(fields[at]) if at is not None and at < len(fields) else ""
            for at in (columns.text, columns.normalized)
        )
        if not _has_words(text) and not _has_words(normalized):
            raise missing(f"{path}:{number}: the clip {clip!r} has no text.")
        if clip in seen:
            raise _invalid(path, number, f"the clip {clip!r} is already on line {seen[clip]}")
        seen[clip] = number
        speaker = fields[columns.speaker] if columns.speaker is not None and columns.speaker < len(fields) else ""
        audio = find_audio(path, clip, folder)
        if audio is None:
            absent.append((number, clip))
            continue
        rows.append(MetadataRow(number, clip, text or normalized, normalized or None, speaker or None, audio))
    if absent:
        raise _absent(path, absent, len(seen), folder)
    if not rows:
        raise missing(f"{path} lists no clips.")
    if columns.dialect != "LJSpeech" or separator != "|":
        shown = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "|"}[separator]
        say(f"{path.name}: read as {columns.dialect}, columns separated by {shown}")
    if moved:
        say(f"{path.name}: {moved} clips have absolute paths; their recordings are looked up by name")
    return rows


def _ignore(_: str) -> None:
    return


def _lines(path: Path, text: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """The separator, and the fields of each line that is not empty."""
    plain = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    separator = next(
        (sign for sign in ("|", "\t", ";", ",") if sum(sign in line for _, line in plain) >= max(1, 0.8 * len(plain))),
        "|",
    )
    if separator == "|" or separator == "\t":
        split = _unquoted if separator == "\t" else str.strip
        return separator, [(number, [split(field) for field in line.split(separator)]) for number, line in plain]
    found = []
    try:
        for number, line in plain:
            [fields] = csv.reader([line], delimiter=separator, strict=True)
            found.append((number, [field.strip() for field in fields]))
    except (csv.Error, ValueError) as error:
        raise _invalid(path, number, f"quotes that do not end on this line ({error})") from error
    return separator, found


def _unquoted(field: str) -> str:
    """A cell as a spreadsheet exports it with tabs: in quotes, which are doubled inside, where it needs them."""
    cell = field.strip()
    inner = cell[1:-1]
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"').strip() if quoted else cell


def _header(fields: Sequence[str]) -> _Columns | None:
    """The columns, if the fields are names of columns."""
    names = [field.lower().strip("\"' ") for field in fields]

    def of(known: frozenset[str]) -> int | None:
        return next((index for index, name in enumerate(names) if name in known), None)

    clip, text = of(_CLIP), of(_TEXT)
    if clip is None or text is None:
        return None
    return _Columns("a table with a header", clip, text, of(_NORMALIZED), of(_SPEAKER))


def _columns(path: Path, lines: Sequence[tuple[int, list[str]]]) -> _Columns:
    """What the columns hold, by a header or by their values."""
    if not lines:
        return _Columns("LJSpeech", 0, 1)
    count = max(len(fields) for _, fields in lines)
    for number, fields in lines:
        if len(fields) < 2 or (len(fields) > 4 and _header(lines[0][1]) is None):
            raise _invalid(path, number, f"{len(fields)} fields in place of `id|text` or `id|text|normalized text`")
    if (named := _header(lines[0][1])) is not None:
        return named
    columns = [[fields[at] if at < len(fields) else "" for _, fields in lines] for at in range(count)]
    if count == 4 and all(value.lower() in _LANGUAGES for value in columns[2]):
        return _Columns("GPT-SoVITS", 0, 3, speaker=1)
    if count == 4:
        for number, fields in lines:
            if len(fields) != 4:
                raise _invalid(path, number, f"{len(fields)} fields, other lines have 4")
        if _are_speakers(columns[3], columns[1]):
            return _Columns("LJSpeech with a speaker", 0, 1, 2, 3)
        raise _invalid(path, lines[0][0], "4 fields, and the last one is neither a speaker nor a text")
    if count == 3 and _are_speakers(columns[2], columns[1]):
        return _Columns("Coqui or XTTS", 0, 1, speaker=2)
    if count == 3 and _are_speakers(columns[1], columns[2]):
        return _Columns("Piper", 0, 2, speaker=1)
    return _Columns("LJSpeech", 0, 1, 2)


def _are_speakers(values: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether a column names speakers: short names, far fewer than there are texts."""
    if len(values) < 2 or not all(values) or any(len(value.split()) > 3 or value[-1] in ".?!," for value in values):
        return False
    kinds = len(set(values))
    return kinds <= max(1, len(values) // 3) and kinds < len(set(texts))


def _name(path: Path, number: int, field: str) -> tuple[str, bool]:
    """The clip's name below the folder of the recordings, and whether the field has no absolute path."""
    absolute = bool(_DRIVE.match(field))
    clip = field.replace("\\", "/")
    if absolute:
        clip = PurePosixPath(clip).name
    clip = clip.removeprefix("./")
    try:
        path_names.safe_relative(clip)
    except ValueError as error:
        raise _invalid(path, number, f"the clip id {clip[:80]!r} cannot be a file name: {error}") from error
    return clip, not absolute


def folders(path: Path, given: Path | None) -> tuple[Path, Path]:
    """Where the recordings of a metadata file are looked for."""
    return (path.parent / "wavs", path.parent) if given is None else (given, given / "wavs")


def find_audio(path: Path, clip: str, given: Path | None) -> Path | None:
    """The recording of a clip, or None.

    A folder that is given may be the one that the metadata name: `--audio corpus/wavs` where they say `wavs/a.wav`.
    """
    places = [(folder, clip) for folder in folders(path, given)]
    parents = PurePosixPath(clip).parts[:-1]
    if given is not None and parents and given.absolute().parts[-len(parents) :] == parents:
        places.append((given, PurePosixPath(clip).name))
    for folder, name in places:
        exact = folder / name
        if exact.suffix.lower() in SOURCE_SUFFIXES and exact.is_file():
            return exact
        for suffix in (".wav", *sorted(SOURCE_SUFFIXES - {".wav"})):
            candidate = folder / f"{name}{suffix}"
            if candidate.is_file():
                return candidate
    return None


def _absent(path: Path, absent: Sequence[tuple[int, str]], count: int, folder: Path | None) -> DatasetError:
    first, clip = absent[0]
    where = folders(path, folder)
    message = f"{path}:{first}: there is no recording of the clip {clip!r}."
    if len(absent) > 1:
        names = ", ".join(name for _, name in absent[:_NAMED])
        more = ", ..." if len(absent) > _NAMED else ""
        message = f"{path}:{first}: there are no recordings of {len(absent)} of {count} clips: {names}{more}."
    return DatasetError(
        message, reason=f"missing_clip:{clip}", hint=f"Put {Path(clip).stem}.wav into {where[0]} or {where[1]}."
    )


def unlisted(listed: Set[Path]) -> list[str]:
    """Names of the recordings in the folders of the listed ones that are not listed."""
    return [
        other.name
        for parent in sorted({audio.parent for audio in listed})
        for other in sorted(parent.iterdir())
        if other.suffix.lower() in SOURCE_SUFFIXES and other not in listed and not other.name.startswith(".")
    ]


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _invalid(path: Path, number: int, what: str) -> DatasetError:
    return DatasetError(
        f"{path}:{number}: {what}.",
        reason=f"metadata_invalid:{path}:{number}",
        hint="Write each line as `id|text` or `id|text|normalized text`, the format of LJSpeech.",
    )
