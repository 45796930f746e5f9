from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicemill.lane.monitoring import TimeLeft, format_duration

RECORDED = json.loads(Path(__file__).with_name("step_times.json").read_text())
"""Seconds from the start to the end of each step of two real runs: the first 100 steps of the preset cpu on the demo,
one thread, on a machine that was busy with other work."""
CLOCKS = json.loads(Path(__file__).with_name("clock_times.json").read_text())
"""Two more such runs with wall time and processor time: at a load of 30 to 42 on two cores, and one whose share of the
cores fell to a sixth after two thirds of its steps."""


@pytest.mark.parametrize("seconds", RECORDED)
def test_after_the_first_tenth_of_a_real_run_it_is_right_within_a_fifth(seconds: list[float]) -> None:
    clock, tenth = TimeLeft(len(seconds)), len(seconds) // 10
    for step, now in enumerate(seconds[:tenth], start=1):
        left = clock.update(step, now)
    assert left == pytest.approx(seconds[-1] - seconds[tenth - 1], rel=0.2)


def right(estimates: list[float | None], seconds: list[float], *, after: int) -> float:
    """Share of the steps, from step `after` on, at which an estimate is within a fifth of what the rest took."""
    pairs = list(zip(estimates, seconds, strict=True))[after - 1 : -1]
    return sum(found == pytest.approx(seconds[-1] - now, rel=0.2) for found, now in pairs) / len(pairs)


def estimates(run: dict[str, list[float]]) -> tuple[list[float | None], list[float | None]]:
    """Wall time and processor time left after each step."""
    clock, wall, work = TimeLeft(len(run["wall"])), [], []
    for step, (now, cpu) in enumerate(zip(run["wall"], run["cpu"], strict=True), start=1):
        wall.append(clock.update(step, now, cpu))
        work.append(clock.work)
    return wall, work


@pytest.mark.parametrize("run", CLOCKS)
def test_the_processor_time_left_is_right_whatever_other_work_comes(run: str) -> None:
    assert right(estimates(CLOCKS[run])[1], CLOCKS[run]["cpu"], after=10) == 1.0


def test_the_time_left_is_right_as_long_as_the_load_stays() -> None:
    run = CLOCKS["steady load"]
    assert right(estimates(run)[0], run["wall"], after=10) > 0.9


def test_the_time_left_follows_a_change_of_the_load_within_a_minute() -> None:
    """The share of the cores falls to a tenth: a minute later the estimate is that of a run that was always so slow."""
    cpu = [0.5 * step for step in range(1, 201)]
    wall = [0.5 * min(step, 100) + 5.0 * max(0, step - 100) for step in range(1, 201)]
    wall_left, _ = estimates({"wall": wall, "cpu": cpu})
    assert wall_left[99] == pytest.approx(50.0)
    assert wall_left[113] == pytest.approx(5.0 * 86), "after 70 seconds"


def test_the_first_step_does_not_count() -> None:
    clock = TimeLeft(11)
    assert clock.update(1, 60.0) is None
    assert clock.update(2, 61.0) == pytest.approx(9.0)
    assert clock.update(5, 64.0) == pytest.approx(6.0), "skipped steps count"
    assert clock.update(11, 70.0) == 0


def test_steps_of_more_than_a_minute_follow_the_last_one() -> None:
    clock = TimeLeft(10)
    assert clock.update(1, 100.0, 100.0) is None
    assert clock.update(2, 200.0, 200.0) == pytest.approx(800.0)
    assert clock.update(3, 400.0, 300.0) == pytest.approx(1400.0), "half of a core since the step before"
    assert clock.work == pytest.approx(700.0)


def test_format() -> None:
    assert [format_duration(seconds) for seconds in (3.4, 123.0, 3723.0)] == ["0:03", "2:03", "1:02:03"]
