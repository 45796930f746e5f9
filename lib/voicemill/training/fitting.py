"""Lightning's Trainer as both trainings use it: after each step count, report, checkpoint, and stop when asked."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill.training import ranks, speedups
from voicemill.training.checkpoint import Run
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from voicemill.training.manual_optimisation import Task
    from voicemill.training.selection import Selection


def new_trainer(
    config: TrainingConfig,
    task: Task,
    run: Run,
    store: CheckpointStore,
    hooks: Hooks,
    selection: Selection | None = None,
) -> Trainer:
    """A Trainer that keeps `run` up to date and leaves stdout, logs and checkpoints alone; the batches end the fit.

    Args:
        config: for the accelerator and the interval of checkpoints.
        task: what learns.
        run: gets the curve, the time of the first step, and whether the run was interrupted.
        store: gets a checkpoint at each interval, at the last step, and when the run is to stop.
        hooks: what the caller hears and decides.
        selection: measures the voice now and then, and may end the run.
    """
    from lightning.pytorch import Callback, LightningModule
    from lightning.pytorch.plugins.environments import TorchElasticEnvironment
    from lightning.pytorch.strategies import DDPStrategy

    class Joined(TorchElasticEnvironment):  # type: ignore[misc]
        """To Lightning each process is a machine of its own: it need not know how many of us share one."""

        def local_rank(self) -> int:
            return 0

    class Watch(Callback):  # type: ignore[misc]  # Lightning is untyped here
        def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
            take_back_sigterm(handler)

        def on_train_batch_end(
            self, trainer: Trainer, module: LightningModule, outputs: object, batch: object, batch_idx: int
        ) -> None:
            elapsed = time.monotonic() - run.started
            report = task.report(elapsed)
            if report is not None:
                run.first_step_seconds = run.first_step_seconds or elapsed
                run.curve.append((report.step, report.loss, report.mel_loss))
                hooks.on_step(report)
            last = task.step == task.max_steps
            asked = hooks.should_stop()
            if selection is not None and (last or not asked):  # who is to stop does not wait for a listener
                selection.after_step()
            finished, asked = ranks.any_of(selection is not None and selection.finished, asked)
            last = last or finished
            run.interrupted = not last and asked
            if (run.interrupted or last or task.step % config.checkpoint_interval == 0) and ranks.rank() == 0:
                chosen = None if selection is None else selection.state()
                store.save(task.step, task.state() | {"curve": run.curve, "selection": chosen})
            trainer.should_stop = run.interrupted or last

    handler = signal.getsignal(signal.SIGTERM)
    return quiet_trainer(
        config,
        store.folder,
        devices=ranks.devices(),
        num_nodes=ranks.world(),
        plugins=[Joined()] if ranks.world() > 1 else None,
        strategy=DDPStrategy(timeout=ranks.PATIENCE) if ranks.world() > 1 else "auto",
        callbacks=[Watch()],
    )


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


def fit(trainer: Trainer, task: Task, batches: Iterable[object], hooks: Hooks) -> None:
    """Let the task learn from the batches; a signal is heard between steps, where there is something to save.

    A signal that came before finds the checkpoint on disk as it is, and stops at once.
    """
    task.note = hooks.note
    task.train()  # Lightning leaves the modes of modules alone since 2.2, and examples are made in evaluation mode
    with hooks.taking_steps():
        trainer.fit(task, train_dataloaders=batches)


def restore(store: CheckpointStore, task: Task, run: Run, hooks: Hooks, selection: Selection | None = None) -> None:
    """Put the newest good checkpoint back into a fresh task and run; raises as `CheckpointStore.load`."""

    def take(state: dict[str, object]) -> None:
        curve = [(int(step), float(loss), float(mel)) for step, loss, mel in state["curve"]]  # type: ignore[attr-defined]
        task.restore(state)
        if selection is not None:
            selection.restore(state["selection"])  # type: ignore[arg-type]
        run.curve[:] = curve

    if ranks.rank():
        ranks.from_first(None)  # the first one puts broken ones away
    store.load(take, hooks.note)
    if not ranks.rank():
        ranks.from_first(None)


def take_back_sigterm(handler: object) -> None:
    """Lightning's own handler ends a run with exit code 0 and without a checkpoint."""
    if threading.current_thread() is threading.main_thread() and (
        callable(handler) or isinstance(handler, signal.Handlers)
    ):
        signal.signal(signal.SIGTERM, handler)
