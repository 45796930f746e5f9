"""What to do about a loss or a gradient that is not finite: skip the step, halve the rate, and soon give up.

A pure record of skipped steps: the same run skips the same steps, and a checkpoint carries the record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from voicemill.errors import TrainingError

MOST_SKIPPED = 4
"""Steps that a run may skip; at a sixteenth of its rate it would hardly learn any more."""


@dataclass
class Recovery:
    """The steps that were skipped so far.

    Attributes:
        skipped: their numbers, from 1.
        hint: what to do when it does not help.
    """

    hint: str
    skipped: list[int] = field(default_factory=list)

    @property
    def factor(self) -> float:
        """What is left of the learning rate."""
        return float(0.5 ** len(self.skipped))

    def skip(self, step: int, loss: float, *, last: bool) -> str:
        """Record that `step` taught nothing, and return a line for the log.

        Args:
            step: its number, from 1.
            loss: of the step; it may be finite where only the gradient is not.
            last: there is no step after it that could show a recovery.

        Raises:
            TrainingError: `non_finite_loss:step=N`: too many, or no step left.
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
