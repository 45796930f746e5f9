"""The learning-rate finder: a range test on the run's own model and clips, before its first step.

The rate rises exponentially from step to step while the loss is recorded (L. N. Smith, "Cyclical Learning Rates for
Training Neural Networks", WACV 2017, section 3.3). Test, smoothing and suggestion (the steepest fall of the smoothed
loss) are Lightning's, `lightning.pytorch.tuner.Tuner.lr_find`. Weights and random state are restored afterwards: the
run equals one whose settings name the rate.
"""

from __future__ import annotations

import contextlib
import io
import math
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.atomic import claim_folder
from voicemill.errors import TrainingError
from voicemill.training.fitting import quiet_trainer, restore_sigterm_handler
from voicemill.training.memory import MemoryEstimate, is_out_of_memory
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    import torch
    from lightning.pytorch import LightningModule, Trainer

    from voicemill.training.batches import Batch
    from voicemill.training.config import TrainingConfig
    from voicemill.training.fastpitch_module import AcousticModule

NAME = "learning_rate.json"
STEPS = 100
"""Lightning's default; its suggestion ignores the first ten."""
LEAST, MOST = 1e-6, 1e-1
"""Range of the test: the lowest rate changes nothing, the highest diverges with any transformer under Adam."""
BOUNDS = (1e-5, 5e-3)
"""Limits of the rate that a run takes, by judgement: a test of a hundred steps does not foresee the next thousands."""


class RateSearch(BaseModel):
    """The result of a range test.

    Attributes:
        belongs_to: fingerprint of the run, as in its checkpoints.
        suggestion: Lightning's; None if the curve was too short for one.
        learning_rate: of the run: the suggestion within BOUNDS, or else the rate of the settings.
        curve: (rate, smoothed loss) of each step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    belongs_to: str
    suggestion: float | None
    learning_rate: float
    curve: tuple[tuple[float, float], ...]

    @property
    def sentence(self) -> str:
        """The result for a person."""
        if self.suggestion is None:
            return f"The learning-rate finder found no rate; the run keeps {self.learning_rate:.2e}."
        tried = f"{self.curve[0][0]:.0e} to {self.curve[-1][0]:.0e}"
        found = f"The learning-rate finder suggests {self.suggestion:.2e} ({len(self.curve)} rates from {tried} tried)"
        if self.learning_rate == self.suggestion:
            return f"{found}; the run takes it."
        return f"{found}; the run takes {self.learning_rate:.2e}, the nearest of {BOUNDS[0]:.0e} to {BOUNDS[1]:.0e}."


def of_interrupted_run(store: CheckpointStore) -> RateSearch | None:
    """The search of the interrupted run with these checkpoints; None if it left none that can be read."""
    search = read(store.folder / NAME)
    return search if search is not None and search.belongs_to == store.belongs_to else None


def read(path: Path) -> RateSearch | None:
    """The search saved in a file; None if it cannot be read."""
    with contextlib.suppress(OSError, files.InvalidJsonError, ValidationError):
        return RateSearch.model_validate(files.read_json(path))
    return None


def search(
    config: TrainingConfig,
    module: AcousticModule,
    estimate: MemoryEstimate,
    batches: Iterable[object],
    store: CheckpointStore,
) -> RateSearch:
    """Run the test and save its result beside the checkpoints.

    Args:
        config: of the run; its rate is used if the test finds none.
        module: the model to be trained; it is left as it is.
        estimate: memory of a step.
        batches: at least STEPS.
        store: of the run.

    Raises:
        TrainingError: `not_enough_memory`, `out_of_memory`.
        StorageError: the disk is full or cannot be written.
    """
    import torch

    target, training = store.folder / NAME, module.model.training
    state = {name: value.detach().clone() for name, value in module.model.state_dict().items()}
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    claim = claim_folder(target)  # for the checkpoint that Lightning writes before the test
    try:
        trainer = quiet_trainer(config, claim.path)
        module.split_to_fit(estimate, trainer.strategy.root_device, lambda text: None)  # the training warns
        with torch.random.fork_rng(gpus), files.library_writes(target, OSError):
            suggestion, curve = _range_test(trainer, module, batches)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            "There is not enough memory to search the learning rate.",
            reason="out_of_memory",
            hint="Close other programs, take a smaller preset, or leave out --find-learning-rate.",
        ) from error
    finally:
        claim.release()
        module.model.cpu().load_state_dict(state)
        module.model.train(training)
    rate = config.acoustic.optimiser.learning_rate if suggestion is None else _bounded(suggestion)
    result = RateSearch(belongs_to=store.belongs_to, suggestion=suggestion, learning_rate=rate, curve=curve)
    files.write_json(target, result.model_dump(mode="json"))
    return result


def _range_test(
    trainer: Trainer, module: AcousticModule, batches: Iterable[object]
) -> tuple[float | None, tuple[tuple[float, float], ...]]:
    """Lightning's suggestion and curve; its progress bar, which cannot be switched off, is discarded."""
    from lightning.pytorch.tuner import Tuner

    with contextlib.redirect_stderr(io.StringIO()):
        finder: Any = Tuner(trainer).lr_find(
            _probe(module), batches, min_lr=LEAST, max_lr=MOST, num_training=STEPS, update_attr=False
        )
        pairs = zip(finder.results["lr"], finder.results["loss"], strict=False)
        return finder.suggestion(), tuple(pair for pair in pairs if math.isfinite(pair[1]))


def _bounded(rate: float) -> float:
    return min(max(rate, BOUNDS[0]), BOUNDS[1])


def _probe(module: AcousticModule) -> LightningModule:
    """The model under Lightning's automatic optimisation, which its range test requires."""
    import torch
    from lightning.pytorch import LightningModule

    from voicemill.training.batches import split_batch

    handler = signal.getsignal(signal.SIGTERM)

    class Probe(LightningModule):  # type: ignore[misc]  # Lightning is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.model = module.model

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return module.configure_optimizers()

        def on_train_start(self) -> None:
            restore_sigterm_handler(handler)
            self.train()

        def optimizer_zero_grad(self, *_: object) -> None:
            """Does nothing: `training_step` clears the gradients, before the first of its backward passes."""

        def configure_gradient_clipping(self, optimizer: torch.optim.Optimizer, *_: object, **__: object) -> None:
            # Lightning's own clipping refuses a fused optimiser under autocast.
            if limit := module.acoustic.optimiser.gradient_clip:
                torch.nn.utils.clip_grad_norm_(module.trained_parameters(), limit)

        def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
            self.zero_grad(set_to_none=True)
            torch.manual_seed(module.seed_base * 1_000_003 + batch_idx)
            *before, last = split_batch(batch, module.micro_batches)
            total = torch.zeros((), device=batch.mels.device)
            for micro_batch in before:
                loss = module.losses(micro_batch).total
                loss.backward()
                total += loss.detach()
            loss = module.losses(last).total + total
            if not torch.isfinite(loss):
                self.trainer.should_stop = True  # all later losses would not be finite either
            return loss

        def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
            return batch.to(device)

    return Probe()
