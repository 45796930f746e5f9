"""Shows a training while it runs: live figures, a TensorBoard log, and the training report.

The training report is drawn by a low-priority process beside the training.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import queue
import resource
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill import machine
from voicemill.lane.reporter import LaneReporter
from voicemill.protocol import Scalar
from voicemill.training.checkpoint import StepReport
from voicemill.training.hooks import Hooks, Preview
from voicemill.workers import lower_priority

if TYPE_CHECKING:
    from voicemill.evaluation.training_page import TrainingPage

_LINES = 20
"""STATS lines of one training, in addition to the one of its first step."""
_AVERAGED = 50
"""Steps over which the speed is averaged."""


_TIMED_STEPS = 400
"""Steps of the estimate: enough for short and long batches, few enough to follow a change of the machine's load."""


_SHARE_SECONDS = 60.0
"""Wall time over which the share of the cores is averaged: as long as the load average."""


@dataclass
class TimeLeft:
    """Seconds left, updated after each step.

    The processor time of a step hardly depends on other work on the machine, so its mean over many steps gives the
    processor time that is left. The share of the cores that the run got in the last minute turns it into wall time: the
    estimate follows a change of the load within a minute. The load to come is not known.

    The first step of a run is excluded: it includes loading and compiling.

    Attributes:
        work: seconds of processor time left; None before two steps, or where it is not measured.
    """

    max_steps: int
    work: float | None = field(default=None, init=False)
    _times: deque[tuple[int, float, float | None]] = field(
        default_factory=lambda: deque(maxlen=_TIMED_STEPS), repr=False
    )

    def update(self, step: int, now: float, cpu: float | None = None) -> float | None:
        """Seconds left after `step` (from 1); None before two steps. Skipped steps count: they take as long.

        Args:
            step: that has ended.
            now: its end, in seconds.
            cpu: processor time of the run so far, in seconds; None where other processes train.
        """
        self._times.append((step, now, cpu))
        (first, began, used) = self._times[0]
        if step == first:
            return None
        todo = self.max_steps - step
        if cpu is None or used is None:
            return (now - began) / (step - first) * todo
        self.work = (cpu - used) / (step - first) * todo
        recent = next(each for each in self._times if each[1] >= now - _SHARE_SECONDS or each[0] == step - 1)
        spent = cpu - (recent[2] or 0.0)
        return self.work * (now - recent[1]) / spent if spent > 0 else (now - began) / (step - first) * todo


def format_duration(seconds: float) -> str:
    """`1:02:03`, `2:03` or `0:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass
class StepDisplay:
    """Shows each step of one model to a person, most important figure first, and writes a STATS line now and then.

    Attributes:
        here: this process trains; False if other processes do, whose processor time is not known.
    """

    title: str
    max_steps: int
    reporter: LaneReporter
    here: bool = True
    _left: TimeLeft = field(init=False)
    _recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_AVERAGED), init=False)

    def __post_init__(self) -> None:
        self._left = TimeLeft(self.max_steps)

    def step(self, report: StepReport) -> None:
        """Show a step that is done."""
        self._recent.append((report.seconds, report.frames))
        left = self._left.update(report.step, report.seconds, time.process_time() if self.here else None)
        work = self._left.work
        self.reporter.advance(report.step, self._line(report, left, work))
        every = max(1, self.max_steps // _LINES)
        if report.step == 1 or report.step % every == 0 or report.step == self.max_steps:
            values: dict[str, Scalar] = {
                "model": self.title,
                "step": report.step,
                "max_steps": self.max_steps,
                "loss": round(report.loss, 5),
                "frames_per_second": self._speed(),
                "seconds_left": None if left is None else round(left),
                "cpu_seconds_left": None if work is None else round(work),
            }
            self.reporter.stats(values | self._load())

    def _load(self) -> dict[str, Scalar]:
        """Load and cores, where others than this training keep the cores busy."""
        found = machine.load()
        if found is None or not found.busy(own=found.cores):
            return {}
        return {"cores": found.cores, "load": round(found.processes, 1)}

    def _speed(self) -> int | None:
        """Mel frames a second, without padding; None at the first step."""
        (began, _), (now, _) = self._recent[0], self._recent[-1]
        trained = sum(frames for _, frames in self._recent) - self._recent[0][1]
        return round(trained / (now - began)) if now > began else None

    def _line(self, report: StepReport, left: float | None, work: float | None) -> str:
        speed = self._speed()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        terms = f"mel {report.mel_loss:.3f}"
        if report.duration_loss or report.pitch_loss:
            terms += f" duration {report.duration_loss:.3f} pitch {report.pitch_loss:.3f}"
        load = machine.load()
        needed = "" if work is None else f", {format_duration(work)} of processor time needed"
        parts = [
            f"loss {report.loss:.3f}",
            "" if left is None else f"{format_duration(left)} left",
            "" if speed is None else f"{speed} frames/s",
            terms,
            f"rate {report.learning_rate:.1e}",
            f"busy: {load.text}{needed}" if load is not None and load.busy(own=load.cores) else "",
            f"{memory:.0f} MB",
        ]
        return " · ".join(part for part in parts if part)


TENSORBOARD = "tensorboard"
"""Folder of the event files, in the folder of the model's checkpoints."""


