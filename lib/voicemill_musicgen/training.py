"""Trains a low-rank adapter (Hu et al. 2021, LoRA) on the decoder's linear layers. Imports torch.

One clip per step, a bounded number of steps, finite losses only. The objective predicts the next code of each codebook
in MusicGen's delay pattern (Copet et al. 2023). Only the adapter is trained and saved; the base model is unchanged. The
adapter takes thirty lines; the package peft would add other methods, quantisation and hub code that are not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voicemill.errors import TrainingError
from voicemill.files import atomic_path, library_writes
from voicemill_musicgen.model import MusicGen

FORMAT = "voicemill-musicgen-adapter/1"
RANK = 8
ALPHA = 16.0
"""The update is scaled by ALPHA / RANK, as in the paper's code."""
_LAYERS = frozenset({"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"})
LOGIT_LIMIT = 50.0
"""Logits are clamped to ±50, beyond which float32 probabilities do not change."""


@dataclass(frozen=True)
class TrainingOptions:
    """Options of the training; the defaults are a smoke run that only shows that the lane works.

    Attributes:
        learning_rate: of AdamW; the usual order of magnitude for low-rank adapters.
        max_gradient: maximum gradient norm.
    """

    steps: int = 20
    learning_rate: float = 1e-3
    max_gradient: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class AdapterStep:
    """One step of training, counted from 1."""

    number: int
    loss: float
    gradient_norm: float
    sanitised_logits: int


@dataclass(frozen=True)
class TrainedAdapter:
    """The result of a training; `adapters` hold the trained tensors."""

    adapters: dict[str, LowRank]
    steps: tuple[AdapterStep, ...]

    @property
    def loss(self) -> float:
        """The loss of the last step."""
        return self.steps[-1].loss


