from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from types import ModuleType

import pytest

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
