from __future__ import annotations

import io
import json
from pathlib import Path

from voicemill.lane.reporter import LaneReporter, Phase
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol, StatusFile


def reporter(tmp_path: Path) -> tuple[LaneReporter, io.StringIO, Path]:
    stream, path = io.StringIO(), tmp_path / "status.json"
    lane = LaneReporter(Protocol(stream, base=tmp_path), StatusFile(path, "job"), SilentObserver())
    lane.start()
    return lane, stream, path


def test_stages_share_their_phase_and_advance_fills_them(tmp_path: Path) -> None:
    lane, stream, path = reporter(tmp_path)
    with lane.phase(Phase("prepare", 20, stages=2)):
        lane.stage("one", 4)
        for done in range(1, 5):
            lane.advance(done)
        lane.stage("two")
        lane.advance(3)
    lane.stats({"clips": 3})
    lane.finish("completed")
    numbers = [line.split()[1] for line in stream.getvalue().splitlines() if line.startswith("PROGRESS")]
    assert numbers == ["0", "2", "5", "7", "10", "20", "100"]
    assert json.loads(path.read_text())["stats"] == {"clips": 3}


def test_more_stages_than_announced_never_go_back_or_beyond(tmp_path: Path) -> None:
    lane, stream, _ = reporter(tmp_path)
    with lane.phase(Phase("train", 10, stages=1)):
        for name in "abc":
            lane.stage(name, 2)
            lane.advance(5)
    numbers = [int(line.split()[1]) for line in stream.getvalue().splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 10


def test_a_failed_lane_stops_where_it_was_and_says_why(tmp_path: Path) -> None:
    lane, stream, path = reporter(tmp_path)
    lane.finish("blocked", "missing_transcript")
    assert stream.getvalue() == "PROGRESS 0 100\n"
    found = json.loads(path.read_text())
    assert (found["state"], found["reason"], found["progress"]) == (
        "blocked",
        "missing_transcript",
        {"current": 0, "total": 100},
    )


def test_artifacts_reach_stdout_and_status_file(tmp_path: Path) -> None:
    lane, stream, path = reporter(tmp_path)
    (tmp_path / "eval.json").write_text("{}")
    lane.artifact(tmp_path / "eval.json")
    assert stream.getvalue().splitlines()[-1] == "ARTIFACT eval.json"
    assert json.loads(path.read_text())["artifacts"] == ["eval.json"]
