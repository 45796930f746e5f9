"""Selection of the best weights of a run by validation on held-out sentences, and early stopping."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicemill.errors import TrainingError
from voicemill.training.config import ValidationConfig
from voicemill.training.validation import Mel, ValidationScores, ValidationWorker

if TYPE_CHECKING:
    import torch

    from voicemill.training.fastpitch_module import AcousticModule


@dataclass
class _Candidate:
    """Weights whose validation is in progress."""

    step: int
    mels: list[Mel] | None
    weights: list[torch.Tensor]


class Selection:
    """Validates the voice at intervals and keeps the best weights.

    Only the first of several training processes has one; the others get `finished` from it.

    Attributes:
        measured: (step, score) of each validation so far.
        best_step: step of the best weights so far; 0 before the first validation.
        finished: the score no longer improves.
    """

    def __init__(
        self,
        config: ValidationConfig,
        module: AcousticModule,
        worker: ValidationWorker,
        predict: Callable[[], list[Mel]],
        note: Callable[[str], None],
    ) -> None:
        """
        Args:
            config: interval and patience.
            module: the model in training.
            worker: measures the predicted mels.
            predict: log-mels of the held-out sentences with the module's present weights.
            note: takes a message for each validation.
        """
        self._config, self._module, self._worker, self._predict, self._note = config, module, worker, predict, note
        self.measured: list[tuple[int, float]] = []
        self.best_step = 0
        self.finished = False
        self._best: list[torch.Tensor] | None = None
        self._candidate: _Candidate | None = None

    def after_step(self) -> None:
        """If a validation is due: take the result of the one before, and begin the next."""
        last = self._module.step == self._module.max_steps
        if not last and self._module.step % self._config.interval:
            return
        self._take()
        self.finished = (
            validations_without_gain([score for _, score in self.measured], self._config.least_gain)
            >= self._config.patience
        )
        if self.finished:
            self._note(f"The voice has not improved for {self._config.patience} validations; training ends here.")
        if self.finished and not last:
            return
        with self._module.averaged():
            try:
                mels: list[Mel] | None = self._predict()
            except TrainingError:
                mels = None  # a barely trained voice gives no sound
            weights = [weight.detach().clone() for weight in self._module.trained_parameters()]
        self._begin(_Candidate(self._module.step, mels, weights))
        if last:
            self._take()

    def _begin(self, candidate: _Candidate) -> None:
        self._candidate = candidate
        self._worker.submit(candidate.mels)

    def _take(self) -> None:
        if self._candidate is None:
            return
        scores: ValidationScores = self._worker.result()
        candidate, self._candidate = self._candidate, None
        self._note(f"Held-out sentences at step {candidate.step}: {scores}.")
        if scores.score <= min((score for _, score in self.measured), default=math.inf):
            self._best, self.best_step = candidate.weights, candidate.step
        self.measured.append((candidate.step, scores.score))

    def use_best(self) -> None:
        """Replace the last weights by the best ones, if a validation has been done."""
        if self._best is None:
            return
        import torch

        with torch.no_grad():
            for weight, value in zip(self._module.trained_parameters(), self._best, strict=True):
                weight.copy_(value)
        self._note(f"The weights of step {self.best_step} scored best on the held-out sentences and are kept.")

    def state(self) -> dict[str, object]:
        """The state to keep in a checkpoint; a validation in progress is repeated after a resume."""
        waiting, candidate = None, self._candidate
        if candidate is not None:
            import torch

            mels = None if candidate.mels is None else [torch.from_numpy(mel) for mel in candidate.mels]
            waiting = {"step": candidate.step, "mels": mels, "weights": candidate.weights}
        return {
            "measured": self.measured,
            "best_step": self.best_step,
            "best": self._best,
            "finished": self.finished,
            "waiting": waiting,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned, and begin a validation that was due at the step of the interruption."""
        self.measured = [(int(step), float(score)) for step, score in state["measured"]]
        self.best_step, self._best, self.finished = int(state["best_step"]), state["best"], bool(state["finished"])
        waiting = state["waiting"]
        if waiting is not None:
            mels = None if waiting["mels"] is None else [mel.numpy() for mel in waiting["mels"]]
            self._begin(_Candidate(int(waiting["step"]), mels, waiting["weights"]))
        begun = self._candidate.step if self._candidate else max((step for step, _ in self.measured), default=0)
        if self._module.step > begun and not self.finished:
            self.after_step()

    @contextlib.contextmanager
    def worker_running(self) -> Iterator[None]:
        """The validation worker is stopped at the end of the context."""
        try:
            yield
        finally:
            self._worker.close()


def validations_without_gain(scores: Sequence[float], least_gain: float) -> int:
    """Number of validations since the last one that improved the best score by at least the share `least_gain`."""
    reference, since = math.inf, 0
    for score in scores:
        if score < reference * (1 - least_gain):
            reference, since = score, 0
        else:
            since += 1
    return since
