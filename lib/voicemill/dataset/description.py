"""dataset.json: inputs, settings, figures and files of a prepared dataset. Reading it back checks every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from voicemill import files, path_names
from voicemill.dataset import edits, recorded_consent, rights
from voicemill.dataset.description_parts import (
    LoudnessFigures,
    SeparationFigures,
    SeparationMode,
    SourceFile,
    Statistics,
)
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.report import Report
from voicemill.dataset.rights import Rights

NAME = rights.DATASET
TIMINGS = "timings.json"
REPORT = "report.html"
BESIDE = (NAME, TIMINGS, edits.NAME, REPORT, recorded_consent.NAME)
"""Files of the folder that `files` does not list: they cannot carry their own digest, differ from run to run, or belong
to the person who reviews."""
MANIFEST, TRAIN, VALIDATION, LEXICON = "manifest.jsonl", "train.jsonl", "validation.jsonl", "lexicon.dict"
VERSION: Final = "voicemill_dataset/1"


class PreparationSettings(BaseModel):
    """Everything beside the input that decides what comes out; lengths in seconds unless named otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str
    seed: int
    sample_rate: int
    frame_length: int
    hop_length: int
    target_lufs: float
    peak_limit_dbfs: float
    min_duration: float
    max_duration: float
    min_pause: float
    max_joined_pause: float
    min_padding: float
    max_padding: float
    start: float | None = None
    end: float | None = None
    tier: str | None = None
    quality: QualityLimits = QualityLimits()
    keep_rejected: bool = False
    device: str = "cpu"
    separate: SeparationMode = "auto"
    recognise: str | None = None


class DatasetDescription(BaseModel):
    """The file. Pitch figures stand at its top, where training reads them.

    Attributes:
        content_key: digest of inputs and settings; the same key is the same dataset.
        dataset_sha256: sha256 of `manifest.jsonl`, whose lines carry the digest and the split of each clip.
        rights: consent and licence, as the operator stated them; no part of the content key.
        tools: versions and digests of what made the dataset; track and channel of the recordings, if chosen.
        files: sha256 of every other file of the dataset but those of `BESIDE`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["voicemill_dataset/1"] = VERSION
    content_key: str
    dataset_sha256: str
    pitch_mean: float
    pitch_std: float
    pitch_fmin: float
    pitch_fmax: float
    settings: PreparationSettings
    inputs: tuple[SourceFile, ...]
    loudness: LoudnessFigures
    separation: SeparationFigures | None = None
    statistics: Statistics
    report: Report
    tools: dict[str, str]
    rights: Rights | None = None
    files: dict[str, str]

    @model_validator(mode="after")
    def _paths_are_members(self) -> DatasetDescription:
        for name in self.files:
            path_names.portable_relative(name)
        outside = [row.audio for row in self.report.rejected if row.audio and row.audio not in self.files]
        if outside:
            raise ValueError(f"the rejected sound {outside[0]!r} is not a file of the dataset")
        return self


def file_digests(root: Path) -> dict[str, str]:
    """sha256 of every file below `root` but those of `BESIDE`."""
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return {name: files.sha256_file(root / name) for name in found if name not in BESIDE}


def read(root: Path) -> DatasetDescription | None:
    """The description of a finished dataset, or None where there is none of this version."""
    try:
        return DatasetDescription.model_validate(files.read_json(root / NAME))
    except (OSError, files.InvalidJsonError, ValidationError):
        return None


def differences(root: Path, described: DatasetDescription) -> list[str]:
    """Files that are missing, changed or not listed, sorted; empty when the dataset is what it says."""
    present = file_digests(root)
    names = sorted(set(present) | set(described.files))
    found = []
    for name in names:
        if name not in present:
            found.append(f"missing {name}")
        elif name not in described.files:
            found.append(f"unlisted {name}")
        elif present[name] != described.files[name]:
            found.append(f"changed {name}")
    return found


def dump(described: DatasetDescription) -> dict[str, Any]:
    """The description as JSON values."""
    return described.model_dump(mode="json")
