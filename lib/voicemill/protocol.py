"""The lines on stdout for other programs (PROGRESS, STATS, ARTIFACT, bracketed lines).

Each line is one `write`, flushed at once. A consumer may read each chunk of the pipe as one line, so lines on a pipe
are kept a few milliseconds apart (operator contract, section 1).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

LINE_GAP_SECONDS = 0.005
"""Pause between lines on a pipe, for readers of chunks."""

_PROGRESS = re.compile(r"PROGRESS +([0-9]{1,9}) +([0-9]{1,9})")

Scalar = str | int | float | bool | None
State = Literal["running", "completed", "blocked", "error"]


def one_line(text: str, most: int | None = None) -> str:
    """`text` as one line without control characters; characters that are not printable are escaped.

    Args:
        text: untrusted text.
        most: number of characters to keep.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:most])


def first_of(names: Sequence[str], most: int = 3, separator: str = ", ") -> str:
    """The first `most` of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{separator.join(names[:most])}{more}"


def read_progress(line: str) -> tuple[int, int] | None:
    """Steps done and total steps of a `PROGRESS` line; None for any other line."""
    found = _PROGRESS.fullmatch(line.rstrip())
    return (int(found[1]), int(found[2])) if found else None


class Protocol:
    """Writes protocol lines to a stream; PROGRESS never decreases."""

    def __init__(self, stream: IO[str], *, base: Path | None = None) -> None:
        """
        Args:
            stream: usually stdout.
            base: artifact paths below it are printed relative to it (default: the current directory).
        """
        self._stream = stream
        self._base = (base or Path.cwd()).resolve()
        self._gap = 0.0 if stream.isatty() else LINE_GAP_SECONDS
        self._last = 0.0
        self.current, self.total = 0, 0
        self._stats = self._repeated = ""
        self._artifacts: set[str] = set()

    def line(self, text: str) -> None:
        """Write one line and flush it; control characters are escaped.

        A PROGRESS line is repeated after a STATS line with the loss of a step: job servers show the last of the two.
        """
        wait = self._last + self._gap - time.monotonic()
        if self._gap and wait > 0:
            time.sleep(wait)
        if text.startswith("STATS "):
            self._stats = text
        elif text.startswith("ARTIFACT "):
            self._artifacts.add(text)
        self._repeated = ""
        self._stream.write(one_line(text) + "\n")
        self._stream.flush()
        self._last = time.monotonic()
        if text.startswith("STATS ") and '"loss":' in text and self.total:
            self.progress(self.current, self.total)
            self._repeated = f"PROGRESS {self.current} {self.total}"

    def progress(self, current: int, total: int) -> None:
        """`PROGRESS current total`; `current` never decreases and never exceeds `total`."""
        total = max(total, self.total)
        self.current, self.total = min(max(current, self.current), total), total
        if (line := f"PROGRESS {self.current} {self.total}") != self._repeated:
            self.line(line)

    def stats(self, values: dict[str, Scalar]) -> None:
        """`STATS {...}`: one compact JSON object with sorted keys.

        Raises:
            ValueError: a value is NaN or Infinity.
        """
        self.line(_stats_line(values))

    def artifact(self, path: Path) -> str:
        """`ARTIFACT path` of a complete file; returns the path as printed.

        Raises:
            FileNotFoundError: there is no such file yet.
        """
        if not path.is_file():
            raise FileNotFoundError(path)
        shown = self.shown(path)
        self.line(f"ARTIFACT {shown}")
        return shown

    def result(self, state: str, reason: str | None, path: Path | None) -> None:
        """The end of a job, for programs that show no bracketed line: its state and reason, then its status file.

        Lines that a step of the job has already written are not repeated.

        Args:
            state: `completed`, `blocked` or `error`.
            reason: why it was blocked or failed.
            path: the status file; None if there is none.
        """
        stats = _stats_line({"reason": reason, "status": state})
        if stats != self._stats:
            self.line(stats)
        if path is not None and path.is_file() and f"ARTIFACT {self.shown(path)}" not in self._artifacts:
            self.artifact(path)

    def shown(self, path: Path) -> str:
        """POSIX path, relative to the base where it lies below it."""
        absolute = Path(os.path.abspath(path))
        try:
            return absolute.relative_to(self._base).as_posix()
        except ValueError:
            return absolute.as_posix()

    def head(self, commit: str) -> None:
        """`[tts-prod] head=<sha8>`; `commit` is `unknown` outside a checkout."""
        self.line(f"[tts-prod] head={commit if commit == 'unknown' else commit[:8]}")

    def done(self, backend: str) -> None:
        """`[tts-prod] status=done backend=<b>`."""
        self.line(f"[tts-prod] status=done backend={backend}")

    def blocked(self, reason: str) -> None:
        """`[tts-prod] status=blocked reason=<reason>`."""
        self.line(f"[tts-prod] status=blocked reason={reason}")


def _stats_line(values: dict[str, Scalar]) -> str:
    """A STATS line.

    Raises:
        ValueError: a value is NaN or Infinity.
    """
    return "STATS " + json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
