"""The result of a batch: a table on stderr and summary.json."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.launch.batch.journal import JournalRecord
from voicemill.launch.batch.tasks import BatchTask

NAME = "summary.json"
SHOWN = 60
"""Characters of a task shown in the table; summary.json has the full text."""


@dataclass(frozen=True)
class TaskResult:
    """A task and its result: `ok`, `failed`, `stopped` by a signal, or `not_run`."""

    task: BatchTask
    record: JournalRecord | None = None
    stopped: bool = False

    @property
    def state(self) -> str:
        if self.record is None or self.record.exit_code is None:
            return "not_run"
        if self.record.exit_code == 0:
            return "ok"
        return "stopped" if self.stopped else "failed"


def write(folder: Path, head: Mapping[str, object], results: Sequence[TaskResult]) -> Path:
    """Write summary.json and return its path."""
    rows = []
    for result in results:
        record = result.record
        rows.append(
            {
                "line": result.task.line,
                "task": result.task.text,
                "state": result.state,
                "exit_code": record.exit_code if record else None,
                "seconds": record.seconds if record else None,
                "log": record.log if record and record.log else None,
                "artifacts": list(record.artifacts) if record else [],
            }
        )
    path = folder / NAME
    files.write_json(path, {**head, "tasks": rows})
    return path


def show(results: Sequence[TaskResult]) -> None:
    """Print the table."""
    lines = [f"{'line':>5}  {'how':<8} {'code':>4} {'seconds':>9}  task"]
    for result in results:
        record = result.record
        code = "" if record is None or record.exit_code is None else str(record.exit_code)
        seconds = "" if record is None or record.seconds is None else f"{record.seconds:.1f}"
        text = result.task.text if len(result.task.text) <= SHOWN else result.task.text[: SHOWN - 1] + "…"
        lines.append(f"{result.task.line:>5}  {result.state:<8} {code:>4} {seconds:>9}  {text}")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
