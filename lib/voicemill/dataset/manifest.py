"""NeMo manifests (JSON Lines): one typed line a clip, strict to read, deterministic to write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voicemill import files, path_names
from voicemill.errors import DatasetError

Split = Literal["train", "validation"]
PhoneRow = tuple[str, float, float]
"""Phone, start and end in seconds from the beginning of the clip."""
WordRow = tuple[str, float, float, list[PhoneRow]]
"""Word, start and end in seconds from the beginning of the clip, and its phones."""

MAX_LINE_BYTES = 4 * 1024 * 1024
"""A longer line is refused; ours, with the alignment of a 12 s clip, take about 6 kB."""
MAX_MANIFEST_BYTES = 1024**3
"""A larger manifest is refused; ours have about 6 kB a clip."""
_SEPARATORS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""Characters that some readers take for the end of a line; JSON may escape them."""


class ManifestLine(BaseModel):
    """What every NeMo manifest has, and what a foreign one may have; fields that we do not know are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    audio_filepath: str = Field(min_length=1)
    text: str = Field(min_length=1)
    duration: float | None = Field(default=None, gt=0)
    offset: float | None = Field(default=None, ge=0)
    normalized_text: str | None = None
    speaker: int | None = Field(default=None, ge=0)
    split: Split | None = None

    @field_validator("text")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("text is blank")
        return text


class Quality(BaseModel):
    """Figures of one clip; levels in dBFS, silences in seconds (see `voicemill.audio.quality` and `audio.voice`).

    Attributes:
        alignment_score: of the forced alignment, 0 best.
        phones_per_second: while words are spoken, pauses left out.
        character_errors: character error rate of a recogniser that knows the script; None where none was used.
        pitch_hz: median.
        formant_hz: mean of the second to fourth formant.
        speaker_similarity: cosine to the speaker's embedding; None where no speaker model is in the cache.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    peak_dbfs: float
    clipped_share: float
    snr_db: float
    loudness_dbfs: float
    leading_silence: float
    trailing_silence: float
    alignment_score: float
    bandwidth_hz: float | None = None
    phones_per_second: float | None = None
    character_errors: float | None = None
    pitch_hz: float | None = None
    formant_hz: float | None = None
    speaker_similarity: float | None = None


class ManifestEntry(BaseModel):
    """A line of ours: NeMo's fields, where the clip comes from, its digest, its words and phones, its quality.

    Attributes:
        id: names `clips/<id>.wav` and `supplementary/<id>.npz`.
        audio_filepath: relative to the manifest, POSIX.
        text: as written in the script.
        normalized_text: as spoken; its words are those of `alignment`.
        duration: seconds of the clip.
        sha256: of the clip's file, so that a digest of the manifest covers the sound.
        source: name of the recording; `start` and `end` are seconds in it.
        text_source: `recogniser` where no person wrote the text.
        separated: True where the voice was taken out of music or noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    audio_filepath: str
    text: str = Field(min_length=1)
    normalized_text: str = Field(min_length=1)
    duration: float = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    speaker: int | None = None
    split: Split
    source: str
    start: float = Field(ge=0)
    end: float = Field(gt=0)
    separated: Literal[True] | None = None
    text_source: Literal["recogniser"] | None = None
    alignment: list[WordRow] = Field(min_length=1)
    quality: Quality

    @field_validator("audio_filepath")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        return str(path_names.portable_relative(path))

    @field_validator("id")
    @classmethod
    def _names_a_file(cls, name: str) -> str:
        if "/" in name:
            raise ValueError("an id names files, so it holds no folder")
        return str(path_names.portable_relative(name))

    def line(self) -> str:
        """The entry as one line of JSON, keys sorted, without the fields that have no value."""
        values = self.model_dump(mode="json", exclude_none=True)
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.translate(_SEPARATORS)


_Line = TypeVar("_Line", bound=BaseModel)


def read_manifest(path: Path) -> list[ManifestLine]:
    """Read any NeMo manifest, ours or foreign.

    Raises:
        DatasetError: `dataset_manifest_missing:<path>`, `dataset_manifest_invalid:<name>:<line>`; no line is skipped.
    """
    return _read(path, ManifestLine)


def read_entries(path: Path) -> list[ManifestEntry]:
    """Read a manifest that this room wrote.

    Raises:
        DatasetError: as `read_manifest`; also when a line lacks one of our fields.
    """
    return _read(path, ManifestEntry)


def write_manifest(path: Path, entries: Iterable[ManifestEntry]) -> None:
    """Write one line an entry, in the order given, atomically."""
    files.write_text(path, "".join(entry.line() + "\n" for entry in entries))


def _read(path: Path, model: type[_Line]) -> list[_Line]:
    try:
        data = files.read_whole(path, MAX_MANIFEST_BYTES)
    except OSError as error:
        raise DatasetError(
            f"The dataset manifest {path} cannot be read: {error.strerror}.",
            reason=f"dataset_manifest_missing:{path}",
            hint="Name a NeMo manifest with --dataset, or a recording with --audio.",
        ) from error
    found = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(model.model_validate(files.parse_json(line, max_bytes=MAX_LINE_BYTES)))
        except ValueError as error:
            raise DatasetError(
                f"{path}:{number}: this line of the manifest is not valid: {_why(error)}.",
                reason=f"dataset_manifest_invalid:{path.name}:{number}",
                hint='Each line needs one JSON object such as {"audio_filepath": "a.wav", "text": "Hello."}.',
            ) from error
    if not found:
        raise DatasetError(
            f"The dataset manifest {path} holds no entry.",
            reason="dataset_no_valid_audio",
            hint="Give a manifest with at least two clips.",
        )
    return found


def _why(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return str(error)
