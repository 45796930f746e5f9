"""The journal of a batch: one JSON object per line, flushed to the disk before the batch continues.

A kill loses at most the tasks that were running: an incomplete record is ignored.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Literal

from voicemill.errors import RefusedError, StorageError

TaskState = Literal["started", "done"]
NAME = "journal.jsonl"


@dataclass(frozen=True)
class JournalRecord:
    """One event of a task.

    Attributes:
        key: key of the task.
        state: `started`, then `done`.
        exit_code: of a task that is done.
        seconds: duration.
        log: its log, beside the journal.
        artifacts: paths of its ARTIFACT lines.
    """

    key: str
    state: TaskState
    exit_code: int | None = None
    seconds: float | None = None
    log: str = ""
    artifacts: tuple[str, ...] = ()


class Journal:
    """Appends records, and knows the last one of each task."""

    def __init__(self, handle: IO[bytes], records: dict[str, JournalRecord]) -> None:
        self._handle = handle
        self.last = records

    def finished(self, key: str) -> JournalRecord | None:
        """The record of a task that finished with exit code 0, else `None`."""
        record = self.last.get(key)
        return record if record is not None and record.state == "done" and record.exit_code == 0 else None

    def write(self, record: JournalRecord) -> None:
        """Append and flush to the disk.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        try:
            self._handle.write(json.dumps(asdict(record), sort_keys=True, ensure_ascii=False).encode() + b"\n")
            self._handle.flush()
            os.fsync(self._handle.fileno())
        except OSError as error:
            raise StorageError.from_os_error(error, self._handle.name) from error
        self.last[record.key] = record

    def forget(self) -> None:
        """Clear the journal."""
        self._handle.truncate(0)
        self.last.clear()


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """Open the journal of `folder`, created on first use, exclusively.

    Raises:
        RefusedError: `batch_busy`.
        StorageError: the folder cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+b")
    except OSError as error:
        raise StorageError.from_os_error(error, path) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RefusedError(
                f"Another batch of this task file is running, with its journal in {folder}.",
                reason="batch_busy",
                hint="Wait for it, or stop it first.",
            ) from error
        handle.seek(0)
        data = handle.read()
        if data and not data.endswith(b"\n"):
            handle.write(b"\n")  # terminate a record that a kill cut off
        yield Journal(handle, dict(_records(data)))


def _records(data: bytes) -> Iterator[tuple[str, JournalRecord]]:
    known = {each.name for each in fields(JournalRecord)}
    for line in data.split(b"\n"):
        try:
            found = json.loads(line)
            record = JournalRecord(**{name: value for name, value in found.items() if name in known})
        except (ValueError, TypeError, AttributeError):
            continue
        yield record.key, JournalRecord(**{**asdict(record), "artifacts": tuple(record.artifacts)})
