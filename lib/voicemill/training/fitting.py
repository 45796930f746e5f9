"""A training run under Lightning's Trainer: after each step it is counted, reported, checkpointed, and may stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill.training import ranks, speedups
from voicemill.training.checkpoint import TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

    from voicemill.training.manual_optimisation import ManualOptimisation
    from voicemill.training.selection import Selection


@dataclass
class TrainingRun:
    """One call of a training, and its progress; the curve survives an interruption.

    Attributes:
        config: settings of the run.
        store: gets a checkpoint at each interval, at the last step, and when the run is to stop.
        hooks: callbacks of the caller.
        started: `time.monotonic()` at the call.
        curve: (step, loss, mel loss) of every step that was not skipped.
        first_step_seconds: seconds from the call to the end of the first step.
        interrupted: the caller asked to stop.
        learning_rate: the highest rate that was searched; None where the settings name it.
    """

    config: TrainingConfig
    store: CheckpointStore
    hooks: Hooks
    started: float = field(default_factory=time.monotonic)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    first_step_seconds: float | None = None
    interrupted: bool = False
    learning_rate: float | None = None

    def after_step(self, module: ManualOptimisation, selection: Selection | None) -> bool:
        """Report the step that the module has just taken, save a checkpoint if one is due.

        Returns:
            Whether the run ends here.
        """
        elapsed = time.monotonic() - self.started
        report = module.report(elapsed)
        if report is not None:
            self.first_step_seconds = self.first_step_seconds or elapsed
            self.curve.append((report.step, report.loss, report.mel_loss))
            self.hooks.on_step(report)
        last = module.step == module.max_steps
        stop = self.hooks.should_stop()
        if selection is not None and (last or not stop):  # a run that is to stop does not wait for a validation
            selection.after_step()
        finished, stop = ranks.any_rank(selection is not None and selection.finished, stop)
        last = last or finished
        self.interrupted = not last and stop
        due = self.interrupted or last or module.step % self.config.checkpoint_interval == 0
        if due and ranks.rank() == 0:
            selected = None if selection is None else selection.state()
            self.store.save(module.step, module.state() | {"curve": self.curve, "selection": selected})
        return self.interrupted or last

    def restore(self, module: ManualOptimisation, selection: Selection | None = None) -> None:
        """Restore module, curve and selection from the newest good checkpoint; raises as `CheckpointStore.load`."""

        def take(state: dict[str, Any]) -> None:
            curve = [(int(step), float(loss), float(mel)) for step, loss, mel in state["curve"]]
            module.restore(state)
            if selection is not None:
                selection.restore(state["selection"])
            self.curve[:] = curve

        if ranks.rank():
            ranks.broadcast(None)  # the first rank removes broken checkpoints before
        self.store.load(take, self.hooks.note)
        if not ranks.rank():
            ranks.broadcast(None)

    def result(self, steps: int, nemo_path: Path | None, weights_sha256: str) -> TrainingResult:
        """Sum up a run after `steps` steps in all, with the path and the digest of the saved weights."""
        import resource

        import torch

        losses = [loss for _, loss, _ in self.curve]
        tail = losses[-max(1, len(losses) // 10) :]
        return TrainingResult(
            nemo_path=nemo_path,
            checkpoint_path=self.store.newest(),
            steps=steps,
            final_loss=losses[-1] if losses else None,
            average_loss=sum(tail) / len(tail) if tail else None,
            loss_curve=tuple(self.curve),
            seconds=time.monotonic() - self.started,
            seconds_to_first_step=self.first_step_seconds,
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            peak_gpu_memory_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
            weights_sha256=weights_sha256,
            interrupted=self.interrupted,
            learning_rate=self.learning_rate,
        )


def new_trainer(run: TrainingRun, module: ManualOptimisation, selection: Selection | None = None) -> Trainer:
    """A Trainer that keeps `run` up to date and leaves stdout, logs and checkpoints alone.

    It runs until the batches are exhausted, or until the run ends.

    Args:
        run: updated after each step.
        module: the module to train.
        selection: validates the voice at its intervals, and may end the run.
    """
    from lightning.pytorch.plugins.environments import TorchElasticEnvironment
    from lightning.pytorch.strategies import DDPStrategy

    class OneProcessANode(TorchElasticEnvironment):  # type: ignore[misc]
        """To Lightning each process is a node of its own, so the number of processes on a machine does not matter."""

        def local_rank(self) -> int:
            return 0

    several = ranks.world() > 1
    return quiet_trainer(
        run.config,
        run.store.folder,
        devices=ranks.devices(),
        num_nodes=ranks.world(),
        plugins=[OneProcessANode()] if several else None,
        strategy=DDPStrategy(timeout=ranks.TIMEOUT) if several else "auto",
        callbacks=[_callback(run, module, selection)],
    )


def _callback(run: TrainingRun, module: ManualOptimisation, selection: Selection | None) -> Callback:
    from lightning.pytorch import Callback, LightningModule

    handler = signal.getsignal(signal.SIGTERM)

    class AfterStep(Callback):  # type: ignore[misc]  # Lightning is untyped here
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            restore_sigterm_handler(handler)

        def on_train_batch_end(
            self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
        ) -> None:
            trainer.should_stop = run.after_step(module, selection)

    return AfterStep()


def quiet_trainer(config: TrainingConfig, folder: Path, **options: Any) -> Trainer:
    """A Trainer on the configured device that writes nothing by itself; one process unless `options` say otherwise."""
    from lightning.pytorch import Trainer

    return Trainer(
        **{"devices": 1, **options},
        accelerator=config.accelerator,
        precision=speedups.precision(config, speedups.device_of(config)),
        max_epochs=1,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )


def fit(trainer: Trainer, module: ManualOptimisation, batches: Iterable[object], hooks: Hooks) -> None:
    """Train the module on the batches. Signals are handled between steps, when there is a state to save.

    After a signal that came before the first step, the run ends at once and the checkpoint on disk stays as it is.
    """
    module.note = hooks.note
    module.train()  # Lightning does not set the modes of modules since 2.2, and examples are made in evaluation mode
    with hooks.taking_steps():
        trainer.fit(module, train_dataloaders=batches)


def restore_sigterm_handler(handler: object) -> None:
    """Install `handler` again in place of Lightning's, which ends a run with exit code 0 and without a checkpoint."""
    if threading.current_thread() is threading.main_thread() and (
        callable(handler) or isinstance(handler, signal.Handlers)
    ):
        signal.signal(signal.SIGTERM, handler)
