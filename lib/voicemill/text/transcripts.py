"""Text that somebody wrote down for recordings: a script, LJSpeech's metadata.csv, or a .txt/.lab beside each clip.

A transcript is never invented, least of all from a file name: what is missing is an error that names the file, and
the line where there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.audio.decode import SOURCE_SUFFIXES
from voicemill.errors import DatasetError

SIDECAR_SUFFIXES = (".txt", ".lab")
_MAX_BYTES = 16 * 1024 * 1024
_END = re.compile(r"[.?!]+[\"'\u2019\u201d)\]]*$")
_SENTENCE = re.compile(r"(?<=[.?!])([\"'\u2019\u201d)\]]*)\s+(?=[\"'\u2018\u201c(\[]*[A-Z0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Messrs|Sr|Jr|vs|No|Vol|e\.g|i\.e)|\b[A-Z])\.$")


@dataclass(frozen=True)
class ClipTranscript:
    """A clip and its text.

    Attributes:
        audio: the recording.
        text: as written.
        normalized: spoken form where the source gives one (LJSpeech's third column).
        source: `file:line` for messages.
    """

    audio: Path
    text: str
    normalized: str | None
    source: str


def read_script(path: Path) -> list[str]:
    """The sentences of a plain-text script, in reading order.

    Lines that mostly end a sentence (or never do) are taken one by one; otherwise the text is wrapped prose and blank
    lines part its paragraphs. Within each, a full stop, question or exclamation mark before a capital ends a
    sentence.

    Raises:
        DatasetError: `missing_transcript`, no such file, not UTF-8 text, or no words in it.
    """
    lines = [line.strip() for line in _text(path).splitlines()]
    filled = [line for line in lines if line]
    endings = sum(_END.search(line) is not None for line in filled)
    if endings >= 0.8 * len(filled) or endings <= 0.1 * len(filled):
        blocks = filled
    else:
        blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", "\n".join(lines))]
    sentences = [sentence for block in blocks for sentence in split_sentences(block) if _has_words(sentence)]
    if not sentences:
        raise DatasetError(
            f"The script {path} holds no words.",
            reason="missing_transcript",
            hint="Give the text that is read, in reading order, as plain UTF-8 text.",
        )
    return sentences


def split_sentences(text: str) -> list[str]:
    """Split running text at sentence ends; common abbreviations and initials do not end one."""
    parts: list[str] = []
    start = 0
    for match in _SENTENCE.finditer(text):
        part = text[start : match.end(1)].strip()
        if _ABBREVIATION.search(part):
            continue
        parts.append(part)
        start = match.end()
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def read_metadata(path: Path, folder: Path | None = None) -> list[ClipTranscript]:
    """LJSpeech's form: `id|text` or `id|text|normalized text` a line, the clips in `wavs/` or beside the file, or in
    `folder`.

    Raises:
        DatasetError: `missing_transcript` or `metadata_invalid`, with file and line; `missing_clip` when a clip is
            not there.
    """
    clips: list[ClipTranscript] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        clip, text, normalized = _fields(path, number, line)
        if clip in seen:
            raise _invalid(path, number, f"the clip {clip!r} is already on line {seen[clip]}")
        seen[clip] = number
        clips.append(ClipTranscript(_clip_audio(path, number, clip, folder), text, normalized, f"{path}:{number}"))
    if not clips:
        raise _missing(f"{path} lists no clips.")
    return clips


def _fields(path: Path, number: int, line: str) -> tuple[str, str, str | None]:
    fields = [field.strip() for field in line.split("|")]
    if len(fields) not in (2, 3):
        raise _invalid(path, number, f"{len(fields)} fields, where `id|text` or `id|text|normalized text` are needed")
    clip, text, normalized = (*fields, "")[:3]
    try:
        files.safe_relative(clip)
    except ValueError as error:
        raise _invalid(path, number, f"the clip id {clip[:80]!r} cannot be a file name: {error}") from error
    if not _has_words(text) and not _has_words(normalized):
        raise _missing(f"{path}:{number}: the clip {clip!r} has no text.")
    return clip, text or normalized, normalized or None


def _clip_audio(path: Path, number: int, clip: str, given: Path | None) -> Path:
    folders = (path.parent / "wavs", path.parent) if given is None else (given, given / "wavs")
    for folder in folders:
        exact = folder / clip
        if exact.suffix.lower() in SOURCE_SUFFIXES and exact.is_file():
            return exact
        for suffix in (".wav", *sorted(SOURCE_SUFFIXES - {".wav"})):
            candidate = folder / f"{clip}{suffix}"
            if candidate.is_file():
                return candidate
    raise DatasetError(
        f"{path}:{number}: there is no recording of the clip {clip!r}.",
        reason=f"missing_clip:{clip}",
        hint=f"Put {clip}.wav into {folders[0]} or {folders[1]}.",
    )


def read_sidecars(folder: Path) -> list[ClipTranscript]:
    """Every recording of a folder with the .txt or .lab of the same name, sorted by name.

    Raises:
        DatasetError: `missing_transcript`, naming the recordings without text; `dataset_no_valid_audio`, no
            recordings at all.
    """
    recordings = sorted(path for path in folder.iterdir() if path.suffix.lower() in SOURCE_SUFFIXES and path.is_file())
    if not recordings:
        raise DatasetError(
            f"There are no recordings in {folder}.",
            reason="dataset_no_valid_audio",
            hint="Put sound files there, each with a .txt of the same name.",
        )
    found = {path: find_sidecar(path) for path in recordings}
    missing = [path.name for path, sidecar in found.items() if sidecar is None]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise _missing(f"No .txt or .lab beside {', '.join(missing[:5])}{more} in {folder}.")
    return [
        ClipTranscript(path, read_sidecar(sidecar), None, f"{sidecar}:1") for path, sidecar in found.items() if sidecar
    ]


def find_sidecar(audio: Path) -> Path | None:
    """The .txt or .lab beside a recording, or None."""
    return next((side for suffix in SIDECAR_SUFFIXES if (side := audio.with_suffix(suffix)).is_file()), None)


def read_sidecar(path: Path) -> str:
    """The text of one clip on one line.

    Raises:
        DatasetError: `missing_transcript`, the file is empty, has no words or is not UTF-8.
    """
    text = " ".join(_text(path).split())
    if not _has_words(text):
        raise _missing(f"{path} holds no words.")
    return text


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            data = handle.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _missing(f"Cannot read the transcript {path}: {error.strerror or error}.") from error
    if len(data) > _MAX_BYTES:
        raise _missing(f"{path} is larger than 16 MiB, no transcript is.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _missing(f"{path}:{line}: not UTF-8 text.", "Save the transcript as UTF-8 text.") from error
    if "\0" in text:
        raise _missing(f"{path} is not a text file.", "Save the transcript as UTF-8 text.")
    return text


def _missing(
    message: str, hint: str = "Write down what is said, or leave the recording out; no text is ever invented."
) -> DatasetError:
    return DatasetError(message, reason="missing_transcript", hint=hint)


def _invalid(path: Path, number: int, what: str) -> DatasetError:
    return DatasetError(
        f"{path}:{number}: {what}.",
        reason=f"metadata_invalid:{path}:{number}",
        hint="Each line is `id|text` or `id|text|normalized text`, as LJSpeech has it.",
    )
