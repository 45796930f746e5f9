"""Reports of steps and runs, and atomic saving of models."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.atomic import claim_folder
from voicemill.files import atomic_path, library_writes

if TYPE_CHECKING:
    from nemo.core.classes import ModelPT


@dataclass(frozen=True)
class StepReport:
    """One step of training; a vocoder's duration and pitch loss are 0.

    Attributes:
        step: from 1 to `max_steps`.
        learning_rate: of the step, after halvings.
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
    """The outcome of a training run.

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
        interrupted: `should_stop` returned true; a checkpoint was written.
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


def save_nemo(model: ModelPT, path: Path) -> Path:
    """Save NeMo's archive atomically; NeMo's own `save_to` writes in place.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with atomic_path(path, suffix=".nemo") as temporary, library_writes(path, RuntimeError), _staged_beside(path):
        model.save_to(str(temporary))
    return path


@contextlib.contextmanager
def _staged_beside(path: Path) -> Iterator[None]:
    """Within the context temporary files are made beside the archive: the usual folder may be full, or in memory."""
    staging, before = claim_folder(path), tempfile.tempdir
    tempfile.tempdir = str(staging.path)
    try:
        yield
    finally:
        tempfile.tempdir = before
        staging.release()
