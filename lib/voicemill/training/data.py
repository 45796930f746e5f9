"""A prepared dataset, read strictly, and the batches that FastPitch learns from.

Layout (written by `voicemill.dataset`): `train.jsonl` and `validation.jsonl` (NeMo manifest lines with an `alignment`),
`clips/<id>.wav`, `lexicon.dict`, `supplementary/<id>.npz` with the pitch of each frame, and `dataset.json` with the
pitch statistics. Batches are a function of seed and step alone, so a resumed run needs no sampler state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill.errors import DatasetError
from voicemill.files import safe_relative
from voicemill.training.durations import AlignedWord, Phone

if TYPE_CHECKING:
    import torch

AlignedPhoneRow = tuple[str, float, float]
AlignedWordRow = tuple[str, float, float, list[AlignedPhoneRow]]


class ManifestLine(BaseModel):
    """What training reads of a manifest line; the rest is for others."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    audio_filepath: str
    normalized_text: str = Field(min_length=1)
    duration: float = Field(gt=0)
    alignment: list[AlignedWordRow] = Field(min_length=1)


class DatasetFacts(BaseModel):
    """What training reads of `dataset.json`: pitch in Hz over the voiced frames of the training clips."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pitch_mean: float = Field(gt=0)
    pitch_std: float = Field(gt=0)
    pitch_fmin: float = Field(gt=0)
    pitch_fmax: float = Field(gt=0)


@dataclass(frozen=True)
class Clip:
    """One utterance of the dataset."""

    id: str
    audio: Path
    pitch: Path
    text: str
    seconds: float
    words: tuple[AlignedWord, ...]


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared dataset on disk."""

    root: Path
    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    facts: DatasetFacts

    @property
    def lexicon(self) -> Path:
        """CMU-style dictionary of every word of the texts, one pronunciation a word."""
        return self.root / "lexicon.dict"


def read_dataset(root: Path) -> PreparedDataset:
    """Read manifests and facts of a prepared dataset; audio and pitch stay on disk.

    Raises:
        DatasetError: a file is missing, a line is not valid, or there is no training clip.
    """
    try:
        facts = DatasetFacts.model_validate_json((root / "dataset.json").read_bytes())
        train, validation = (tuple(_read_manifest(root, name)) for name in ("train.jsonl", "validation.jsonl"))
    except OSError as error:
        raise DatasetError(
            f"The dataset {root} is incomplete: {error.filename} cannot be read ({error.strerror}).",
            reason=f"dataset_incomplete:{Path(str(error.filename)).name}",
            hint="Prepare it again with voice-prep.",
        ) from error
    except ValidationError as error:
        raise DatasetError(
            f"dataset.json of {root} is not valid: {error.errors()[0]['msg']}.", reason="dataset_invalid:dataset.json"
        ) from error
    if not train:
        raise DatasetError(f"The dataset {root} has no training clips.", reason="dataset_empty:train.jsonl")
    return PreparedDataset(root, train, validation, facts)


def _read_manifest(root: Path, name: str) -> Iterator[Clip]:
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            line = ManifestLine.model_validate_json(text)
            audio = root / safe_relative(line.audio_filepath)
            pitch = root / "supplementary" / safe_relative(f"{line.id}.npz")
        except ValueError as error:
            detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise DatasetError(
                f"Line {number} of {name} is not valid: {detail}.", reason=f"dataset_invalid:{name}:{number}"
            ) from error
        words = tuple(
            AlignedWord(word, tuple(Phone(*phone) for phone in phones)) for word, _, _, phones in line.alignment
        )
        yield Clip(line.id, audio, pitch, line.normalized_text, line.duration, words)


