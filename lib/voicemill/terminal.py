"""Progress, notes and tables on a terminal's stderr; stdout is reserved for the protocol.

All data is shown as text: never as rich markup, and with control characters escaped.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from voicemill.protocol import one_line

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress, TaskID


def plain_text(text: str) -> str:
    """Text that a terminal shows and never obeys: characters that are not printable are escaped, line breaks stay."""
    return "\n".join(map(one_line, text.split("\n")))


def json_text(value: object) -> str:
    """Indented JSON for people and programs; characters that a terminal would obey are escaped."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


class Terminal:
    """An `Observer` that draws a rich progress display on a terminal's stderr, and plain lines elsewhere."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._console: RichConsole | None = None
        self._stage = ""
        self._total: int | None = None

    def __enter__(self) -> Terminal:
        if sys.stderr.isatty():
            from rich.progress import (
                BarColumn,
                Progress,
                SpinnerColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            self._progress = Progress(
                SpinnerColumn(finished_text="[green]✓"),
                TextColumn("{task.description:<18}", markup=False),
                BarColumn(bar_width=28),
                TextColumn("{task.fields[note]:<34}", markup=False),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.rich,
                redirect_stdout=False,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish_stage()
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    @property
    def rich(self) -> RichConsole:
        """The rich console on stderr."""
        if self._console is None:
            from rich.console import Console as RichConsole

            self._console = RichConsole(stderr=True, highlight=False)
        return self._console

    def _finish_stage(self) -> None:
        if self._progress is not None and self._task is not None:
            total = self._progress.tasks[-1].total or 1
            self._progress.update(self._task, total=total, completed=total)

    def stage(self, name: str, total: int | None = None) -> None:
        """See `Observer.stage`."""
        self._finish_stage()
        self._stage, self._total = plain_text(name), total
        if self._progress is not None:
            self._task = self._progress.add_task(self._stage, total=total, note="")
        else:
            sys.stderr.write(f"{self._stage} …\n")
            sys.stderr.flush()

    def advance(self, done: int, note: str = "") -> None:
        """See `Observer.advance`."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, note=plain_text(note))
        elif self._total and done and done % max(1, self._total // 10) == 0:
            sys.stderr.write(f"{self._stage} {done}/{self._total} {plain_text(note)}".rstrip() + "\n")
            sys.stderr.flush()

    def note(self, text: str) -> None:
        """See `Observer.note`."""
        text = plain_text(text)
        if self._progress is not None:
            self._progress.console.print(f"  {text}", markup=False)
        else:
            sys.stderr.write(f"  {text}\n")
            sys.stderr.flush()

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """A two-column table on stderr."""
        title, rows = plain_text(title), [(plain_text(name), plain_text(value)) for name, value in rows]
        if importlib.util.find_spec("rich") is None:
            sys.stderr.write("".join([f"{title}\n", *(f"  {name}: {value}\n" for name, value in rows)]))
            return
        from rich.table import Table
        from rich.text import Text

        drawn = Table(title=Text(title), show_header=False, title_justify="left", title_style="bold")
        drawn.add_column(style="dim", no_wrap=True)
        drawn.add_column(overflow="fold")
        for name, value in rows:
            drawn.add_row(Text(name), Text(value))
        self.rich.print(drawn)