class LowRank(torch.nn.Module):  # type: ignore[misc]  # torch is not typed here
    """`base(x) + (x · downᵀ · upᵀ) · scale`; `up` starts at zero, so the initial output is that of the base."""

    def __init__(self, base: Any, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base
        weight = base.weight
        self.down = torch.nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = torch.nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        self.scale = alpha / rank
        torch.nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (…, in) to (…, out)."""
        linear = torch.nn.functional.linear
        return self.base(values) + linear(linear(values, self.down), self.up) * self.scale


def attach_adapters(decoder: Any, *, rank: int = RANK, alpha: float = ALPHA) -> dict[str, LowRank]:
    """Wrap each linear layer of attention and feed-forward in an adapter; returns the adapters by layer name."""
    found = {
        name: module
        for name, module in decoder.named_modules()
        if isinstance(module, torch.nn.Linear) and name.rpartition(".")[2] in _LAYERS
    }
    adapters = {}
    for name, module in found.items():
        parent, _, own = name.rpartition(".")
        adapters[name] = LowRank(module, rank, alpha)
        setattr(decoder.get_submodule(parent), own, adapters[name])
    return adapters


def adapter_tensors(adapters: dict[str, LowRank]) -> dict[str, torch.Tensor]:
    """The trained tensors by name, on the CPU."""
    return {
        f"{name}.{part}": getattr(adapter, part).detach().cpu().clone()
        for name, adapter in adapters.items()
        for part in ("down", "up")
    }


def adapter_parameters(adapters: dict[str, LowRank]) -> list[torch.nn.Parameter]:
    """The trainable parameters."""
    return [parameter for adapter in adapters.values() for parameter in (adapter.down, adapter.up)]


@dataclass(frozen=True)
class SanitisedLoss:
    """A loss and the number of logits that were sanitised for it."""

    loss: torch.Tensor
    sanitised: int


def delayed(codes: torch.Tensor, padding: int) -> torch.Tensor:
    """Codes (1, codebooks, frames) in the delay pattern: codebook k starts k steps late (Copet et al. 2023, 2.2).

    Returns:
        (1, codebooks, frames + codebooks - 1), with `padding` before a codebook starts and after it ends.
    """
    count, frames = codes.shape[1:]
    pattern = codes.new_full((1, count, frames + count - 1), padding)
    for book in range(count):
        pattern[:, book, book : book + frames] = codes[:, book]
    return pattern


def shifted(targets: torch.Tensor, padding: int) -> torch.Tensor:
    """Decoder inputs (codebooks, steps) for targets (1, codebooks, steps): each step sees only those before it."""
    start = targets.new_full((1, targets.shape[1], 1), padding)
    return torch.cat([start, targets[:, :, :-1]], dim=2)[0]


def sanitised_loss(logits: torch.Tensor, targets: torch.Tensor, padding: int) -> SanitisedLoss:
    """Mean cross-entropy of logits (1, codebooks, steps, codes) against targets (1, codebooks, steps).

    Infinite logits are clamped. A step with a NaN is excluded from the mean, so that a broken model does not look
    like an uncertain one; if no step is left, the loss is NaN.
    """
    sanitised = int((~torch.isfinite(logits)).sum())
    unknown = torch.isnan(logits).any(dim=-1)
    sane = torch.nan_to_num(logits.float(), nan=0.0, posinf=LOGIT_LIMIT, neginf=-LOGIT_LIMIT)
    sane = sane.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    losses = torch.nn.functional.cross_entropy(
        sane.permute(0, 3, 1, 2), targets, ignore_index=padding, reduction="none"
    )
    return SanitisedLoss(losses[(targets != padding) & ~unknown].mean(), sanitised)


def train(
    base: MusicGen, clips: Sequence[Path], options: TrainingOptions, *, on_step: Callable[[AdapterStep], None]
) -> TrainedAdapter:
    """Attach an adapter to `base` and train it; every reported number is finite.

    Args:
        base: the frozen model; its decoder is changed.
        clips: WAV files; each is encoded once, on first use.
        options: the settings.
        on_step: called after each step; an exception ends the training.

    Raises:
        TrainingError: `non_finite_loss:step=<n>`, `base_unusable`.
    """
    torch.manual_seed(options.seed)
    adapters = attach_adapters(base.model.decoder)
    trained = adapter_parameters(adapters)
    optimiser = torch.optim.AdamW(trained, lr=options.learning_rate, weight_decay=0.0)
    order = torch.Generator().manual_seed(options.seed)
    known: dict[int, torch.Tensor] = {}
    turns: list[int] = []
    steps = []
    for number in range(1, options.steps + 1):
        turns = turns or torch.randperm(len(clips), generator=order).tolist()
        clip = turns.pop()
        if clip not in known:
            known[clip] = delayed(base.codes(clips[clip]), base.padding)
        found = sanitised_loss(base.logits(shifted(known[clip], base.padding)), known[clip], base.padding)
        loss = float(found.loss.detach())
        _check(loss, number, "loss")
        optimiser.zero_grad(set_to_none=True)
        found.loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(trained, options.max_gradient))
        _check(norm, number, "gradient of the loss")
        optimiser.step()
        steps.append(AdapterStep(number, loss, norm, found.sanitised))
        on_step(steps[-1])
    return TrainedAdapter(adapters, tuple(steps))


def _check(value: float, step: int, what: str) -> None:
    """Refuse a non-finite loss or gradient; both have the same reason."""
    if not math.isfinite(value):
        raise TrainingError(
            f"The {what} became {value} at step {step}.",
            reason=f"non_finite_loss:step={step}",
            hint="The base weights or a clip are broken: pin fresh weights, or look at the recording.",
        )


def save(path: Path, trained: TrainedAdapter, options: TrainingOptions, facts: dict[str, str]) -> None:
    """Write the adapter atomically; `torch.load` with `weights_only` reads it.

    Args:
        path: the checkpoint.
        trained: the adapter.
        options: how it was trained.
        facts: provenance: base weights, their licence, the digest of the dataset.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    document = {
        "format": FORMAT,
        **facts,
        "promotable": False,
        "rank": RANK,
        "alpha": ALPHA,
        "steps": len(trained.steps),
        "seed": options.seed,
        "loss": trained.loss,
        "loss_curve": [step.loss for step in trained.steps],
        "adapter": adapter_tensors(trained.adapters),
    }
    with atomic_path(path) as temporary, library_writes(path, RuntimeError):
        torch.save(document, temporary)
