from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from voicemill import files
from voicemill.errors import BlockedError, DatasetError
from voicemill.workers import Workers

TASKS = """
import os
import signal
import threading
import time
from pathlib import Path
from voicemill.errors import DatasetError

known = []

def know(word):
    known.append(word)

def where(number):
    return number, os.getpid(), list(known)

def fail(number):
    if number == 3:
        raise DatasetError("Third.", reason="third:3", hint="Skip it.")
    return number

class Awkward(Exception):
    def __init__(self, one, two):
        super().__init__(one)

def fail_awkwardly(number):
    raise Awkward("cannot be pickled", 2)

def die(number):
    os._exit(9)

def die_while_answering(number):
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return bytes(1 << 30)

def work(marker):
    marker = Path(marker)
    try:
        marker.touch()
        while True:
            sum(range(10_000))
    finally:
        marker.unlink()

def clear_up_slowly(marker):
    try:
        Path(marker).touch()
        while True:
            sum(range(10_000))
    finally:
        Path(marker + ".clearing").touch()
        time.sleep(1)
        Path(marker + ".clearing").unlink()

def hold_on(marker):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(marker).touch()
    time.sleep(600)
"""

PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
import voicemill_worker_tasks as tasks
from voicemill.boundary import Interrupts, guarded
from voicemill.workers import Workers

def main():
    with Interrupts(), Workers(2) as workers:
        workers.start()
        print(*workers.ids, flush=True)
        workers.run(getattr(tasks, sys.argv[3]), sys.argv[4:])
    return 0

if __name__ == "__main__":
    raise SystemExit(guarded(main))
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module that a spawned worker can import, which a test module is not."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "voicemill_worker_tasks.py").write_text(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("voicemill_worker_tasks")


def test_results_come_back_in_order_from_prepared_processes(tasks: ModuleType) -> None:
    told: list[int] = []
    with Workers(2, tasks.know, "a word") as workers:
        found = workers.run(tasks.where, list(range(12)), told.append)
        again = workers.run(tasks.where, list(range(2)))
        ids = workers.ids
    assert [number for number, _, _ in found] == list(range(12))
    assert {pid for _, pid, _ in (*found, *again)} == set(ids)
    assert all(known == ["a word"] for _, _, known in found)
    assert told == list(range(1, 13))
    assert not [pid for pid in ids if _runs(pid)]


def test_an_error_of_ours_arrives_whole_and_ends_the_processes(tasks: ModuleType) -> None:
    with Workers(2) as workers:
        with pytest.raises(DatasetError) as caught:
            workers.run(tasks.fail, list(range(20)))
        assert workers.ids == []
        assert [number for number, _, _ in workers.run(tasks.where, [5, 6])] == [5, 6]  # new ones
    assert (str(caught.value), caught.value.reason, caught.value.hint) == ("Third.", "third:3", "Skip it.")
    assert "in fail" in caught.value.__notes__[0]


def test_an_error_that_cannot_be_pickled_is_reported(tasks: ModuleType) -> None:
    with Workers(1) as workers, pytest.raises(RuntimeError, match="Awkward: cannot be pickled"):
        workers.run(tasks.fail_awkwardly, [1])


def test_one_task_can_be_begun_and_its_result_taken_later(tasks: ModuleType) -> None:
    with Workers(1) as workers:
        workers.begin(tasks.where, 5)
        ids = workers.ids
        assert workers.finish() == (5, ids[0], [])
        workers.begin(tasks.fail, 3)
        with pytest.raises(DatasetError, match="Third"):
            workers.finish()
        assert not workers.ids
    assert not _runs(ids[0])


@pytest.mark.slow
@pytest.mark.parametrize("end", ["die", "die_while_answering"])
def test_a_worker_killed_by_the_system_is_reported(tasks: ModuleType, end: str) -> None:
    with Workers(2) as workers, pytest.raises(BlockedError) as caught:
        workers.run(getattr(tasks, end), list(range(6)))
    assert (caught.value.reason, caught.value.exit_code) == ("worker_died", 2)


def wait_for(paths: list[Path]) -> None:
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, f"not all of {paths} were written"
        time.sleep(0.01)


class Program:
    """A process group: a program with two workers, each of which shows by a file that it is busy."""

    def __init__(self, tasks: ModuleType, folder: Path, task: str) -> None:
        (folder / "program.py").write_text(PROGRAM)
        self.markers = [folder / name for name in "ab"]
        folders = [str(Path(str(tasks.__file__)).parent), str(Path(files.__file__).parents[1])]
        argv = [sys.executable, str(folder / "program.py"), *folders, task, *map(str, self.markers)]
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self.workers = [int(pid) for pid in self.process.stdout.readline().split()]
        wait_for(self.markers)

    def end(self) -> tuple[int, str]:
        try:
            _, errors = self.process.communicate(timeout=60)  # only stops a hanging test
        finally:
            self.process.kill()
        return self.process.returncode, errors


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whole", [True, False], ids=["group", "parent"])
def test_a_signal_while_all_are_busy_ends_them_all(
    tasks: ModuleType, tmp_path: Path, signum: signal.Signals, whole: bool
) -> None:
    program = Program(tasks, tmp_path, "work")
    (os.killpg if whole else os.kill)(program.process.pid, signum)
    code, errors = program.end()
    assert code == 128 + signum, errors
    assert f"interrupted:{signum.name.lower()}" in errors
    assert "Traceback" not in errors
    assert not [pid for pid in program.workers if _runs(pid)]
    assert not [marker for marker in program.markers if marker.exists()]  # they cleared up


def test_a_second_signal_does_not_interrupt_what_clears_up(tasks: ModuleType, tmp_path: Path) -> None:
    """A signal to the whole group is followed by one from the parent."""
    program = Program(tasks, tmp_path, "clear_up_slowly")
    os.killpg(program.process.pid, signal.SIGTERM)
    clearing = [marker.with_name(f"{marker.name}.clearing") for marker in program.markers]
    wait_for(clearing)
    for pid in program.workers:
        os.kill(pid, signal.SIGTERM)
    code, errors = program.end()
    assert code == 143, errors
    assert "Traceback" not in errors
    assert not [path for path in clearing if path.exists()]


@pytest.mark.slow
def test_a_worker_that_does_not_go_is_killed(tasks: ModuleType, tmp_path: Path) -> None:
    program = Program(tasks, tmp_path, "hold_on")
    os.killpg(program.process.pid, signal.SIGTERM)
    code, errors = program.end()
    assert code == 143, errors
    assert not [pid for pid in program.workers if _runs(pid)]


def test_workers_end_with_a_parent_that_was_killed(tasks: ModuleType, tmp_path: Path) -> None:
    program = Program(tasks, tmp_path, "work")
    program.process.kill()
    program.end()
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in program.workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in program.workers if _runs(pid)]


def _runs(pid: int) -> bool:
    """A zombie whose new parent has not fetched its exit code yet does not run."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_the_number_of_processes_follows_the_cores_that_may_be_used(repository: Path) -> None:
    """A container or a batch job often has fewer cores than the machine, which is what `os.cpu_count` counts."""
    sources = [path for folder in ("lib", "apps", "scripts") for path in (repository / folder).rglob("*.py")]
    counting = [path for path in sources if "cpu_count(" in path.read_text(encoding="utf-8")]
    assert [path.name for path in counting] == ["workers.py"]
