"""What a training run leaves on disk: a checkpoint to resume from, and NeMo's archive. Both are written atomically."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from voicemill.errors import StorageError, TrainingError
from voicemill.files import atomic_path, content_key, sha256_file
from voicemill.training.config import TrainingConfig
from voicemill.training.data import PreparedDataset

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel

    from voicemill.training.task import AcousticTask


@dataclass
class Run:
    """What a run has come to so far; the curve outlives an interruption.

    Attributes:
        started: `time.monotonic()` at the call.
        curve: (step, loss, mel loss) of every step.
        first_step_seconds: from the call until the first step was done.
        interrupted: the caller asked to stop.
    """

    started: float
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    first_step_seconds: float | None = None
    interrupted: bool = False


def save_nemo(model: FastPitchModel, path: Path) -> Path:
    """Save NeMo's archive so that a kill leaves the old file or the new one: NeMo's own `save_to` writes in place.

    Raises:
        StorageError: the disk is full (torch reports that as RuntimeError) or cannot be written.
    """
    with atomic_path(path, suffix=".nemo") as temporary:
        try:
            model.save_to(str(temporary))
        except RuntimeError as error:
            raise StorageError(
                f"Could not write {path.name}: {error}.",
                reason=f"disk_full:{path.name}",
                hint="Free some space and use --resume.",
            ) from error
    return path


def fingerprint(config: TrainingConfig, dataset: PreparedDataset, init_from: Path | None) -> str:
    """What a checkpoint belongs to: settings that matter, data and base. The vocoder's settings and the threads may
    change.
    """
    settings = config.model_dump(
        mode="json", exclude={"vocoder", "threads", "checkpoint_interval", "accelerator", "preset"}
    )
    manifest = sha256_file(dataset.root / "train.jsonl")
    return content_key(
        "acoustic",
        settings,
        manifest,
        dataset.facts.model_dump(mode="json"),
        sha256_file(init_from) if init_from else None,
    )


def save_checkpoint(path: Path, task: AcousticTask, run: Run, belongs_to: str) -> None:
    """Write weights, optimiser state, average and curve; the seed and the step number stand for all randomness.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    import torch

    state = {
        "fingerprint": belongs_to,
        "step": task.step,
        "model": task.model.state_dict(),
        "optimiser": task.trainer.optimizers[0].state_dict(),
        "average": task.average,
        "curve": run.curve,
    }
    with atomic_path(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # torch reports a full disk so
            raise StorageError(
                f"Could not write {path.name}: {error}.",
                reason=f"disk_full:{path.name}",
                hint="Free some space and use --resume.",
            ) from error


def load_checkpoint(path: Path, task: AcousticTask, run: Run, belongs_to: str) -> None:
    """Put a checkpoint back into a fresh task and run.

    Raises:
        TrainingError: there is none, it cannot be read, or it belongs to other settings or data.
    """
    import torch

    if not path.is_file():
        raise TrainingError(
            f"There is no checkpoint {path} to resume from.", reason="no_checkpoint", hint="Start without --resume."
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["fingerprint"] != belongs_to:
            raise TrainingError(
                f"The checkpoint {path.name} belongs to other settings or another dataset.",
                reason="checkpoint_mismatch",
                hint="Start without --resume, or with the settings of the interrupted run.",
            )
        task.model.load_state_dict(state["model"])
    except (OSError, RuntimeError, KeyError, UnpicklingError, EOFError) as error:
        raise TrainingError(
            f"The checkpoint {path.name} cannot be read: {error}.", reason=f"checkpoint_unreadable:{path.name}"
        ) from error
    task.step = int(state["step"])
    task.optimiser_state = state["optimiser"]
    task.average = state["average"]
    run.curve.extend((int(step), float(loss), float(mel)) for step, loss, mel in state["curve"])
