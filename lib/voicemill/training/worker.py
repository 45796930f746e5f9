"""A rank: one of several processes that train a model together, and its messages to the process that started it.

torchrun starts a rank on each device (`launch`), or Ray does (`cluster`). The first rank sends steps, notes and the
result; every rank sends its error.
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


class TrainingJob(BaseModel):
    """A training; the arguments of `train_acoustic` or `train_vocoder`.

    Attributes:
        model: the model to train.
        config: settings.
        dataset: folder of the prepared dataset.
        out: folder for the model and its checkpoints.
        base: `.nemo` to start from.
        gta_dir: folder of ground-truth-aligned mels, for a vocoder.
        resume: continue from the newest checkpoint in `out`.
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
Send = Callable[[Kind, object], None]


def run_rank(job: TrainingJob, send: Send, should_stop: Callable[[], bool]) -> None:
    """Train as one rank of a group.

    Args:
        job: the same for all ranks.
        send: takes each `StepReport` (step), message for a person (note) and the `TrainingResult` (result).
        should_stop: called after each step; all ranks stop when it is true on one of them.

    Raises:
        VoicemillError: the training failed. TrainingError `rank_lost`: another rank failed.
    """
    with ranks.process_group(job.config.accelerator):
        if ranks.rank():
            _train(job, Hooks(should_stop=should_stop))
            return
        hooks = Hooks(
            on_step=lambda report: send("step", report), note=lambda text: send("note", text), should_stop=should_stop
        )
        send("result", _train(job, hooks))


@dataclass
class RankMessages:
    """The messages of the ranks, in the process that started them.

    Attributes:
        hooks: get steps and notes.
        errors: of ranks that failed.
    """

    hooks: Hooks
    errors: list[VoicemillError] = field(default_factory=list)
    _result: TrainingResult | None = None
    _last: StepReport | None = None
    _before: float = 0.0

    def receive(self, kind: Kind, value: object) -> None:
        """Handle a message."""
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
        """All ranks start again from a checkpoint: repeated steps are not reported twice, and clocks start at zero."""
        self.errors.clear()
        self._before = self._last.seconds if self._last else 0.0

    def result(self, died: TrainingError) -> TrainingResult:
        """The result of the training.

        Raises:
            VoicemillError: the error of the first rank that failed, or `died` if none sent an error.
        """
        if self._result is not None:
            return self._result
        self.errors.sort(key=lambda error: error.reason == "rank_lost")  # an error of another kind is the cause
        raise self.errors[0] if self.errors else died


def main(path: Path, output: TextIO) -> int:
    """Run the job of a file as the rank of torchrun's environment; returns the exit code.

    Args:
        path: JSON of a `TrainingJob`.
        output: gets one JSON object a line: `step`, `note`, `result` or `error`.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    messages = MessageWriter(output)
    try:
        run_rank(TrainingJob.model_validate(files.read_json(path)), messages.send, stop.is_set)
    except VoicemillError as error:
        messages.send("error", error)
        return error.exit_code
    return 0


def _train(job: TrainingJob, hooks: Hooks) -> TrainingResult:
    if job.model == "acoustic":
        from voicemill.training.train_fastpitch import train_acoustic

        return train_acoustic(job.config, job.dataset, job.out, resume=job.resume, init_from=job.base, hooks=hooks)
    from voicemill.training.train_hifigan import VocoderInputs, train_vocoder

    inputs = VocoderInputs(job.base, job.gta_dir)
    return train_vocoder(job.config, job.dataset, job.out, inputs, resume=job.resume, hooks=hooks)


class MessageWriter:
    """Writes messages as JSON lines; each line is written at once, as several processes share the stream."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def send(self, kind: Kind, value: object) -> None:
        """Write one message."""
        if isinstance(value, VoicemillError):
            value = {"message": str(value), "reason": value.reason, "hint": value.hint, "code": value.exit_code}
        elif isinstance(value, StepReport | TrainingResult):
            value = dataclasses.asdict(value)
        self._output.write(json.dumps({kind: value}, default=str) + "\n")
        self._output.flush()
