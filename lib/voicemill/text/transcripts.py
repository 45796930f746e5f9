"""Transcripts: scripts, metadata of clips, and text files beside recordings.

Texts are never invented, and never taken from file names: a missing text is an error that names the file, and the line
where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill.audio import probing
from voicemill.errors import DatasetError
from voicemill.protocol import first_of
from voicemill.text.captions import Caption, find_timed, is_timed, read_captions
from voicemill.text.frontend.sentences import split_sentences
from voicemill.text.lexicon import default_lexicon
from voicemill.text.metadata import read_rows
from voicemill.text.text_files import missing, read_text
from voicemill.text.unspoken import spoken_line

_DOCUMENTS = (".rtf", ".docx", ".doc", ".odt", ".pages")
SIDECAR_SUFFIXES = (".txt", ".lab")
_CLOSING = "\"'\u2019\u201d)]"


@dataclass(frozen=True)
class ClipTranscript:
    """A clip and its text.

    Attributes:
        audio: the recording.
        text: as written.
        normalized: spoken form if the source has one (LJSpeech's third column).
        source: `file:line` for messages.
        captions: parts of a timed text, with their times.
        speaker: name, if the metadata has one.
    """

    audio: Path
    text: str
    normalized: str | None
    source: str
    captions: tuple[Caption, ...] = ()
    speaker: str | None = None


def read_script(path: Path, note: Callable[[str], None] | None = None) -> list[str]:
    """The sentences of a plain-text script, in reading order.

    If most lines end with a sentence, or almost none does, each line is a block; otherwise the text is wrapped prose,
    and blank lines separate the blocks. Blocks are cut into sentences as the front end cuts them. Notes in brackets,
    speaker labels and Markdown are not part of it (`unspoken`).

    Raises:
        DatasetError: `missing_transcript`, the file does not exist, is not UTF-8 text, or has no words.
    """
    lines = [spoken_line(line) for line in read_text(path, note=note).splitlines()]
    filled = [line for line in lines if line]
    endings = sum(line.rstrip(_CLOSING).endswith((".", "?", "!")) for line in filled)
    if endings >= 0.8 * len(filled) or endings <= 0.1 * len(filled):
        blocks = filled
    else:
        blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", "\n".join(lines))]
    lexicon = default_lexicon()
    sentences = [sentence for block in blocks for sentence in split_sentences(block, lexicon) if _has_words(sentence)]
    if not sentences:
        raise DatasetError(
            f"The script {path} contains no words.",
            reason="missing_transcript",
            hint="Give the text that is read, in reading order, as plain UTF-8 text.",
        )
    return sentences


def read_metadata(
    path: Path, folder: Path | None = None, note: Callable[[str], None] | None = None
) -> list[ClipTranscript]:
    """The clips of a metadata file; see `metadata.read_rows`."""
    return [
        ClipTranscript(row.audio, row.text, row.normalized, f"{path}:{row.line}", speaker=row.speaker)
        for row in read_rows(path, folder, note)
    ]


def read_sidecars(
    folder: Path, tier: str | None = None, note: Callable[[str], None] | None = None, *, all_of_them: bool = True
) -> list[ClipTranscript]:
    """The recordings of a folder, each with the text file of the same name, sorted by name.

    Args:
        folder: with recordings and text files.
        tier: of TextGrids, see `textgrid.read_intervals`.
        note: is given a sentence about texts in another encoding; see `text_files.read_text`.
        all_of_them: require a text for every recording; otherwise a missing text is empty.

    Raises:
        DatasetError: `missing_transcript`, with the names of the recordings without text; `dataset_no_valid_audio`,
            there are no recordings.
    """
    recordings, _ = probing.recordings_in(folder)
    if not recordings:
        raise DatasetError(
            f"There are no recordings in {folder}.",
            reason="dataset_no_valid_audio",
            hint="Put audio files there, each with a .txt of the same name.",
        )
    found = {path: find_sidecar(path) for path in recordings}
    absent = [path for path, sidecar in found.items() if sidecar is None]
    if absent and all_of_them:
        message = (
            f"No .txt, .lab, .srt, .vtt or .TextGrid beside {first_of([one.name for one in absent], 5)} in {folder}."
        )
        documents = [
            other.name for one in absent for suffix in _DOCUMENTS if (other := one.with_suffix(suffix)).is_file()
        ]
        if documents:
            raise missing(
                f"{message} Documents of word processors are not read: {first_of(documents, 2)}.",
                "Save each as plain text (UTF-8) with the suffix .txt.",
            )
        raise missing(message)
    notes: list[str] = []
    clips = [
        read_beside(path, sidecar, tier, note and notes.append)
        if sidecar
        else ClipTranscript(path, "", None, f"{path}:0")
        for path, sidecar in found.items()
    ]
    if note is not None:
        for sentence in _of_all(notes):
            note(sentence)
    return clips


def _of_all(notes: Sequence[str]) -> Iterator[str]:
    """Notes about single files, `name: what`, as one for each `what`."""
    names: dict[str, list[str]] = {}
    for one in notes:
        name, _, what = one.rpartition(": ")
        names.setdefault(what, []).append(name)
    return (f"{first_of(files, 1)}: {what}" for what, files in names.items())


def read_beside(
    audio: Path, sidecar: Path, tier: str | None = None, note: Callable[[str], None] | None = None
) -> ClipTranscript:
    """The text beside a recording, timed or not; `tier` is of a TextGrid, `note` as for `text_files.read_text`.

    Raises:
        DatasetError: see `read_sidecar` and `captions.read_captions`.
    """
    if not is_timed(sidecar):
        return ClipTranscript(audio, read_sidecar(sidecar, note), None, f"{sidecar}:1")
    captions = tuple(read_captions(sidecar, tier, note))
    return ClipTranscript(audio, " ".join(one.text for one in captions), None, f"{sidecar}:1", captions)


def find_sidecar(audio: Path) -> Path | None:
    """The .txt or .lab beside a recording, else its timed transcript, or None."""
    plain = next((side for suffix in SIDECAR_SUFFIXES if (side := audio.with_suffix(suffix)).is_file()), None)
    return plain or find_timed(audio)


def read_sidecar(path: Path, note: Callable[[str], None] | None = None) -> str:
    """The text of one clip, as one line; `note` as for `text_files.read_text`.

    Raises:
        DatasetError: `missing_transcript`, the file has no words or is not UTF-8 text.
    """
    text = " ".join(" ".join(map(spoken_line, read_text(path, note=note).splitlines())).split())
    if not _has_words(text):
        raise missing(f"{path} contains no words.")
    return text


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)
