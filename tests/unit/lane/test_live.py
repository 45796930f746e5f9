from __future__ import annotations

import io
import json

from voicemill.lane.live import StepDisplay
from voicemill.lane.reporter import LaneReporter
from voicemill.protocol import Protocol
from voicemill.training.checkpoint import StepReport


class Screen:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def stage(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int, note: str = "") -> None:
        self.lines.append((done, note))

    def note(self, text: str) -> None:
        pass


def report(step: int, seconds: float, duration: float = 0.2) -> StepReport:
    return StepReport(step, 40, 3.0, 2.5, duration, duration, 1e-3, seconds, 500)


def test_a_line_for_the_person_and_a_few_for_programs() -> None:
    out, screen = io.StringIO(), Screen()
    display = StepDisplay("FastPitch", 40, LaneReporter(Protocol(out), None, screen))
    for step in range(1, 41):
        display.step(report(step, 20.0 + 0.5 * step))
    assert [step for step, _ in screen.lines] == list(range(1, 41))
    assert screen.lines[0][1].startswith("loss 3.000 · mel 2.500 duration 0.200 pitch 0.200 · rate 1.0e-03 · ")
    assert screen.lines[19][1].startswith("loss 3.000 · 0:10 left · 1000 frames/s · mel 2.500")
    assert screen.lines[19][1].endswith(" MB")
    stats = [json.loads(line.partition(" ")[2]) for line in out.getvalue().splitlines() if line.startswith("STATS")]
    assert [line["step"] for line in stats] == [1, *range(2, 41, 2)]
    assert stats[0]["seconds_left"] is None
    assert stats[0]["frames_per_second"] is None
    assert (stats[-1]["seconds_left"], stats[-1]["frames_per_second"]) == (0, 1000)


def test_a_vocoder_has_no_duration_and_pitch() -> None:
    screen = Screen()
    StepDisplay("HiFi-GAN", 40, LaneReporter(Protocol(io.StringIO()), None, screen)).step(report(1, 1.0, duration=0.0))
    assert "duration" not in screen.lines[0][1]
