"""The LightningModule of both trainings, with manual optimisation in numbered steps.

It guards the weights against non-finite steps, splits batches that do not fit in memory, and keeps and restores its
state. Imports torch and Lightning at once: import it inside functions, within `nemo_runtime()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ParallelStrategy

from voicemill.errors import TrainingError
from voicemill.training import memory, ranks
from voicemill.training.checkpoint import StepReport

_MicroBatch = TypeVar("_MicroBatch")
_Batch = TypeVar("_Batch")

MOST_SKIPPED = 4
"""Steps that a run may skip; with four halvings it trains at a sixteenth of its learning rate."""


@dataclass
class Recovery:
    """Recovery from non-finite losses and gradients: the step is skipped and the learning rate halved.

    The record of skipped steps is deterministic, and part of a checkpoint.

    Attributes:
        skipped: their numbers, from 1.
        hint: advice in the error when the run fails nevertheless.
    """

    hint: str
    skipped: list[int] = field(default_factory=list)

    @property
    def factor(self) -> float:
        """Factor on the learning rate."""
        return float(0.5 ** len(self.skipped))

    def skip(self, step: int, loss: float, *, last: bool) -> str:
        """Record that `step` was skipped, and return a message for a person.

        Args:
            step: its number, from 1.
            loss: of the step; it may be finite if only the gradient is not.
            last: no step follows that could show a recovery.

        Raises:
            TrainingError: `non_finite_loss:step=N`: too many skipped steps, or no step left.
        """
        self.skipped.append(step)
        if last or len(self.skipped) > MOST_SKIPPED:
            before = len(self.skipped) - 1
            raise TrainingError(
                f"The loss or its gradient is not finite at step {step} (loss {loss})"
                + (f", after {before} skipped steps, each of which halved the learning rate." if before else "."),
                reason=f"non_finite_loss:step={step}",
                hint=self.hint,
            )
        return (
            f"Warning: step {step} is skipped, its loss ({loss}) or gradient is not finite; the learning rate is "
            f"halved ({len(self.skipped)} of at most {MOST_SKIPPED} times)."
        )


class ManualOptimisation(LightningModule):  # type: ignore[misc]  # Lightning is not typed here
    """A model that is trained in numbered steps. It wraps NeMo's model, so that NeMo's own class is saved.

    Everything random in step `n` is seeded by (seed, n), and batch and learning rate are functions of `n`. A checkpoint
    needs only weights, optimiser states, the step, the skipped steps and the number of micro-batches.

    Attributes:
        step: number of steps taken, skipped ones included.
        micro_batches: number of micro-batches in a batch; their gradients add up to the batch's.
        note: takes messages for a person.
    """

    def __init__(self, model: torch.nn.Module, *, seed: int, max_steps: int, hint: str) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.seed_base = seed
        self.max_steps = max_steps
        self.step = 0
        self.micro_batches = 1
        self.recovery = Recovery(hint)
        self.note: Callable[[str], None] = lambda text: None
        self._optimiser_states: list[dict[str, object]] = []

    def report(self, seconds: float) -> StepReport | None:
        """The figures of the last step; None when it was skipped."""
        raise NotImplementedError

    def state(self) -> dict[str, object]:
        """The state to keep in a checkpoint."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.trainer.optimizers],
            "skipped": list(self.recovery.skipped),
            "parts": self.micro_batches,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; optimiser states are loaded once Lightning has created the optimisers."""
        self.model.load_state_dict(state["model"])
        self._optimiser_states = list(state["optimisers"])
        self.recovery.skipped[:] = [int(step) for step in state["skipped"]]
        self.step, self.micro_batches = int(state["step"]), int(state["parts"])

    def on_train_start(self) -> None:
        for optimiser, state in zip(self.trainer.optimizers, self._optimiser_states, strict=False):
            optimiser.load_state_dict(state)
        self._optimiser_states = []

    def set_rate(self, rate: float) -> float:
        """Set the learning rate of all optimisers to `rate`, reduced by skipped steps; returns the rate set."""
        rate *= self.recovery.factor
        for optimiser in self.trainer.optimizers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        return rate

    def split_to_fit(self, estimate: memory.MemoryEstimate, device: torch.device, note: Callable[[str], None]) -> None:
        """Set the number of micro-batches so that the largest batch fits in the memory of a device.

        Raises:
            TrainingError: `not_enough_memory`: the weights alone do not fit.
        """
        available = memory.available_bytes(device)
        if available is not None and estimate.micro_batches(available) > self.micro_batches:
            self.micro_batches = estimate.micro_batches(available)
            note(estimate.warning(available))

    def in_micro_batches(
        self,
        batch: _Batch,
        split: Callable[[_Batch, int], Sequence[_MicroBatch]],
        accumulate_gradients: Callable[[_MicroBatch], None],
        reset: Callable[[], None],
    ) -> None:
        """Accumulate the gradients of a batch, in as many micro-batches as memory requires.

        When memory runs out, the attempt is repeated with twice as many micro-batches.

        Args:
            batch: of this step.
            split: (batch, n) -> its micro-batches; fewer than n when there is nothing left to split.
            accumulate_gradients: forward and backward pass of a micro-batch, weighted by its share of the batch.
            reset: discards the results of `accumulate_gradients` after a failed attempt.

        Raises:
            TrainingError: `out_of_memory`: even one clip at a time does not fit.
        """
        while True:
            torch.manual_seed(self.seed_base * 1_000_003 + self.step + ranks.rank() * 1_000_000_007)
            micro_batches = split(batch, self.micro_batches)
            try:
                # Ranks may split differently: gradients are averaged once a step, in `update`.
                with self._unsynchronised():
                    for micro_batch in micro_batches:
                        accumulate_gradients(micro_batch)
            except (RuntimeError, MemoryError) as error:
                if not memory.is_out_of_memory(error):
                    raise
                if len(split(batch, self.micro_batches * 2)) == len(micro_batches):
                    raise TrainingError(
                        f"There is not enough memory for step {self.step + 1}, even for one clip at a time.",
                        reason="out_of_memory",
                        hint="Close other programs, take a smaller preset, or shorter clips.",
                    ) from error
            else:
                return
            # Outside of the except block: the error's traceback holds the tensors of the attempt.
            reset()
            for optimiser in self.trainer.optimizers:
                optimiser.zero_grad(set_to_none=True)
            memory.release()
            self.micro_batches *= 2
            self.note(
                f"Warning: memory ran out in step {self.step + 1}; from now on a batch is split into "
                f"{self.micro_batches} micro-batches, with the same gradient."
            )

    def _unsynchronised(self) -> AbstractContextManager[None]:
        strategy = self.trainer.strategy
        return strategy.block_backward_sync() if isinstance(strategy, ParallelStrategy) else nullcontext()

    def update(self, optimiser: Any, loss: torch.Tensor, gradient_clip: float = 0.0) -> bool:
        """Step an optimiser and clear its gradients; a step with a non-finite loss or gradient is skipped.

        Gradients are averaged over the ranks first, so all ranks decide alike.

        Args:
            optimiser: one of `self.optimizers()`.
            loss: the loss of the gradients, averaged over the ranks.
            gradient_clip: largest gradient norm; 0 does not clip.

        Returns:
            Whether the optimiser stepped.
        """
        weights = [weight for group in optimiser.param_groups for weight in group["params"] if weight.grad is not None]
        ranks.average_gradients(weights)
        if gradient_clip:
            norm = torch.nn.utils.clip_grad_norm_(weights, gradient_clip)
        else:
            norm = torch.nn.utils.get_total_norm([weight.grad for weight in weights])
        finite = bool(torch.isfinite(norm) & torch.isfinite(loss))
        if finite:
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return finite
