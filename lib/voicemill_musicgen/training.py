"""The training itself: one clip a step, a bounded number of steps, and no loss that is not a number. Imports torch."""

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
from voicemill_musicgen.objective import delayed, judge, shifted

FORMAT = "voicemill-musicgen-adapter/1"


@dataclass(frozen=True)
class TrainingOptions:
    """A smoke run by default: it shows that the lane works, not what MusicGen could learn.

    Attributes:
        learning_rate: of AdamW; the usual order of magnitude for low-rank adapters.
        max_gradient: norm to which gradients are scaled down.
    """

    steps: int = 20
    learning_rate: float = 1e-3
    max_gradient: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class Step:
    """One step of training, counted from 1."""

    number: int
    loss: float
    gradient_norm: float
    sanitised_logits: int


@dataclass(frozen=True)
class Trained:
    """What a training came to; `adapters` hold the trained tensors."""

    adapters: dict[str, adapter.LowRank]
    steps: tuple[Step, ...]

    @property
    def loss(self) -> float:
        """Of the last step."""
        return self.steps[-1].loss


def train(
    base: MusicGen, clips: Sequence[Path], options: TrainingOptions, *, on_step: Callable[[Step], None]
) -> Trained:
    """Attach an adapter to `base` and train it; every number that it reports is finite.

    Args:
        base: the frozen model; its decoder is changed.
        clips: WAV files; each is encoded once, when its turn comes.
        options: the settings.
        on_step: hears of each step; what it raises ends the training.

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
        judged = judge(base.logits(shifted(known[clip], base.padding)), known[clip], base.padding)
        loss = float(judged.loss.detach())
        _check(loss, number, "loss")
        optimiser.zero_grad(set_to_none=True)
        judged.loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(trained, options.max_gradient))
        _check(norm, number, "gradient of the loss")
        optimiser.step()
        steps.append(Step(number, loss, norm, judged.sanitised))
        on_step(steps[-1])
    return Trained(adapters, tuple(steps))


def _check(value: float, step: int, what: str) -> None:
    """A gradient that is no number makes the next loss one; it ends the training under the same reason."""
    if not math.isfinite(value):
        raise TrainingError(
            f"The {what} became {value} at step {step}.",
            reason=f"non_finite_loss:step={step}",
            hint="The base weights or a clip are broken: pin fresh weights, or look at the recording.",
        )


def save(path: Path, trained: Trained, options: TrainingOptions, facts: dict[str, str]) -> None:
    """Write the adapter atomically; `torch.load` with `weights_only` reads it.

    Args:
        path: the checkpoint.
        trained: the adapter.
        options: how it was trained.
        facts: where it comes from (base weights, their licence, the dataset's digest).

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
