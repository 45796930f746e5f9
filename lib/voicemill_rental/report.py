"""What a rented run leaves beside its results: work_remote/<job>/rental.json."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.launch.batch import summary
from voicemill_rental.console import Talk

NAME = "rental.json"


@dataclass
class Report:
    """Filled in while the run goes on; nothing that was not measured is in it.

    Attributes:
        seconds: for which the instance was there.
        dollars: what that costs by the price of the offer; vast.ai's invoice is what counts.
        how: `done`, or the reason why not.
        tasks: the rows of the batch's own summary, logs and artifacts where they lie there and here.
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
        """The rows of the batch's summary among the results in `folder`; `work` is where they lay on the instance."""
        for path in sorted(folder.glob(f"batches/*/{summary.NAME}")):
            for row in files.read_json(path)["tasks"]:
                here = [_here(name, folder, work) for name in row["artifacts"]]
                log = _here(row["log"], folder, work) if row["log"] else None
                self.tasks.append({**row, "log": log, "artifacts": here})

    def price(self, began: float) -> None:
        """Time and cost since `began`, seconds since 1970."""
        self.seconds = round(time.time() - began, 1)
        self.dollars = round((self.dollars_per_hour or 0.0) * self.seconds / 3600.0, 6)

    def write(self, folder: Path, talk: Talk) -> Path:
        """Write it, without secrets whatever a task's line holds."""
        self.ended_at = _now()
        path = folder / NAME
        document = {name: _clean(value, talk) for name, value in asdict(self).items()}
        files.write_json(path, document)
        return path


def _here(name: str, folder: Path, work: str) -> str:
    for prefix in (f"{work}/", "work/"):
        if name.startswith(prefix) and (folder / name.removeprefix(prefix)).exists():
            return (folder / name.removeprefix(prefix)).as_posix()
    return name


def _clean(value: Any, talk: Talk) -> Any:
    if isinstance(value, str):
        return talk.clean(value)
    if isinstance(value, list):
        return [_clean(each, talk) for each in value]
    if isinstance(value, dict):
        return {name: _clean(each, talk) for name, each in value.items()}
    return value


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10 too
