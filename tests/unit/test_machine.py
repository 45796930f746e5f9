from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from voicemill import machine
from voicemill.lane.monitoring import StepDisplay
from voicemill.lane.reporter import LaneReporter
from voicemill.lane.steps import note_load
from voicemill.machine import Load
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol
from voicemill.training.checkpoint import StepReport
from voicemill.workers import usable_cores


class Notes(SilentObserver):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def advance(self, done: int, note: str = "") -> None:
        self.lines.append(note)


def loaded(monkeypatch: pytest.MonkeyPatch, per_core: float) -> float:
    """Let the system report a load of so many processes a core."""
    processes = per_core * usable_cores()
    monkeypatch.setattr(os, "getloadavg", lambda: (processes, 0.0, 0.0))
    return processes


def test_the_load_of_this_machine_is_read() -> None:
    found = machine.load()
    assert found is not None
    assert found.processes >= 0
    assert found.cores == usable_cores()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "5000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 6),
        ({"cpu.max": "9000000 100000\n"}, 6),
        ({"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 6),
        ({"cpu.max": "nonsense\n"}, 6),
        ({}, 6),
    ],
)
def test_a_containers_quota_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores


def test_own_processes_do_not_make_a_machine_busy() -> None:
    assert Load(2.5, 2).busy()
    assert not Load(2.0, 2).busy()
    assert not Load(3.9, 2).busy(own=2)
    assert Load(4.1, 2).busy(own=2)
    assert (Load(15.64, 2).text, Load(1.0, 1).text) == ("load 15.6 on 2 cores", "load 1.0 on 1 core")


@pytest.mark.parametrize(("per_core", "busy"), [(0.9, False), (8.0, True)])
def test_a_run_on_a_busy_machine_says_so(monkeypatch: pytest.MonkeyPatch, per_core: float, busy: bool) -> None:
    processes, out, observer = loaded(monkeypatch, per_core), io.StringIO(), Notes()
    note_load(LaneReporter(Protocol(out), None, observer))
    if not busy:
        assert (observer.notes, out.getvalue()) == ([], "")
        return
    assert observer.notes == [
        f"This machine is busy (load {processes:.1f} on {usable_cores()} core{'' if usable_cores() == 1 else 's'}): "
        "the run takes longer than on quiet cores."
    ]
    assert json.loads(out.getvalue().removeprefix("STATS ")) == {"cores": usable_cores(), "load": round(processes, 1)}


@pytest.mark.parametrize(("per_core", "busy"), [(1.9, False), (8.0, True)])
def test_a_training_shows_the_load_of_others(monkeypatch: pytest.MonkeyPatch, per_core: float, busy: bool) -> None:
    loaded(monkeypatch, per_core)
    out, observer = io.StringIO(), Notes()
    display = StepDisplay("FastPitch", 4, LaneReporter(Protocol(out), None, observer))
    for step in range(1, 5):
        display.step(StepReport(step, 4, 3.0, 2.5, 0.2, 0.2, 1e-3, 10.0 * step, 500))
    stats = [json.loads(line[6:]) for line in out.getvalue().splitlines() if line.startswith("STATS ")]
    assert ("load" in stats[-1]) == busy
    assert ("busy: load" in observer.lines[-1]) == busy
    assert stats[-2]["seconds_left"] == 10, "measured steps decide, however busy the machine is"
