"""The status of a lane, and how a reader tells a dead lane from one that runs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voicemill import lane_status
from voicemill.lane_status import LaneStatus, StatusFile, describe, heartbeat_age, liveness, read_lane_status

HOLD = """
import sys, time
from pathlib import Path
from voicemill.lane_status import StatusFile

status = StatusFile(Path(sys.argv[1]), "tts_prod_train")
status.update(progress=(40, 100), stats={"loss": 2.5, "step": 7})
print("written", flush=True)
with status.beating():
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "artifacts/train_status.tts_prod_train.json"


@pytest.fixture
def lane(path: Path, repository: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a lane, as its status says."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        env={"PYTHONPATH": str(repository / "lib")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.communicate()


def test_the_status_exists_from_the_start_and_keeps_its_fields(path: Path) -> None:
    status = StatusFile(path, "tts_prod_train")
    running = json.loads(path.read_text())
    assert (running["state"], running["pid"]) == ("running", os.getpid())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", running["heartbeat"])
    status.update(progress=(3, 100), stats={"a": 1}, artifact="x.json")
    status.update(stats={"b": 2, "step": 7, "loss": 1.5}, artifact="x.json", checkpoint="m.nemo")
    status.update(state="blocked", reason="missing_transcript")
    found = json.loads(path.read_text())
    assert abs(found.pop("timestamp") - time.time()) < 600
    assert found == {
        "job_type": "tts_prod_train",
        "status": "blocked",
        "state": "blocked",
        "reason": "missing_transcript",
        "progress": {"current": 3, "total": 100},
        "stats": {"a": 1, "b": 2, "step": 7, "loss": 1.5},
        "artifacts": ["x.json"],
        "pid": None,
        "host": None,
        "process": None,
        "heartbeat": None,
        "step": 7,
        "loss": 1.5,
        "epoch": None,
        "checkpoint": "m.nemo",
    }


def test_a_lane_that_runs_and_one_that_was_killed(path: Path, lane: subprocess.Popen[str]) -> None:
    status = read_lane_status(path)
    assert (status.pid, status.step, status.loss) == (lane.pid, 7, 2.5)
    assert liveness(status) == "running"
    assert describe(status).startswith(f"running (40 of 100, process {lane.pid} on ")
    lane.send_signal(signal.SIGKILL)
    lane.wait()
    assert read_lane_status(path).state == "running", "it could not write its end"
    assert liveness(status) == "dead"
    assert describe(status).startswith("dead: its process ended without a result (40 of 100")


def test_a_zombie_is_dead(path: Path, lane: subprocess.Popen[str]) -> None:
    lane.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, lane.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its parent has not collected it
    assert liveness(read_lane_status(path)) == "dead"


def test_another_process_with_the_same_id_is_not_the_lane(path: Path) -> None:
    StatusFile(path, "job")
    status = read_lane_status(path)
    assert liveness(status) == "running"
    namespace, _, started = str(status.process).partition(":")
    assert liveness(dataclasses.replace(status, process=f"{namespace}:{int(started) - 1}")) == "dead"


@pytest.mark.parametrize(
    "change",
    [
        {"host": "elsewhere"},
        {"process": "1:2"},  # the same name, another pid namespace: a container
        {"process": None},
    ],
)
def test_elsewhere_the_heartbeat_decides(path: Path, change: dict[str, Any]) -> None:
    StatusFile(path, "job")
    status = dataclasses.replace(read_lane_status(path), pid=2**22 + 5, **change)
    age = heartbeat_age(status)
    assert age is not None
    now = time.time()
    assert liveness(status, now) == "running"
    assert liveness(status, now + lane_status.SILENT_SECONDS + 2) == "dead"
    assert liveness(status, now - 3600) == "running", "a clock that goes back kills no lane"
    assert liveness(dataclasses.replace(status, heartbeat="yesterday"), now) == "dead"


def test_a_status_of_version_1_is_read_and_proves_nothing(path: Path) -> None:
    path.parent.mkdir()
    document = {"job_type": "job", "status": "running", "state": "running", "progress": {"current": 1, "total": 2}}
    path.write_text(json.dumps(document))
    assert liveness(read_lane_status(path)) == "unknown"
    path.write_text(json.dumps(document | {"state": "completed", "status": "completed", "of_a_later_version": 1}))
    status = read_lane_status(path)
    assert (liveness(status), describe(status)) == ("ended", "completed")


@pytest.mark.parametrize(
    "change",
    [
        {"state": "fine"},
        {"job_type": 3},
        {"pid": "12"},
        {"pid": True},
        {"heartbeat": 5},
        {"progress": 4},
        {"progress": {"current": "x"}},
        {"stats": []},
    ],
)
def test_what_is_no_status_is_refused(path: Path, change: dict[str, Any]) -> None:
    StatusFile(path, "job")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=r"."):
        read_lane_status(path)


def beats(path: Path, seconds: float) -> set[float]:
    """The different times of change that the file had."""
    seen, end = set(), time.monotonic() + seconds
    while time.monotonic() < end and len(seen) < 3:
        seen.add(path.stat().st_mtime_ns)
        time.sleep(0.01)
    return seen


def test_the_heartbeat_is_renewed_and_keeps_the_rest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_status, "HEARTBEAT_SECONDS", 0.02)
    status = StatusFile(path, "job")
    status.update(stats={"clips": 3})
    with status.beating():
        assert len(beats(path, 30)) == 3
        status.update(state="completed")
        assert json.loads(path.read_text())["heartbeat"] is None
        assert len(beats(path, 0.2)) == 1, "a final status is not written again"
    assert json.loads(path.read_text())["stats"] == {"clips": 3}


def test_the_heartbeat_leaves_the_status_of_another_process_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_status, "HEARTBEAT_SECONDS", 0.02)
    status = StatusFile(path, "job")
    with status.beating():
        taken = json.loads(path.read_text()) | {"pid": os.getpid() + 1, "progress": {"current": 9, "total": 9}}
        other = path.with_name("other")
        other.write_text(json.dumps(taken))
        other.replace(path)
        time.sleep(0.2)
    assert json.loads(path.read_text())["progress"]["current"] == 9
    status.take_over()
    status.update(state="error", reason="lane_died")
    assert read_lane_status(path).progress.current == 9


def test_an_impossible_process_id_is_dead(path: Path) -> None:
    StatusFile(path, "job")
    status: LaneStatus = read_lane_status(path)
    for pid in (0, -1, 2**31, 2**70):
        assert liveness(dataclasses.replace(status, pid=pid)) == "dead"
