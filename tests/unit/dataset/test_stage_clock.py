from __future__ import annotations

import io
import os

import numpy as np

from voicemill.dataset.stage_clock import ProgressLines, StageClock, StageTime
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol


def test_a_stage_is_announced_and_measured() -> None:
    heard: list[tuple[str, int | None]] = []

    class Listening(SilentObserver):
        def stage(self, name: str, total: int | None = None) -> None:
            heard.append((name, total))

    clock = StageClock(Listening(), list)
    with clock.stage("decode", 3, audio_seconds=10.0):
        block = np.ones(8 << 20)
        block += 1
    (time,) = clock.times
    assert heard == [("decode", 3)]
    assert time.seconds > 0
    assert time.times_real_time is not None
    assert time.peak_mib is None or time.peak_mib > 64


def test_workers_count_into_the_peak() -> None:
    clock = StageClock(SilentObserver(), lambda: [os.getpid()])
    with clock.stage("pitch"):
        pass
    alone = StageClock(SilentObserver(), list)
    with alone.stage("pitch"):
        pass
    both, one = clock.times[0].peak_mib, alone.times[0].peak_mib
    assert both is None or one is None or both > 1.5 * one


def test_no_sound_no_speed() -> None:
    assert StageTime(name="manifest", seconds=1.0).times_real_time is None


def test_progress_lines_count_finished_stages() -> None:
    stream = io.StringIO()
    lines = ProgressLines(SilentObserver(), Protocol(stream), 3)
    for name in ("a", "b", "c"):
        lines.stage(name)
        lines.advance(1)
        lines.note("kept")
    lines.finish()
    assert stream.getvalue().splitlines() == ["PROGRESS 0 3", "PROGRESS 1 3", "PROGRESS 2 3", "PROGRESS 3 3"]
