"""Locks among real processes: no change is lost, and a killed holder releases its lock."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from voicemill.errors import StorageError
from voicemill.locks import folder_lock

COUNT = """
import sys
from pathlib import Path
from voicemill.locks import folder_lock

folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
for _ in range(rounds):
    with folder_lock(folder):
        counter = folder / "counter"
        counter.write_text(str(int(counter.read_text()) + 1))
"""
HOLD = """
import sys, time
from pathlib import Path
from voicemill.locks import folder_lock

with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start(program: str, repository: Path, *arguments: object) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(argv, cwd=repository, env={"PYTHONPATH": "lib"}, stdout=subprocess.PIPE, text=True)


def test_processes_that_count_in_one_file_lose_no_count(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "counter").write_text("0")
    running = [start(COUNT, repository, folder, 100) for _ in range(4)]
    for each in running:
        each.communicate(timeout=60)
    assert [each.returncode for each in running] == [0, 0, 0, 0]
    assert (folder / "counter").read_text() == "400"
    assert [path.name for path in tmp_path.iterdir()] == ["voice"], "a lock leaves no file"


def test_a_folder_in_use_is_refused_and_free_again_after_a_kill(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    holder = start(HOLD, repository, folder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StorageError) as caught, folder_lock(folder, seconds=0.05):
        pass
    assert (caught.value.reason, caught.value.exit_code) == ("folder_busy:voice", 2)
    holder.kill()
    holder.communicate()
    with folder_lock(folder, seconds=5):
        pass


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    seen: list[str] = []

    def other() -> None:
        with folder_lock(tmp_path / "voice"):
            seen.append("other")

    thread = threading.Thread(target=other)
    with folder_lock(tmp_path / "voice"):
        thread.start()
        time.sleep(0.1)
        seen.append("first")
    thread.join()
    assert seen == ["first", "other"]


def test_without_a_parent_there_is_nothing_to_lock(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "missing" / "voice"):
        assert not (tmp_path / "missing").exists()
