"""`voice.json`, the record of a prepared voice.

A voice that speaks without training (`voicemill_cloning`) has a `voice.json` of its own at the same place. The record
of a dataset with the same name is then its member `dataset`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.dataset.description import DatasetDescription, PreparationSettings
from voicemill.dataset.description_parts import SourceFile
from voicemill.dataset.report import ReasonTotal
from voicemill.dataset.rights import Rights
from voicemill.errors import DatasetError

NAME = "voice.json"
SHA256 = r"^[0-9a-f]{64}$"
PART = "dataset"
"""Member of a speaking voice's file that holds the record."""
_SPEAKING = frozenset(("custom_voice", "engine", "prompts", "tones"))
"""Members that the file of a speaking voice has at least one of."""


class ClipCounts(BaseModel):
    """Clips and seconds of the dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int
    validation: int
    rejected: int
    seconds: float
    seconds_in: float
    rejected_by_reason: dict[str, ReasonTotal]


class TextFigures(BaseModel):
    """Counts over the spoken text: words in total, and what a person should review."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: int
    guessed_words: int
    unspoken_sentences: int


class VoiceRecord(BaseModel):
    """The file.

    Attributes:
        slug: the voice's name; the dataset is in `work/datasets/<slug>`.
        prepared_as: the name under which it was prepared, which its clips carry.
        source: every input with its digest: recordings, texts, lexicon, edits of a review.
        settings: every setting that determined the dataset.
        content_key: of the preparation; the same key is the same dataset.
        dataset_sha256: of `manifest.jsonl`, whose lines carry the digest of each clip.
        rights: consent and licence as the operator stated them.
        tools: versions of the tools that made it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["voicemill_voice/1"] = "voicemill_voice/1"
    slug: str = Field(min_length=1, max_length=64)
    prepared_as: str
    source: tuple[SourceFile, ...]
    clips: ClipCounts
    text: TextFigures
    settings: PreparationSettings
    content_key: str = Field(pattern=SHA256)
    dataset_sha256: str = Field(pattern=SHA256)
    rights: Rights | None = None
    tools: dict[str, str]

    @classmethod
    def of(cls, described: DatasetDescription, slug: str) -> VoiceRecord:
        """The record of a finished dataset."""
        stats, report = described.statistics, described.report
        return cls(
            slug=slug,
            prepared_as=described.settings.voice,
            source=described.inputs,
            clips=ClipCounts(
                train=stats.train_clips,
                validation=stats.validation_clips,
                rejected=len(report.rejected),
                seconds=report.seconds_kept,
                seconds_in=report.seconds_in,
                rejected_by_reason=report.by_reason,
            ),
            text=TextFigures(
                words=stats.words,
                guessed_words=len(report.guessed_words),
                unspoken_sentences=len(report.unspoken),
            ),
            settings=described.settings,
            content_key=described.content_key,
            dataset_sha256=described.dataset_sha256,
            rights=described.rights,
            tools=described.tools,
        )

    def dump(self) -> str:
        """The file's text."""
        return files.dump_json(self.model_dump(mode="json"))


def parse_record(data: bytes, name: str) -> VoiceRecord:
    """Read a record strictly.

    Raises:
        DatasetError: `voice_invalid:<name>`.
    """
    try:
        value = files.parse_json(data)
        return VoiceRecord.model_validate(value[PART] if is_speaking(value) and value.get(PART) else value)
    except (files.InvalidJsonError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise DatasetError(
            f"{NAME} of {name} is not valid: {why}.",
            reason=f"voice_invalid:{name}",
            hint="Remove that file; it is made again from the dataset.",
        ) from error


def read_record(path: Path) -> VoiceRecord:
    """`parse_record` of a file.

    Raises:
        DatasetError: `voice_invalid:<slug>`.
        OSError: it cannot be read.
    """
    return parse_record(files.read_bounded(path, files.MAX_JSON_BYTES), path.parent.name)


def is_speaking(value: Any) -> bool:
    """Whether a parsed `voice.json` is that of a voice that speaks without training."""
    return isinstance(value, dict) and not _SPEAKING.isdisjoint(value)


def read_speaking(path: Path) -> dict[str, Any] | None:
    """The parsed file of a voice that speaks without training; None for another file, a damaged one or none."""
    try:
        value = files.read_json(path)
    except (OSError, files.InvalidJsonError):
        return None
    return value if is_speaking(value) else None


def may_speak(path: Path) -> bool:
    """Whether a file is that of a speaking voice, or is there and too damaged to be read."""
    if not path.is_file():
        return False
    try:
        return is_speaking(files.read_json(path))
    except (OSError, files.InvalidJsonError):
        return True


def has_record(path: Path) -> bool:
    """Whether a file is there and is more than that of a speaking voice without a dataset."""
    speaking = read_speaking(path)
    return path.is_file() if speaking is None else bool(speaking.get(PART))


def file_with(path: Path, made: VoiceRecord | None) -> str | None:
    """The text of a `voice.json` after a change of its record; None where nothing is left.

    Args:
        path: the file as it is, if there is one.
        made: the new record; None removes it.
    """
    speaking = read_speaking(path)
    if speaking is None:
        return None if made is None else made.dump()
    rest = {name: value for name, value in speaking.items() if name != PART}
    return files.dump_json(rest if made is None else {**rest, PART: made.model_dump(mode="json")})
