"""Examples and batches of FastPitch: tensors, their padding, micro-batches, and the clips of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Example:
    """One clip as tensors.

    Attributes:
        tokens: (tokens,) int64.
        mel: (mels, frames) float32, log-mel.
        pitch: float32, normalised; (tokens,) with durations, (frames,) with a prior.
        durations: (tokens,) int64, frames of each token; for alignment mode `durations`.
        prior: (frames, tokens) float32, attention prior; for the modes that train an aligner.
    """

    tokens: torch.Tensor
    mel: torch.Tensor
    pitch: torch.Tensor
    durations: torch.Tensor | None
    prior: torch.Tensor | None


@dataclass(frozen=True)
class Batch:
    """Examples padded to the longest."""

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
class MicroBatch:
    """Some clips of a batch, with the weights by which its losses add up to the batch's.

    NeMo's losses are means, each over another quantity, so each has its own weight, 0..1: the share of this micro-batch
    in that quantity of the batch.

    The sum is exact for clips of equal length. NeMo's convolutions see a little of the padding behind shorter clips,
    and a micro-batch has less padding: the losses of a mixed batch differ by about a thousandth.

    Attributes:
        batch: its clips.
        values: share of the mel values that are not padding; weight of the mel loss.
        tokens: share of the tokens; weight of duration and pitch loss.
        clips: share of the clips; weight of the aligner's forward-sum loss.
        frames: share of the frames; weight of the aligner's binarisation loss.
    """

    batch: Batch
    values: float = 1.0
    tokens: float = 1.0
    clips: float = 1.0
    frames: float = 1.0


def split_batch(batch: Batch, count: int) -> list[MicroBatch]:
    """The batch as up to `count` micro-batches of consecutive clips, each cut to its own longest clip."""
    import torch

    if count == 1:
        return [MicroBatch(batch)]
    micro_batches = []
    for rows in torch.arange(len(batch.tokens)).tensor_split(min(count, len(batch.tokens))):
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
        micro_batches.append(
            MicroBatch(
                one,
                values=float(one.mels.count_nonzero() / batch.mels.count_nonzero()),
                tokens=float(one.token_lengths.sum() / batch.token_lengths.sum()),
                clips=len(rows) / len(batch.tokens),
                frames=float(one.mel_lengths.sum() / batch.mel_lengths.sum()),
            )
        )
    return micro_batches


def collate(examples: Sequence[Example], padding: int) -> Batch:
    """Pad to the longest example: tokens with `padding`, mels with 0, which NeMo's mel loss ignores."""
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
    """The clips of each step: a function of seed and step, so that a resumed run needs no sampler state.

    Each pass over the data is shuffled anew.

    Attributes:
        seconds: length of each clip.
        batch_size: clips of a batch.
        seed: of the shuffling.
        bucket: clips of similar length share a batch, which saves padding. The batches come in random order, and noise
            on the lengths varies the composition of batches from pass to pass.
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
