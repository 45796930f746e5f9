"""A prepared dataset as training reads it.

Layout (written by `voicemill.dataset`):

    train.jsonl, validation.jsonl  NeMo manifest lines with an `alignment`
    clips/<id>.wav                 mono recordings
    supplementary/<id>.npz         pitch of each frame, in Hz
    lexicon.dict                   pronunciations of all words
    dataset.json                   pitch statistics, among other things
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.dataset.manifest import WordRow
from voicemill.errors import DatasetError
from voicemill.path_names import safe_relative
from voicemill.training.durations import AlignedPhone, AlignedWord


class TrainingManifestLine(BaseModel):
    """The fields of a manifest line that training needs; others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    audio_filepath: str
    normalized_text: str = Field(min_length=1)
    duration: float = Field(gt=0)
    alignment: list[WordRow] = Field(min_length=1)


class PitchStatistics(BaseModel):
    """The fields of `dataset.json` that training needs: pitch in Hz over the voiced frames of the training clips."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pitch_mean: float = Field(gt=0)
    pitch_std: float = Field(gt=0)
    pitch_fmin: float = Field(gt=0)
    pitch_fmax: float = Field(gt=0)


@dataclass(frozen=True)
class TrainingClip:
    """One utterance of a prepared dataset; audio and pitch are read when they are needed.

    Attributes:
        id: its name in the dataset.
        audio: WAV file.
        pitch: `.npz` file with the pitch of each frame.
        text: normalised.
        seconds: length.
        words: forced alignment of the text.
    """

    id: str
    audio: Path
    pitch: Path
    text: str
    seconds: float
    words: tuple[AlignedWord, ...]


@dataclass(frozen=True)
class TrainingDataset:
    """The clips of a prepared dataset, by split, with the statistics that training needs."""

    root: Path
    train: tuple[TrainingClip, ...]
    validation: tuple[TrainingClip, ...]
    pitch_statistics: PitchStatistics

    @property
    def lexicon(self) -> Path:
        """Pronunciation dictionary in CMU format: every word of the texts, one pronunciation a word."""
        return self.root / "lexicon.dict"


_MAX_MANIFEST_BYTES = 1024**3
"""A larger manifest is refused; a line has about 6 kB."""


def read_dataset(root: Path) -> TrainingDataset:
    """Read manifests and pitch statistics of a prepared dataset.

    Raises:
        DatasetError: a file is missing, a line is not valid, or there is no training clip.
    """
    try:
        pitch = PitchStatistics.model_validate_json(files.read_whole(root / "dataset.json"))
        train, validation = (tuple(_read_manifest(root, name)) for name in ("train.jsonl", "validation.jsonl"))
    except OSError as error:
        raise DatasetError(
            f"The dataset {root} is incomplete: {error.filename} cannot be read ({error.strerror}).",
            reason=f"dataset_incomplete:{Path(str(error.filename)).name}",
            hint="Prepare it again with voice-prep.",
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"A manifest of the dataset {root} is not UTF-8 text.", reason="dataset_invalid:manifest"
        ) from error
    except ValidationError as error:
        raise DatasetError(
            f"dataset.json of {root} is not valid: {error.errors()[0]['msg']}.", reason="dataset_invalid:dataset.json"
        ) from error
    if not train:
        raise DatasetError(f"The dataset {root} has no training clips.", reason="dataset_empty:train.jsonl")
    return TrainingDataset(root, train, validation, pitch)


def _read_manifest(root: Path, name: str) -> Iterator[TrainingClip]:
    lines = files.read_whole(root / name, _MAX_MANIFEST_BYTES).decode("utf-8").splitlines()
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = TrainingManifestLine.model_validate_json(text)
            audio = root / safe_relative(line.audio_filepath)
            pitch = root / "supplementary" / safe_relative(f"{line.id}.npz")
        except ValueError as error:
            detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise DatasetError(
                f"Line {number} of {name} is not valid: {detail}.", reason=f"dataset_invalid:{name}:{number}"
            ) from error
        words = tuple(
            AlignedWord(word, tuple(AlignedPhone(*phone) for phone in phones)) for word, _, _, phones in line.alignment
        )
        yield TrainingClip(line.id, audio, pitch, line.normalized_text, line.duration, words)


def read_audio(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Samples in -1..1, shape (samples,), of a mono file that has the expected rate.

    Raises:
        DatasetError: `clip_unreadable:<clip>`; `clip_invalid:<clip>`: it is empty or not mono, has another rate, or
            holds samples that are not finite.
    """
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise DatasetError(
            f"Clip {path.name} cannot be read: {error}.", reason=f"clip_unreadable:{path.stem}"
        ) from error
    if rate != sample_rate or samples.shape[1] != 1 or not len(samples) or not np.isfinite(samples).all():
        raise DatasetError(
            f"Clip {path.name} must be mono at {sample_rate} Hz with finite samples; "
            f"it has {samples.shape[1]} channels at {rate} Hz.",
            reason=f"clip_invalid:{path.stem}",
        )
    mono: NDArray[np.float32] = samples[:, 0]
    return mono


def read_pitch(clip: TrainingClip) -> NDArray[np.float32]:
    """Pitch of each frame in Hz, 0 where unvoiced, shape (samples // hop + 1,).

    Raises:
        DatasetError: `pitch_unreadable:<clip>`.
    """
    try:
        with np.load(clip.pitch, allow_pickle=False) as stored:
            pitch: NDArray[np.float32] = stored["pitch"].astype(np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(
            f"The pitch of clip {clip.id} cannot be read: {error}.", reason=f"pitch_unreadable:{clip.id}"
        ) from error
    return pitch
