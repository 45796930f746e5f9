"""Jobs in sqlite, which outlive the server's process."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

DATABASE = "jobs.sqlite3"
FINAL = ("done", "error")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    document TEXT NOT NULL
);
"""


@dataclass
class ScriptJob:
    """One run of a script, with the fields that the panel of a voice agent reads.

    Attributes:
        state: `pending`, `running`, `done` or `error`.
        progress: `current` and `total`.
        log_position: bytes of the supervisor's log that were read.
        cancelled: a client cancelled it.
    """

    id: str
    type: str
    state: str
    message: str
    startedAt: int  # noqa: N815 - the field's name in answers
    endedAt: int | None = None  # noqa: N815
    progress: dict[str, float] | None = None
    datasetStats: dict[str, Any] | None = None  # noqa: N815
    metadata: dict[str, Any] | None = None
    artifactRefs: list[str] | None = None  # noqa: N815
    logs: list[str] = field(default_factory=list)
    log_position: int = 0
    cancelled: bool = False

    def answer(self) -> dict[str, Any]:
        """The job as clients see it; fields that it does not have are left out."""
        found = {name: value for name, value in asdict(self).items() if value is not None and name != "log_position"}
        if not self.cancelled:
            del found["cancelled"]
        return found


class JobStore:
    """The jobs of one work folder. Every change is on the disk when a method returns."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OSError: the folder cannot be made.
            sqlite3.Error: the database cannot be opened.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / DATABASE
        with self._connected() as connection:
            connection.executescript(_SCHEMA)

    def add(self, job: ScriptJob) -> None:
        """Keep a new job."""
        with self._connected() as connection:
            row = (job.id, job.state, json.dumps(asdict(job)))
            connection.execute("INSERT INTO jobs (id, state, document) VALUES (?, ?, ?)", row)

    def save(self, job: ScriptJob) -> None:
        """Keep a job as it is now."""
        with self._connected() as connection:
            row = (job.state, json.dumps(asdict(job)), job.id)
            connection.execute("UPDATE jobs SET state = ?, document = ? WHERE id = ?", row)

    def get(self, job_id: str) -> ScriptJob | None:
        """A job by its id."""
        with self._connected() as connection:
            row = connection.execute("SELECT document FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return ScriptJob(**json.loads(row[0])) if row else None

    def open(self) -> list[ScriptJob]:
        """Jobs that have not ended, in the order in which they were asked for."""
        with self._connected() as connection:
            rows = connection.execute("SELECT document FROM jobs WHERE state NOT IN (?, ?) ORDER BY number", FINAL)
            return [ScriptJob(**json.loads(row[0])) for row in rows]

    def recent(self, count: int) -> list[ScriptJob]:
        """The last jobs, newest first."""
        with self._connected() as connection:
            rows = connection.execute("SELECT document FROM jobs ORDER BY number DESC LIMIT ?", (count,))
            return [ScriptJob(**json.loads(row[0])) for row in rows]

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=10.0)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            with connection:
                yield connection
        finally:
            connection.close()
