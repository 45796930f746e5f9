"""The training report, drawn while the training runs by a process beside it that gives way to it."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill.training.checkpoint import StepReport
from voicemill.training.hooks import Hooks, Preview
from voicemill.workers import lower_priority

if TYPE_CHECKING:
    from voicemill.evaluation.training_page import TrainingPage

LAST_PAGE_SECONDS = 120.0
"""How long the end of a training waits for its last page, at most: a second, where nothing else runs."""


@dataclass
class Painter:
    """The process beside the training; it starts with the first preview."""

    page: TrainingPage
    _untold: list[StepReport] = field(default_factory=list)
    _process: Any = None
    _inbox: Any = None

    def step(self, report: StepReport) -> None:
        """Remember a step for the curves."""
        self._untold.append(report)

    def preview(self, previews: list[Preview]) -> None:
        """Have the page drawn; returns at once."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._inbox = context.Queue()
            self._process = context.Process(target=_paint, args=(self.page, self._inbox), daemon=True)
            self._process.start()
        self._inbox.put((self._untold, previews))
        self._untold = []

    def finish(self) -> bool:
        """Wait a little for the last page; whether every page could be drawn."""
        if self._process is None:
            return True
        self._inbox.put(None)
        self._process.join(LAST_PAGE_SECONDS)
        drawn: bool = self._process.exitcode == 0
        self.stop()
        return drawn

    def stop(self) -> None:
        """End the process, whatever it does: the page in place stays whole."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._inbox.cancel_join_thread()
            self._inbox.close()
            self._process = None


@contextlib.contextmanager
def watched(hooks: Hooks, page: TrainingPage, times: int) -> Iterator[Hooks]:
    """Within, the hooks that are given also have the page drawn, `times` times in all; 0 leaves them as they are.

    An interrupted training does not wait for its page, and a page that cannot be drawn is no reason to fail.
    """
    if times == 0:
        yield hooks
        return
    painter = Painter(page)

    def on_step(report: StepReport) -> None:
        hooks.on_step(report)
        painter.step(report)

    every = max(1, -(-page.max_steps // times))
    try:
        yield replace(hooks, on_step=on_step, preview_every=every, on_preview=painter.preview)
        if not painter.finish():
            hooks.note(
                f"Warning: {page.path.name} does not show the end of the training: it could not be drawn in time."
            )
    finally:
        painter.stop()


def page_path(reports: Path, voice: str) -> Path:
    """Where the training report of a voice lies."""
    return reports / f"{voice}.training.html"


def _paint(page: TrainingPage, inbox: multiprocessing.Queue[tuple[list[StepReport], list[Preview]] | None]) -> None:
    """The life of the process: draw what comes, and only the newest of what has piled up."""
    lower_priority()
    while not page.finished:
        told = inbox.get()
        while told is not None:
            page.reports.extend(told[0])
            page.add(told[1])
            try:
                told = inbox.get_nowait()
            except queue.Empty:
                break
        page.finished = told is None
        page.write()
