"""The learning-rate finder: a range test on the run's own model and clips, before its first step.

The rate rises exponentially from step to step while the loss is watched (L. N. Smith, "Cyclical Learning Rates for
Training Neural Networks", WACV 2017, section 3.3). Test, smoothing and suggestion (where the smoothed loss falls most
steeply) are Lightning's own, `lightning.pytorch.tuner.Tuner.lr_find`. Weights and random state are afterwards as they
were, so that the run is the one that the rate, named in the settings, would have given.
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
from voicemill.training.fitting import quiet_trainer, take_back_sigterm
from voicemill.training.memory import Need, is_out_of_memory, split_to_fit
from voicemill.training.store import CheckpointStore

if TYPE_CHECKING:
    import torch
    from lightning.pytorch import LightningModule, Trainer

    from voicemill.training.config import TrainingConfig
    from voicemill.training.data import Batch
    from voicemill.training.fastpitch_module import AcousticTask

NAME = "learning_rate.json"
STEPS = 100
"""Lightning's default; its suggestion leaves out the first ten."""
LEAST, MOST = 1e-6, 1e-1
"""Rates tried: the first moves nothing, the last breaks any transformer under Adam."""
BOUNDS = (1e-5, 5e-3)
"""Rates taken, by judgement: a range test of a hundred steps knows nothing of the next thousands."""


class RateSearch(BaseModel):
    """What a range test found.

    Attributes:
        belongs_to: digest of settings, data and base of the run, as in its checkpoints.
        suggestion: Lightning's; None where the curve was too short for one.
        learning_rate: what the run takes: the suggestion within BOUNDS, or the rate of the settings.
        curve: (rate, smoothed loss) of each step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    belongs_to: str
    suggestion: float | None
    learning_rate: float
    curve: tuple[tuple[float, float], ...]

    @property
    def sentence(self) -> str:
        """For a person."""
        if self.suggestion is None:
            return f"The learning-rate finder found no rate; the run keeps {self.learning_rate:.2e}."
        tried = f"{self.curve[0][0]:.0e} to {self.curve[-1][0]:.0e}"
        found = f"The learning-rate finder suggests {self.suggestion:.2e} ({len(self.curve)} rates from {tried} tried)"
        if self.learning_rate == self.suggestion:
            return f"{found}; the run takes it."
        return f"{found}; the run takes {self.learning_rate:.2e}, the nearest of {BOUNDS[0]:.0e} to {BOUNDS[1]:.0e}."


def kept(store: CheckpointStore) -> RateSearch | None:
    """What the interrupted run whose checkpoints these are found; None where it left nothing readable."""
    found = read(store.folder / NAME)
    return found if found is not None and found.belongs_to == store.belongs_to else None


def read(path: Path) -> RateSearch | None:
    """What a finished search left; None where there is nothing readable."""
    with contextlib.suppress(OSError, files.InvalidJsonError, ValidationError):
        return RateSearch.model_validate(files.read_json(path))
    return None


def search(
    config: TrainingConfig, task: AcousticTask, need: Need, batches: Iterable[object], store: CheckpointStore
) -> RateSearch:
    """Run the test and keep what it found beside the checkpoints.

    Args:
        config: of the run; its rate is what remains where nothing can be found.
        task: of the model that will learn.
        need: memory of a batch.
        batches: at least STEPS.
        store: of the run.

    Raises:
        TrainingError: `not_enough_memory`, `out_of_memory`.
        StorageError: the disk is full or cannot be written.
    """
    import torch

    target, learning = store.folder / NAME, task.model.training
    state = {name: value.detach().clone() for name, value in task.model.state_dict().items()}
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    claim = claim_folder(target)  # Lightning keeps a checkpoint of its own meanwhile
    try:
        trainer = quiet_trainer(config, claim.path)
        split_to_fit(task, need, trainer.strategy.root_device, lambda text: None)  # the training will tell
        with torch.random.fork_rng(gpus), files.library_writes(target, OSError):
            suggestion, curve = _range_test(trainer, task, batches)
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
        task.model.cpu().load_state_dict(state)
        task.model.train(learning)
    rate = config.acoustic.optimiser.learning_rate if suggestion is None else _bounded(suggestion)
    found = RateSearch(belongs_to=store.belongs_to, suggestion=suggestion, learning_rate=rate, curve=curve)
    files.write_json(target, found.model_dump(mode="json"))
    return found


def _range_test(
    trainer: Trainer, task: AcousticTask, batches: Iterable[object]
) -> tuple[float | None, tuple[tuple[float, float], ...]]:
    """Lightning's suggestion and curve; its progress bar has no switch, and nobody sees it."""
    from lightning.pytorch.tuner import Tuner

    with contextlib.redirect_stderr(io.StringIO()):
        finder: Any = Tuner(trainer).lr_find(
            _probe(task), batches, min_lr=LEAST, max_lr=MOST, num_training=STEPS, update_attr=False
        )
        pairs = zip(finder.results["lr"], finder.results["loss"], strict=False)
        return finder.suggestion(), tuple(pair for pair in pairs if math.isfinite(pair[1]))


def _bounded(rate: float) -> float:
    return min(max(rate, BOUNDS[0]), BOUNDS[1])


def _probe(task: AcousticTask) -> LightningModule:
    """The model in Lightning's automatic optimisation, without which its range test sees no loss."""
    import torch
    from lightning.pytorch import LightningModule

    from voicemill.training.data import split_batch

    handler = signal.getsignal(signal.SIGTERM)

    class Probe(LightningModule):  # type: ignore[misc]  # Lightning is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return task.configure_optimizers()

        def on_train_start(self) -> None:
            take_back_sigterm(handler)
            self.train()

        def optimizer_zero_grad(self, *_: object) -> None:
            """Not between forward and backward: all parts but the last have had their backward pass by then."""

        def configure_gradient_clipping(self, optimizer: torch.optim.Optimizer, *_: object, **__: object) -> None:
            # Lightning's own refuses a fused optimiser under autocast.
            if limit := task.acoustic.optimiser.gradient_clip:
                torch.nn.utils.clip_grad_norm_(task.trained_parameters(), limit)

        def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
            self.zero_grad(set_to_none=True)
            torch.manual_seed(task.seed_base * 1_000_003 + batch_idx)
            *before, last = split_batch(batch, task.parts)
            seen = torch.zeros((), device=batch.mels.device)
            for part in before:
                loss = task.losses(part).total
                loss.backward()
                seen += loss.detach()
            loss = task.losses(last).total + seen
            if not torch.isfinite(loss):
                self.trainer.should_stop = True  # from here on every loss is that
            return loss

        def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
            return batch.to(device)

    return Probe()