@contextlib.contextmanager
def event_log(folder: Path) -> Iterator[Callable[[StepReport], None]]:
    """A function that logs a step for `tensorboard --logdir work/checkpoints`; it does nothing without TensorBoard.

    TensorBoard's own record writer is used, because torch's takes seconds to import and writes from a thread. A full
    disk does not end the training.
    """
    if importlib.util.find_spec("tensorboard") is None:
        yield lambda report: None
        return
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    (folder / TENSORBOARD).mkdir(parents=True, exist_ok=True)
    # Unbuffered, so that closing it writes nothing: only `log` can meet a full disk.
    with (folder / TENSORBOARD / f"events.out.tfevents.{time.time_ns()}").open("wb", buffering=0) as file:
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


LAST_PAGE_SECONDS = 120.0
"""Limit on the wait for the last page at the end of a training; it takes about a second on an idle machine."""


@dataclass
class PageProcess:
    """The process that draws the page; it starts with the first preview."""

    page: TrainingPage
    _pending: list[StepReport] = field(default_factory=list)
    _process: Any = None
    _inbox: Any = None

    def step(self, report: StepReport) -> None:
        """Remember a step for the curves."""
        self._pending.append(report)

    def preview(self, previews: list[Preview]) -> None:
        """Ask for the page to be drawn; returns at once."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._inbox = context.Queue()
            self._process = context.Process(target=_draw_pages, args=(self.page, self._inbox), daemon=True)
            self._process.start()
        self._inbox.put((self._pending, previews))
        self._pending = []

    def finish(self) -> bool:
        """Wait for the last page, up to `LAST_PAGE_SECONDS`; False if a page could not be drawn."""
        if self._process is None:
            return True
        self._inbox.put(None)
        self._process.join(LAST_PAGE_SECONDS)
        drawn: bool = self._process.exitcode == 0
        self.stop()
        return drawn

    def stop(self) -> None:
        """Terminate the process; pages are written atomically."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._inbox.cancel_join_thread()
            self._inbox.close()
            self._process = None


@contextlib.contextmanager
def report_page(hooks: Hooks, page: TrainingPage, times: int) -> Iterator[Hooks]:
    """Hooks that also have the training report drawn, `times` times in all; 0 leaves them unchanged.

    An interrupted training does not wait for its page, and a page that cannot be drawn does not fail the training.
    """
    if times == 0:
        yield hooks
        return
    process = PageProcess(page)

    def on_step(report: StepReport) -> None:
        hooks.on_step(report)
        process.step(report)

    every = preview_interval(page.max_steps, times)
    try:
        yield replace(hooks, on_step=on_step, preview_every=every, on_preview=process.preview)
        if not process.finish():
            hooks.note(
                f"Warning: {page.path.name} does not show the end of the training: it could not be drawn in time."
            )
    finally:
        process.stop()


def preview_interval(steps: int, times: int) -> int:
    """Steps between two previews of a training, so that it has at most `times` of them."""
    return max(1, -(-steps // times))


def page_path(reports: Path, voice: str) -> Path:
    """Path of the training report of a voice."""
    return reports / f"{voice}.training.html"


def _draw_pages(
    page: TrainingPage, inbox: multiprocessing.Queue[tuple[list[StepReport], list[Preview]] | None]
) -> None:
    """Draw a page for the newest previews until there are no more; run in the process."""
    lower_priority()
    while not page.finished:
        received = inbox.get()
        while received is not None:
            page.reports.extend(received[0])
            page.add(received[1])
            try:
                received = inbox.get_nowait()
            except queue.Empty:
                break
        page.finished = received is None
        page.write()
