"""What both trainings do alike in a step: guard the weights, split a batch that is too large, keep and restore state.

Imports torch and Lightning at once: import it inside functions, within `nemo_runtime()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ParallelStrategy

from voicemill.errors import TrainingError
from voicemill.training import memory, ranks
from voicemill.training.checkpoint import StepReport
from voicemill.training.recovery import Recovery

_Part = TypeVar("_Part")
Batch = TypeVar("Batch")


class Task(LightningModule):  # type: ignore[misc]  # Lightning is not typed here
    """A model that learns in numbered steps. Composition instead of a subclass, so that NeMo's own class is saved.

    Everything random in step `n` is seeded by (seed, n), and batch and rate are functions of `n`: weights, optimiser
    states, the step, the skipped steps and the number of parts are all that a checkpoint needs.

    Attributes:
        step: steps done; skipped ones count.
        parts: into how many a batch is split, one after the other, with the gradient of the whole.
        note: hears of what a person should know.
    """

    def __init__(self, model: torch.nn.Module, *, seed: int, max_steps: int, hint: str) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.seed_base = seed
        self.max_steps = max_steps
        self.step = 0
        self.parts = 1
        self.recovery = Recovery(hint)
        self.note: Callable[[str], None] = lambda text: None
        self._optimiser_states: list[dict[str, object]] = []

    def report(self, seconds: float) -> StepReport | None:
        """The figures of the step that was just taken; None when it was skipped."""
        raise NotImplementedError

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.trainer.optimizers],
            "skipped": list(self.recovery.skipped),
            "parts": self.parts,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take what `state` kept; optimiser states wait for Lightning to make the optimisers."""
        self.model.load_state_dict(state["model"])
        self._optimiser_states = list(state["optimisers"])
        self.recovery.skipped[:] = [int(step) for step in state["skipped"]]
        self.step, self.parts = int(state["step"]), int(state["parts"])

    def on_train_start(self) -> None:
        for optimiser, state in zip(self.trainer.optimizers, self._optimiser_states, strict=False):
            optimiser.load_state_dict(state)
        self._optimiser_states = []

    def set_rate(self, rate: float) -> float:
        """Give all optimisers this rate, or what the recovery leaves of it; returns the rate set."""
        rate *= self.recovery.factor
        for optimiser in self.trainer.optimizers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        return rate

    def in_parts(
        self,
        batch: Batch,
        split: Callable[[Batch, int], Sequence[_Part]],
        learn: Callable[[_Part], None],
        forget: Callable[[], None],
    ) -> None:
        """Let `learn` see the batch whole, or in as many parts as memory allows; it adds to the gradients.

        Args:
            batch: of this step.
            split: (batch, n) -> its parts; fewer than n when there is nothing left to split.
            learn: forward and backward of one part, weighted by its share of the batch.
            forget: drops what `learn` gathered in an attempt that failed.

        Raises:
            TrainingError: `out_of_memory`: even one clip at a time is too much.
        """
        while True:
            torch.manual_seed(self.seed_base * 1_000_003 + self.step + ranks.rank() * 1_000_000_007)
            parts = split(batch, self.parts)
            try:
                # Ranks may split differently: gradients meet once a step, in `update`.
                with self._unsynchronised():
                    for part in parts:
                        learn(part)
            except (RuntimeError, MemoryError) as error:
                if not memory.is_out_of_memory(error):
                    raise
                if len(split(batch, self.parts * 2)) == len(parts):
                    raise TrainingError(
                        f"There is not enough memory for step {self.step + 1}, even for one clip at a time.",
                        reason="out_of_memory",
                        hint="Close other programs, take a smaller preset, or shorter clips.",
                    ) from error
            else:
                return
            # Outside of the except block: the error's traceback holds the tensors of the attempt.
            forget()
            for optimiser in self.trainer.optimizers:
                optimiser.zero_grad(set_to_none=True)
            memory.release()
            self.parts *= 2
            self.note(
                f"Warning: memory ran out in step {self.step + 1}; from now on a batch is learned in {self.parts} "
                "parts, with the same effect."
            )

    def _unsynchronised(self) -> AbstractContextManager[None]:
        strategy = self.trainer.strategy
        return strategy.block_backward_sync() if isinstance(strategy, ParallelStrategy) else nullcontext()

    def update(self, optimiser: Any, loss: torch.Tensor, gradient_clip: float = 0.0) -> bool:
        """Step an optimiser, unless the loss or the gradient is not finite; either way the gradient is used up.

        All ranks decide alike: gradients are averaged over them, and with them whatever is not finite.

        Args:
            optimiser: one of `self.optimizers()`.
            loss: what the gradients are of, averaged over the ranks.
            gradient_clip: largest gradient norm; 0 does not clip.
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
