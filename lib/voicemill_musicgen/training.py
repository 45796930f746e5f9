"""The training loop: one clip per step, a bounded number of steps, finite losses only. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from voicemill.errors import TrainingError
from voicemill.files import atomic_path, library_writes
from voicemill_musicgen import adapter
from voicemill_musicgen.model import MusicGen
from voicemill_musicgen.objective import delayed, sanitised_loss, shifted

FORMAT = "voicemill-musicgen-adapter/1"


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

    adapters: dict[str, adapter.LowRank]
    steps: tuple[AdapterStep, ...]

    @property
    def loss(self) -> float:
        """The loss of the last step."""
        return self.steps[-1].loss


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
    adapters = adapter.attach(base.model.decoder)
    trained = adapter.parameters(adapters)
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
        "rank": adapter.RANK,
        "alpha": adapter.ALPHA,
        "steps": len(trained.steps),
        "seed": options.seed,
        "loss": trained.loss,
        "loss_curve": [step.loss for step in trained.steps],
        "adapter": adapter.state(trained.adapters),
    }
    with atomic_path(path) as temporary, library_writes(path, RuntimeError):
        torch.save(document, temporary)
