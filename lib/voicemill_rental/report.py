"""The report of a rented run beside its results: work_remote/<job>/rental.json."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.launch.batch import summary
from voicemill_rental.console import Console

NAME = "rental.json"


@dataclass
class RentalReport:
    """The fields of rental.json, filled in during the run; `None` for values that were not measured.

    Attributes:
        seconds: lifetime of the instance.
        dollars: estimate from the price of the offer; vast.ai's invoice is authoritative.
        how: `done`, or the reason of the failure.
        tasks: the rows of the batch summary, with local paths of logs and artifacts.
    """

    job: str
    commit: str
    instance: int | None = None
    gpu: str | None = None
    image: str | None = None
    dollars_per_hour: float | None = None
    code_sha256: str | None = None
    started_at: str = field(default_factory=lambda: _now())
    ended_at: str | None = None
    seconds: float | None = None
    dollars: float | None = None
    destroyed: bool | None = None
    how: str = "running"
    results: str | None = None
    files: int | None = None
    bytes: int | None = None
    tasks: list[dict[str, Any]] = field(default_factory=list)

    def take_tasks(self, folder: Path, work: str) -> None:
        """Add the rows of the batch summary in `folder`; `work` is the work folder on the instance."""
        for path in sorted(folder.glob(f"batches/*/{summary.NAME}")):
            for row in files.read_json(path)["tasks"]:
                local = [_local_path(name, folder, work) for name in row["artifacts"]]
                log = _local_path(row["log"], folder, work) if row["log"] else None
                self.tasks.append({**row, "log": log, "artifacts": local})

    def price(self, began: float) -> None:
        """Set time and cost since `began`, in seconds since 1970."""
        self.seconds = round(time.time() - began, 1)
        self.dollars = round((self.dollars_per_hour or 0.0) * self.seconds / 3600.0, 6)

    def write(self, folder: Path, console: Console) -> Path:
        """Write the report with secrets redacted."""
        self.ended_at = _now()
        path = folder / NAME
        document = {name: _redact(value, console) for name, value in asdict(self).items()}
        files.write_json(path, document)
        return path


def _local_path(name: str, folder: Path, work: str) -> str:
    for prefix in (f"{work}/", "work/"):
        if name.startswith(prefix) and (folder / name.removeprefix(prefix)).exists():
            return (folder / name.removeprefix(prefix)).as_posix()
    return name


def _redact(value: Any, console: Console) -> Any:
    if isinstance(value, str):
        return console.redact(value)
    if isinstance(value, list):
        return [_redact(each, console) for each in value]
    if isinstance(value, dict):
        return {name: _redact(each, console) for name, each in value.items()}
    return value


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10 too
