"""What a batch has done, one JSON object a line, flushed to the disk before the next thing happens.

A kill at any moment costs at most the line that was running: a record that was cut off is no record.
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

State = Literal["started", "done"]
NAME = "journal.jsonl"


@dataclass(frozen=True)
class Record:
    """One thing that happened to one task.

    Attributes:
        key: of the task.
        state: `started`, then `done`.
        exit_code: of a task that is done.
        seconds: that it took.
        log: its log, beside the journal.
        artifacts: what its ARTIFACT lines named.
    """

    key: str
    state: State
    exit_code: int | None = None
    seconds: float | None = None
    log: str = ""
    artifacts: tuple[str, ...] = ()


class Journal:
    """Appends records; `finished` is what an earlier start has completed."""

    def __init__(self, handle: IO[bytes], records: dict[str, Record]) -> None:
        self._handle = handle
        self.last = records

    def finished(self, key: str) -> Record | None:
        """The record of a task that ended with exit code 0."""
        record = self.last.get(key)
        return record if record is not None and record.state == "done" and record.exit_code == 0 else None

    def write(self, record: Record) -> None:
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
        """Begin again from nothing."""
        self._handle.truncate(0)
        self.last.clear()


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """The journal of `folder`, made on first use; one batch at a time has it.

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
            handle.write(b"\n")  # the end of a record that a kill cut off
        yield Journal(handle, dict(_records(data)))


def _records(data: bytes) -> Iterator[tuple[str, Record]]:
    known = {each.name for each in fields(Record)}
    for line in data.split(b"\n"):
        try:
            found = json.loads(line)
            record = Record(**{name: value for name, value in found.items() if name in known})
        except (ValueError, TypeError, AttributeError):
            continue
        yield record.key, Record(**{**asdict(record), "artifacts": tuple(record.artifacts)})