def read_audio(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Samples in -1..1, shape (samples,), of a mono file that has the expected rate.

    Raises:
        DatasetError: the file cannot be read, is empty, is not mono, has another rate, or holds non-finite samples.
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


def read_pitch(clip: Clip) -> NDArray[np.float32]:
    """Pitch in Hz per frame, unvoiced 0, shape (samples // hop + 1,)."""
    try:
        with np.load(clip.pitch, allow_pickle=False) as stored:
            pitch: NDArray[np.float32] = stored["pitch"].astype(np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(
            f"The pitch of clip {clip.id} cannot be read: {error}.", reason=f"pitch_unreadable:{clip.id}"
        ) from error
    return pitch


@dataclass(frozen=True)
class Example:
    """One clip as tensors; the aligner modes carry a prior and pitch per frame, the durations mode frames and pitch
    per token.
    """

    tokens: torch.Tensor  # (tokens,) int64
    mel: torch.Tensor  # (mels, frames) float32
    pitch: torch.Tensor  # (tokens,) or (frames,) float32, normalised
    durations: torch.Tensor | None  # (tokens,) int64, frames
    prior: torch.Tensor | None  # (frames, tokens) float32


@dataclass(frozen=True)
class Batch:
    """Examples padded to the longest; lengths tell what is real."""

    tokens: torch.Tensor  # (clips, tokens)
    token_lengths: torch.Tensor  # (clips,)
    mels: torch.Tensor  # (clips, mels, frames)
    mel_lengths: torch.Tensor  # (clips,)
    pitch: torch.Tensor  # (clips, tokens) or (clips, frames)
    durations: torch.Tensor | None  # (clips, tokens)
    prior: torch.Tensor | None  # (clips, frames, tokens)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        moved = {name: None if value is None else value.to(device) for name, value in vars(self).items()}
        return Batch(**moved)


@dataclass(frozen=True)
class Part:
    """Some clips of a batch, and their share of the whole: gradients of parts, so weighted, add up to the batch's.

    For clips of equal length that is exact. NeMo's convolutions see a little of the padding behind shorter ones, and a
    part has less of it: the losses of a mixed batch differ by about a thousandth.

    NeMo's losses are means: the mel loss over the values that are not padding, duration and pitch loss over tokens, the
    aligner's over clips and over frames.
    """

    batch: Batch
    values: float = 1.0
    tokens: float = 1.0
    clips: float = 1.0
    frames: float = 1.0


def split_batch(batch: Batch, parts: int) -> list[Part]:
    """The batch in up to `parts` parts of consecutive clips, each cut to its own longest clip."""
    import torch

    if parts == 1:
        return [Part(batch)]
    found = []
    for rows in torch.arange(len(batch.tokens)).tensor_split(min(parts, len(batch.tokens))):
        tokens, frames = int(batch.token_lengths[rows].max()), int(batch.mel_lengths[rows].max())
        pitch = tokens if batch.durations is not None else frames
        one = Batch(
            tokens=batch.tokens[rows, :tokens],
            token_lengths=batch.token_lengths[rows],
            mels=batch.mels[rows, :, :frames],
            mel_lengths=batch.mel_lengths[rows],
            pitch=batch.pitch[rows, :pitch],
            durations=None if batch.durations is None else batch.durations[rows, :tokens],
            prior=None if batch.prior is None else batch.prior[rows, :frames, :tokens],
        )
        found.append(
            Part(
                one,
                values=float(one.mels.count_nonzero() / batch.mels.count_nonzero()),
                tokens=float(one.token_lengths.sum() / batch.token_lengths.sum()),
                clips=len(rows) / len(batch.tokens),
                frames=float(one.mel_lengths.sum() / batch.mel_lengths.sum()),
            )
        )
    return found


def collate(examples: Sequence[Example], padding: int) -> Batch:
    """Pad to the longest example; mels with 0, which NeMo's loss takes for "not there"."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def lengths(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.tensor([tensor.shape[-1] for tensor in tensors])

    tokens = [example.tokens for example in examples]
    mels = [example.mel for example in examples]
    durations = [example.durations for example in examples if example.durations is not None]
    priors = [example.prior for example in examples if example.prior is not None]
    prior = torch.zeros(len(priors), int(lengths(mels).max()), int(lengths(tokens).max())) if priors else None
    for row, one in enumerate(priors):
        if prior is not None:
            prior[row, : one.shape[0], : one.shape[1]] = one
    return Batch(
        tokens=pad_sequence(tokens, batch_first=True, padding_value=padding),
        token_lengths=lengths(tokens),
        mels=pad_sequence([mel.T for mel in mels], batch_first=True).transpose(1, 2).contiguous(),
        mel_lengths=lengths(mels),
        pitch=pad_sequence([example.pitch for example in examples], batch_first=True),
        durations=pad_sequence(durations, batch_first=True) if durations else None,
        prior=prior,
    )


@dataclass(frozen=True)
class BatchPlan:
    """Which clips each step learns from: a function of seed and step, so that resuming and repeating need no state.

    Each pass over the data is shuffled anew. With `bucket`, clips of similar length share a batch (little padding)
    while
    the batches come in random order, and a little noise on the lengths mixes the company a clip keeps.
    """

    seconds: Sequence[float]
    batch_size: int
    seed: int
    bucket: bool
    _cache: dict[int, list[list[int]]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def batches_per_pass(self) -> int:
        """Steps in one pass over the data."""
        return max(1, round(len(self.seconds) / self.batch_size))

    def batch(self, step: int) -> list[int]:
        """Indices of the clips of step `step` (from 0)."""
        number, position = divmod(step, self.batches_per_pass)
        if number not in self._cache:
            self._cache.clear()
            self._cache[number] = self._pass(number)
        return self._cache[number][position]

    def _pass(self, number: int) -> list[list[int]]:
        generator = np.random.default_rng([self.seed, number])
        order = generator.permutation(len(self.seconds))
        if self.bucket:
            noisy = np.asarray(self.seconds)[order] * generator.uniform(0.9, 1.1, len(order))
            order = order[np.argsort(noisy, kind="stable")]
        batches = [part.tolist() for part in np.array_split(order, self.batches_per_pass)]
        generator.shuffle(batches)
        return batches
