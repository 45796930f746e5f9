"""Recovery from non-finite losses and gradients: the step is skipped and the learning rate halved, at most four times.

The record of skipped steps is deterministic, and part of a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from voicemill.errors import TrainingError

MOST_SKIPPED = 4
"""Steps that a run may skip; with four halvings it trains at a sixteenth of its learning rate."""


@dataclass
class Recovery:
    """The steps that were skipped so far.

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
