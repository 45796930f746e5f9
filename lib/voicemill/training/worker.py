"""One of several processes that train a model together, and what it tells the process that waits.

torchrun starts it on each device, or Ray (`cluster`); only the first rank tells steps, notes and the result. Each may
tell why it ended.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.errors import TrainingError, VoicemillError
from voicemill.training import ranks
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks


class Work(BaseModel):
    """What to train; the arguments of `train_acoustic` or `train_vocoder`.

    Attributes:
        base: `.nemo` to start from.
        gta_dir: aligned mels, for a vocoder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: Literal["acoustic", "vocoder"]
    config: TrainingConfig
    dataset: Path
    out: Path
    base: Path | None = None
    gta_dir: Path | None = None
    resume: bool = False


Kind = Literal["step", "note", "error", "result"]
Tell = Callable[[Kind, object], None]


def take_part(task: Work, tell: Tell, should_stop: Callable[[], bool]) -> None:
    """Train as one of the ranks of a group.

    Args:
        task: what to train, the same for all ranks.
        tell: hears each `StepReport` (step), line for a person (note) and the `TrainingResult` (result).
        should_stop: asked after each step; one rank that wants to stop is enough.

    Raises:
        VoicemillError: the training cannot go on; or `rank_lost`.
    """
    with ranks.joined(task.config.accelerator):
        if ranks.rank():
            _train(task, Hooks(should_stop=should_stop))
            return
        hooks = Hooks(
            on_step=lambda report: tell("step", report), note=lambda text: tell("note", text), should_stop=should_stop
        )
        tell("result", _train(task, hooks))


@dataclass
class Heard:
    """What the ranks have told, on the side that waits.

    Attributes:
        hooks: hear of steps and notes.
        errors: why ranks ended.
    """

    hooks: Hooks
    errors: list[VoicemillError] = field(default_factory=list)
    _result: TrainingResult | None = None
    _last: StepReport | None = None
    _before: float = 0.0

    def hear(self, kind: Kind, value: object) -> None:
        """Take what a rank told."""
        if isinstance(value, StepReport):
            if self._last is None or value.step > self._last.step:
                self._last = dataclasses.replace(value, seconds=self._before + value.seconds)
                self.hooks.on_step(self._last)
        elif isinstance(value, VoicemillError):
            self.errors.append(value)
        elif isinstance(value, TrainingResult):
            self._result = value
        elif kind == "note":
            self.hooks.note(str(value))

    def restarted(self) -> None:
        """All ranks begin again: steps that they learn again are old news, and their clocks start at zero."""
        self.errors.clear()
        self._before = self._last.seconds if self._last else 0.0

    def result(self, died: TrainingError) -> TrainingResult:
        """The result.

        Raises:
            VoicemillError: what the first rank that failed said, or `died` where none said anything.
        """
        if self._result is not None:
            return self._result
        self.errors.sort(key=lambda error: error.reason == "rank_lost")  # what came first is the cause
        raise self.errors[0] if self.errors else died


def work(path: Path, told: TextIO) -> int:
    """Do the work that a file describes, as the rank that torchrun's environment says; returns the exit code.

    Args:
        path: JSON of a `Work`.
        told: gets one JSON object a line: `step`, `note`, `result` or `error`.
    """
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    lines = Lines(told)
    try:
        take_part(Work.model_validate(files.read_json(path)), lines.tell, asked.is_set)
    except VoicemillError as error:
        lines.tell("error", error)
        return error.exit_code
    return 0


def _train(task: Work, hooks: Hooks) -> TrainingResult:
    if task.model == "acoustic":
        from voicemill.training.train_fastpitch import train_acoustic

        return train_acoustic(task.config, task.dataset, task.out, resume=task.resume, init_from=task.base, hooks=hooks)
    from voicemill.training.train_hifigan import train_vocoder

    return train_vocoder(
        task.config, task.dataset, task.out, base=task.base, gta_dir=task.gta_dir, resume=task.resume, hooks=hooks
    )


class Lines:
    """JSON lines, each whole even where several processes write."""

    def __init__(self, told: TextIO) -> None:
        self._told = told

    def tell(self, kind: Kind, value: object) -> None:
        """One line."""
        if isinstance(value, VoicemillError):
            value = {"message": str(value), "reason": value.reason, "hint": value.hint, "code": value.exit_code}
        elif isinstance(value, StepReport | TrainingResult):
            value = dataclasses.asdict(value)
        self._told.write(json.dumps({kind: value}, default=str) + "\n")
        self._told.flush()
