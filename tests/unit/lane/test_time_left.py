from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicemill.lane.monitoring import TimeLeft, format_duration

RECORDED = json.loads(Path(__file__).with_name("step_times.json").read_text())
"""Seconds from the start to the end of each step of two real runs: the first 100 steps of the preset cpu on the demo,
one thread, on a machine that was busy with other work."""


@pytest.mark.parametrize("seconds", RECORDED)
def test_after_the_first_tenth_of_a_real_run_it_is_right_within_a_fifth(seconds: list[float]) -> None:
    clock, tenth = TimeLeft(len(seconds)), len(seconds) // 10
    for step, now in enumerate(seconds[:tenth], start=1):
        left = clock.update(step, now)
    assert left == pytest.approx(seconds[-1] - seconds[tenth - 1], rel=0.2)


def test_the_first_step_does_not_count() -> None:
    clock = TimeLeft(11)
    assert clock.update(1, 60.0) is None
    assert clock.update(2, 61.0) == pytest.approx(9.0)
    assert clock.update(5, 64.0) == pytest.approx(6.0), "skipped steps count"
    assert clock.update(11, 70.0) == 0


def test_format() -> None:
    assert [format_duration(seconds) for seconds in (3.4, 123.0, 3723.0)] == ["0:03", "2:03", "1:02:03"]
