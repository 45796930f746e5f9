from __future__ import annotations

from pathlib import Path

from voicemill.lane import plan
from voicemill.launch.lanes import SCRIPTS


def test_the_processes_are_the_steps_of_the_contract(repository: Path) -> None:
    assert [step.name for step in plan.PROCESSES] == ["train", "eval", "bundle", "promote"]
    for step in plan.PROCESSES:
        assert (repository / SCRIPTS / str(step.script)).is_file()


def test_shares_grow_to_the_total() -> None:
    for steps, total in ((plan.STEPS, 100), (plan.DRY_STEPS, 4)):
        shares = [0, *(step.until for step in steps)]
        assert shares == sorted(set(shares))
        assert plan.end(steps) == total


def test_the_steps_of_one_process_fill_its_progress() -> None:
    assert [(step.name, step.until) for step in plan.steps_of(plan.TRAIN)] == [
        ("gates", 1),
        ("prepare", 23),
        ("train", 100),
    ]
    for step in plan.PROCESSES[1:]:
        assert [(each.name, each.until) for each in plan.steps_of(step)] == [(step.name, 100)]
    assert plan.end(plan.steps_of(plan.BUNDLE, total=1)) == 1
