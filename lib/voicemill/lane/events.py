"""TensorBoard logs of a training: `tensorboard --logdir work/checkpoints` shows them, also while it runs."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from voicemill.training.checkpoint import StepReport

FOLDER = "tensorboard"


@contextlib.contextmanager
def event_log(folder: Path) -> Iterator[Callable[[StepReport], None]]:
    """Within, each step that is given is logged below `folder`; nothing is where TensorBoard is not installed.

    Its own record writer, because torch's takes seconds to import and writes from a thread. A full disk is
    no reason to end a training for its log.
    """
    if importlib.util.find_spec("tensorboard") is None:
        yield lambda report: None
        return
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    # Unbuffered: closing it writes nothing more, so that only `log` meets a full disk.
    with (folder / FOLDER / f"events.out.tfevents.{time.time_ns()}").open("wb", buffering=0) as file:
        writer = RecordWriter(file)

        def write(event: Event) -> None:
            with contextlib.suppress(OSError):
                writer.write(event.SerializeToString())

        def log(report: StepReport) -> None:
            figures = {
                "loss/total": report.loss,
                "loss/mel": report.mel_loss,
                "loss/duration": report.duration_loss,
                "loss/pitch": report.pitch_loss,
                "learning_rate": report.learning_rate,
            }
            values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
            write(Event(step=report.step, wall_time=time.time(), summary=Summary(value=values)))

        write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        yield log
