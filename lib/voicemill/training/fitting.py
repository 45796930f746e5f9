"""Lightning's Trainer as both trainings use it: after each step count, report, checkpoint, and stop when asked."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.training.checkpoint import Run, StepReport
from voicemill.training.config import TrainingConfig

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


@dataclass(frozen=True)
class Learning:
    """What differs between the trainings.

    Attributes:
        max_steps: the step that ends it.
        count: called after each step, before anything is saved: counts it and tells its figures. The second argument
            is the seconds since the start of the run.
        save: writes the checkpoint.
        begin: called when Lightning has made the optimisers.
    """

    max_steps: int
    count: Callable[[Trainer, float], StepReport]
    save: Callable[[Trainer], None]
    begin: Callable[[Trainer], None] = lambda trainer: None


def new_trainer(
    config: TrainingConfig,
    learning: Learning,
    run: Run,
    root: Path,
    on_step: Callable[[StepReport], None] | None,
    should_stop: Callable[[], bool] | None,
    *,
    max_steps: int = -1,
    gradient_clip: float | None = None,
) -> Trainer:
    """A Trainer that keeps `run` up to date and leaves stdout, logs and checkpoints alone.

    Args:
        config: for the accelerator and the interval of checkpoints.
        learning: what to do after a step.
        run: gets the curve, the time of the first step, and whether the run was interrupted.
        root: folder that Lightning may call its own.
        on_step: called after each step.
        should_stop: asked after each step; true writes a checkpoint and ends the fit.
        max_steps: when Lightning itself ends the fit; -1 leaves that to the batches.
        gradient_clip: largest gradient norm, for Lightning's automatic optimisation.
    """
    import torch
    from lightning.pytorch import Callback, LightningModule, Trainer

    class Watch(Callback):  # type: ignore[misc]  # Lightning is untyped here
        def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
            _take_back_sigterm(handler)
            learning.begin(trainer)

        def on_train_batch_end(
            self, trainer: Trainer, module: LightningModule, outputs: object, batch: object, batch_idx: int
        ) -> None:
            elapsed = time.monotonic() - run.started
            report = learning.count(trainer, elapsed)
            if run.first_step_seconds is None:
                run.first_step_seconds = elapsed
            run.curve.append((report.step, report.loss, report.mel_loss))
            if on_step is not None:
                on_step(report)
            last = report.step == learning.max_steps
            run.interrupted = not last and should_stop is not None and should_stop()
            if (run.interrupted or last or report.step % config.checkpoint_interval == 0) and trainer.is_global_zero:
                learning.save(trainer)
            trainer.should_stop = run.interrupted

    handler = signal.getsignal(signal.SIGTERM)
    return Trainer(
        accelerator=config.accelerator,
        devices="auto" if torch.distributed.is_torchelastic_launched() else 1,  # more under torchrun only
        max_steps=max_steps,
        max_epochs=1,
        gradient_clip_val=gradient_clip,
        default_root_dir=root,
        callbacks=[Watch()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )


def _take_back_sigterm(handler: object) -> None:
    """Lightning's own handler ends a run with exit code 0 and without a checkpoint."""
    if threading.current_thread() is threading.main_thread() and (
        callable(handler) or isinstance(handler, signal.Handlers)
    ):
        signal.signal(signal.SIGTERM, handler)
