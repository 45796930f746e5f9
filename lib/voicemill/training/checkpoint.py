"""What both trainings share: how a run is counted and summed up, what it belongs to, and its model saved atomically."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.atomic import claim_folder
from voicemill.files import atomic_path, content_key, library_writes, sha256_file
from voicemill.training import ranks
from voicemill.training.config import TrainingConfig
from voicemill.training.data import PreparedDataset

if TYPE_CHECKING:
    from nemo.core.classes import ModelPT


@dataclass
class Run:
    """What a run has come to so far; the curve outlives an interruption.

    Attributes:
        started: `time.monotonic()` at the call.
        curve: (step, loss, mel loss) of every step that taught something.
        first_step_seconds: from the call until the first step was done.
        interrupted: the caller asked to stop.
        learning_rate: the highest rate that was searched; None where the settings name it.
    """

    started: float
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    first_step_seconds: float | None = None
    interrupted: bool = False
    learning_rate: float | None = None


@dataclass(frozen=True)
class StepReport:
    """One step of training; `step` counts from 1 to `max_steps`. A vocoder has no duration and pitch loss: 0.

    Attributes:
        learning_rate: as it was used, after halvings.
        seconds: since the start of the run.
        frames: mel frames in the batch, padding not counted.
    """

    step: int
    max_steps: int
    loss: float
    mel_loss: float
    duration_loss: float
    pitch_loss: float
    learning_rate: float
    seconds: float
    frames: int


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        nemo_path: the saved model, or None when the run was interrupted.
        checkpoint_path: where to resume from; None when no step was needed.
        steps: steps done in all, earlier runs included.
        final_loss: loss of the last step; None when no step was needed.
        average_loss: mean loss over the last tenth of the steps.
        loss_curve: (step, loss, mel loss) of every step, earlier runs included.
        seconds: wall time of this run.
        seconds_to_first_step: from the call until the first step was done; None without a step.
        peak_memory_bytes: highest resident memory of the process so far, and of the GPU if one was used.
        weights_sha256: over the saved weights; the same seed and data give the same on the same CPU.
        interrupted: `should_stop` said so; a checkpoint was written.
        learning_rate: the highest rate, where it was searched.
    """

    nemo_path: Path | None
    checkpoint_path: Path | None
    steps: int
    final_loss: float | None
    average_loss: float | None
    loss_curve: tuple[tuple[int, float, float], ...]
    seconds: float
    seconds_to_first_step: float | None
    peak_memory_bytes: int
    peak_gpu_memory_bytes: int | None
    weights_sha256: str
    interrupted: bool
    learning_rate: float | None


def result_of(run: Run, steps: int, nemo_path: Path | None, checkpoint: Path | None, digest: str) -> TrainingResult:
    """Sum up a run that stands at `steps`; `digest` is that of its weights."""
    import resource

    import torch

    losses = [loss for _, loss, _ in run.curve]
    tail = losses[-max(1, len(losses) // 10) :]
    return TrainingResult(
        nemo_path=nemo_path,
        checkpoint_path=checkpoint,
        steps=steps,
        final_loss=losses[-1] if losses else None,
        average_loss=sum(tail) / len(tail) if tail else None,
        loss_curve=tuple(run.curve),
        seconds=time.monotonic() - run.started,
        seconds_to_first_step=run.first_step_seconds,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        peak_gpu_memory_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
        weights_sha256=digest,
        interrupted=run.interrupted,
        learning_rate=run.learning_rate,
    )


def save_nemo(model: ModelPT, path: Path) -> Path:
    """Save NeMo's archive so that a kill leaves the old file or the new one: NeMo's own `save_to` writes in place.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with atomic_path(path, suffix=".nemo") as temporary, library_writes(path, RuntimeError), _staged_beside(path):
        model.save_to(str(temporary))
    return path


@contextlib.contextmanager
def _staged_beside(path: Path) -> Iterator[None]:
    """Within, what NeMo gathers before it packs lies beside the archive: another disk may be full, or of memory."""
    staging, before = claim_folder(path), tempfile.tempdir
    tempfile.tempdir = str(staging.path)
    try:
        yield
    finally:
        tempfile.tempdir = before
        staging.release()


def fingerprint(config: TrainingConfig, dataset: PreparedDataset, init_from: Path | None) -> str:
    """What a checkpoint belongs to: settings that matter, how many train together, data and base. The vocoder's
    settings and the threads may change.
    """
    free = {
        "vocoder",
        "threads",
        "checkpoint_interval",
        "accelerator",
        "precision",
        "preset",
        "evaluation",
        "training_pages",
        "devices",
        "nodes",
    }
    settings = config.model_dump(mode="json", exclude=free)
    manifest = sha256_file(dataset.root / "train.jsonl")
    return content_key(
        "acoustic",
        settings,
        ranks.world(),
        manifest,
        dataset.facts.model_dump(mode="json"),
        sha256_file(init_from) if init_from else None,
    )
