from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from voicemill import files
from voicemill.dataset.pool import WORTH_A_POOL, ClipPool
from voicemill.errors import DatasetError
from voicemill.progress import SilentObserver

TASKS = """
import os
from voicemill.errors import DatasetError

def where(number):
    return number, os.getpid()

def fail(number):
    if number == 3:
        raise DatasetError("Third.", reason="third:3", hint="Skip it.")
    return number

def die(number):
    os._exit(9)
"""


class Counting(SilentObserver):
    def __init__(self) -> None:
        self.done: list[int] = []

    def advance(self, done: int, note: str = "") -> None:
        self.done.append(done)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module that a spawned worker can import, which a test module is not."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "voicemill_pool_tasks.py").write_text(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("voicemill_pool_tasks")


def test_few_tasks_are_done_here(tasks: ModuleType) -> None:
    with ClipPool(4) as pool:
        found = pool.map(tasks.where, list(range(WORTH_A_POOL - 1)))
        assert found == [(number, os.getpid()) for number in range(WORTH_A_POOL - 1)]
        assert pool.worker_ids() == []


def test_many_tasks_go_to_processes_and_come_back_in_order(tasks: ModuleType) -> None:
    observer = Counting()
    with ClipPool(2) as pool:
        found = pool.map(tasks.where, list(range(12)), observer)
        workers = pool.worker_ids()
    assert [number for number, _ in found] == list(range(12))
    assert {pid for _, pid in found} <= set(workers)
    assert len(workers) == 2
    assert observer.done == list(range(1, 13))


def test_an_error_of_ours_arrives_whole_and_stops_the_map(tasks: ModuleType) -> None:
    with ClipPool(2) as pool, pytest.raises(DatasetError) as caught:
        pool.map(tasks.fail, list(range(20)))
    assert (str(caught.value), caught.value.reason, caught.value.hint) == ("Third.", "third:3", "Skip it.")


def test_a_worker_that_the_system_ends_is_told_plainly(tasks: ModuleType) -> None:
    with ClipPool(2) as pool, pytest.raises(DatasetError) as caught:
        pool.map(tasks.die, list(range(WORTH_A_POOL)))
    assert caught.value.reason == "worker_died"


def test_no_process_outlives_the_pool(tasks: ModuleType) -> None:
    with ClipPool(2) as pool:
        pool.map(tasks.where, list(range(WORTH_A_POOL)))
        workers = pool.worker_ids()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_workers_end_with_a_parent_that_was_killed(tasks: ModuleType, tmp_path: Path) -> None:
    program = """
import sys
sys.path[:0] = sys.argv[1:]
import voicemill_pool_tasks as tasks
from voicemill.dataset.pool import ClipPool
if __name__ == "__main__":
    with ClipPool(2) as pool:
        pool.map(tasks.where, list(range(20)))
        print(*pool.worker_ids(), flush=True)
        sys.stdin.read()
"""
    (tmp_path / "program.py").write_text(program)
    folders = [str(Path(str(tasks.__file__)).parent), str(Path(files.__file__).parents[1])]
    argv = [sys.executable, str(tmp_path / "program.py"), *folders]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = process.stdout.readline().split()
        process.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if _runs(pid)]


def _runs(pid: str) -> bool:
    """A zombie whose new parent has not fetched its exit code yet does not run."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
