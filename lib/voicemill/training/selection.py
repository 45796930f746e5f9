"""Which weights of a run are kept: those that spoke the held-out sentences best; and whether going on is worth it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicemill.errors import TrainingError
from voicemill.training.config import ValidationConfig
from voicemill.training.validation import Listener, Mel, Quality

if TYPE_CHECKING:
    import torch

    from voicemill.training.fastpitch_module import AcousticTask


@dataclass
class _Candidate:
    """Weights whose quality is being measured."""

    step: int
    mels: list[Mel] | None
    weights: list[torch.Tensor]


class Selection:
    """Asked after each step. One process decides; several that train together have to be told (`finished`).

    Attributes:
        measured: (step, score) of each validation so far.
        best_step: whose weights are the best so far; 0 before the first validation.
        finished: the quality no longer improves.
    """

    def __init__(
        self,
        config: ValidationConfig,
        task: AcousticTask,
        listener: Listener,
        predict: Callable[[], list[Mel]],
        note: Callable[[str], None],
    ) -> None:
        """
        Args:
            config: when, and how patient.
            task: what learns.
            listener: measures.
            predict: log-mels of the held-out sentences with the task's present weights.
            note: hears of each quality.
        """
        self._config, self._task, self._listener, self._predict, self._note = config, task, listener, predict, note
        self.measured: list[tuple[int, float]] = []
        self.best_step = 0
        self.finished = False
        self._best: list[torch.Tensor] | None = None
        self._candidate: _Candidate | None = None

    def after_step(self) -> None:
        """Take the result of the validation before, and begin the next, where one is due."""
        last = self._task.step == self._task.max_steps
        if not last and self._task.step % self._config.interval:
            return
        self._take()
        self.finished = no_gain([score for _, score in self.measured], self._config.least_gain) >= self._config.patience
        if self.finished:
            self._note(f"The voice has not improved for {self._config.patience} validations; training ends here.")
        if self.finished and not last:
            return
        with self._task.averaged():
            try:
                mels: list[Mel] | None = self._predict()
            except TrainingError:
                mels = None  # a voice that is too young to give any sound
            weights = [weight.detach().clone() for weight in self._task.trained_parameters()]
        self._begin(_Candidate(self._task.step, mels, weights))
        if last:
            self._take()

    def _begin(self, candidate: _Candidate) -> None:
        self._candidate = candidate
        self._listener.submit(candidate.mels)

    def _take(self) -> None:
        if self._candidate is None:
            return
        quality: Quality = self._listener.result()
        candidate, self._candidate = self._candidate, None
        self._note(f"Held-out sentences at step {candidate.step}: {quality}.")
        if quality.score <= min((score for _, score in self.measured), default=math.inf):
            self._best, self.best_step = candidate.weights, candidate.step
        self.measured.append((candidate.step, quality.score))

    def use_best(self) -> None:
        """Put the best weights, if any were measured, in place of the last ones."""
        if self._best is None:
            return
        import torch

        with torch.no_grad():
            for weight, value in zip(self._task.trained_parameters(), self._best, strict=True):
                weight.copy_(value)
        self._note(f"The weights of step {self.best_step} spoke the held-out sentences best, and are kept.")

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps; what is being measured is measured again after a resume."""
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
        """Take what `state` kept, and begin the validation that an interruption right at its step put off."""
        self.measured = [(int(step), float(score)) for step, score in state["measured"]]
        self.best_step, self._best, self.finished = int(state["best_step"]), state["best"], bool(state["finished"])
        waiting = state["waiting"]
        if waiting is not None:
            mels = None if waiting["mels"] is None else [mel.numpy() for mel in waiting["mels"]]
            self._begin(_Candidate(int(waiting["step"]), mels, waiting["weights"]))
        begun = self._candidate.step if self._candidate else max((step for step, _ in self.measured), default=0)
        if self._task.step > begun and not self.finished:
            self.after_step()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within, the process beside the training may run."""
        try:
            yield
        finally:
            self._listener.close()


def no_gain(scores: Sequence[float], least_gain: float) -> int:
    """How many of the last scores were no better than the best before them by `least_gain` of it."""
    reference, since = math.inf, 0
    for score in scores:
        if score < reference * (1 - least_gain):
            reference, since = score, 0
        else:
            since += 1
    return since
