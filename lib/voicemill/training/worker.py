"""One of several processes that train a model together, and the lines by which it tells the process that waits.

torchrun starts it on each device; only the first rank tells steps, notes and the result. Each may tell why it ended.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import threading
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.errors import VoicemillError
from voicemill.training import ranks
from voicemill.training.checkpoint import TrainingResult
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
        task = Work.model_validate(files.read_json(path))
        with ranks.joined(task.config.accelerator):
            if ranks.rank():
                _train(task, Hooks(should_stop=asked.is_set))
            else:
                hooks = Hooks(
                    on_step=lambda report: lines.tell("step", dataclasses.asdict(report)),
                    note=lambda text: lines.tell("note", text),
                    should_stop=asked.is_set,
                )
                lines.tell("result", {**dataclasses.asdict(_train(task, hooks))})
    except VoicemillError as error:
        told_error = {"message": str(error), "reason": error.reason, "hint": error.hint, "code": error.exit_code}
        lines.tell("error", told_error)
        return error.exit_code
    return 0


def _train(task: Work, hooks: Hooks) -> TrainingResult:
    if task.model == "acoustic":
        from voicemill.training.loop import train_acoustic

        return train_acoustic(task.config, task.dataset, task.out, resume=task.resume, init_from=task.base, hooks=hooks)
    from voicemill.training.hifigan import train_vocoder

    return train_vocoder(
        task.config, task.dataset, task.out, base=task.base, gta_dir=task.gta_dir, resume=task.resume, hooks=hooks
    )


class Lines:
    """JSON lines, each whole even where several processes write."""

    def __init__(self, told: TextIO) -> None:
        self._told = told

    def tell(self, kind: str, value: object) -> None:
        """One line."""
        self._told.write(json.dumps({kind: value}, default=str) + "\n")
        self._told.flush()
