"""Runs one job's script and writes down what it prints. Standard library only; a process of its own.

    python supervisor.py FOLDER LOCK

It outlives the server that started it. `FOLDER/job.json` names the command; its lines go to `FOLDER/log.jsonl`, and its
exit code to `FOLDER/exit.json`, in this order. LOCK is the number of an open descriptor that is locked as long as this
process lives. SIGTERM and SIGINT are passed on to the script and its children.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

LOG = "log.jsonl"
EXIT = "exit.json"
JOB = "job.json"
PID = "supervisor.pid"
MAX_LOG_BYTES = 8 * 1024 * 1024
"""Beyond, only the lines that carry results are kept."""
MAX_LINE = 4000
"""Characters of one line that are kept."""
RESULTS = ("PROGRESS", "STATS", "ARTIFACT")


class _Log:
    """Lines of both streams, one JSON array `[stream, line]` each."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._bytes = 0

    def copy(self, stream: str, pipe: IO[str]) -> None:
        """Write down every line of a pipe until it closes; a full disk loses lines, never the job."""
        for line in pipe:
            kept = line if line.startswith(RESULTS) else line[:MAX_LINE]
            row = json.dumps([stream, kept.rstrip("\n")], ensure_ascii=False) + "\n"
            with self._lock:
                if self._bytes > MAX_LOG_BYTES and not line.startswith(RESULTS):
                    continue
                self._bytes += len(row)
                try:
                    self._handle.write(row)
                    self._handle.flush()
                except OSError:
                    continue


def main(folder: Path) -> int:
    """Run the job of a folder; returns 0 when its exit code is on the disk."""
    job = json.loads((folder / JOB).read_text("utf-8"))
    (folder / PID).write_text(str(os.getpid()), "ascii")
    log = _Log(folder / LOG)
    try:
        script = subprocess.Popen(
            job["argv"],
            cwd=job["cwd"],
            env={**os.environ, **job["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return _end(folder, {"code": None, "error": f"{error.strerror}: {error.filename}"})

    def forward(number: int, _: object) -> None:
        try:
            os.killpg(script.pid, number)
        except ProcessLookupError:
            return

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    pipes = (("out", script.stdout), ("err", script.stderr))
    readers = [threading.Thread(target=log.copy, args=(name, pipe), daemon=True) for name, pipe in pipes]
    for reader in readers:
        reader.start()
    code = script.wait()
    for reader in readers:
        reader.join(10.0)  # a child of the script may hold the pipes open
    return _end(folder, {"code": code if code >= 0 else None, "signal": -code if code < 0 else None})


def _end(folder: Path, result: dict[str, object]) -> int:
    part = folder / f".{EXIT}.part"
    with part.open("w", encoding="utf-8") as handle:
        json.dump(result, handle)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(folder / EXIT)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
