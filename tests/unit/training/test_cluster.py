"""Training on a Ray cluster of two nodes on loopback: the weights of torchrun, also after a process was killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.ray_cluster import Cluster, two_nodes

from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.launch import train
from voicemill.training.worker import TrainingJob

from .test_launch import config, equal_clips

pytestmark = pytest.mark.exhaustive
__all__ = ["equal_clips"]
STEPS = 400

DRIVER = """
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = json.loads(sys.argv[1])
from voicemill.boundary import Interrupts
from voicemill.errors import VoicemillError
from voicemill.training.cluster import train
from voicemill.training.hooks import Hooks
from voicemill.training.worker import TrainingJob

def ranks(*nodes):
    # processes of the nodes that train
    children = [c for pid in nodes for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [int(pid) for pid in children if b"TrainWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

def run(address, work, at=0, action="", nodes=()):
    steps, notes, killed = [], [], []
    def on_step(report):
        steps.append(report.step)
        if len(steps) == at and action == "kill":
            killed.extend(ranks(*nodes))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        if len(steps) == at and action == "stop":
            signal.raise_signal(signal.SIGTERM)
    outcomes = {"steps": steps, "notes": notes, "killed": killed}
    if action == "stop early":
        threading.Timer(at, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with Interrupts() as interrupts:
            hooks = Hooks(on_step=on_step, note=notes.append, should_stop=interrupts.should_stop, taking_steps=interrupts.cooperative)
            result = train(TrainingJob.model_validate_json(Path(work).read_text()), hooks, address)
        outcomes |= {"losses": [loss for _, loss, _ in result.loss_curve], "weights": result.weights_sha256}
    except VoicemillError as error:
        outcomes |= {"reason": error.reason, "code": error.exit_code, "message": str(error)}
    return outcomes

def runs(address, asked, *nodes):
    # their outcomes, one after the other; then the processes left on the nodes
    outcomes = [run(address, **one) for one in json.loads(asked)]
    for attempt in range(60):
        if not ranks(*nodes):
            break
        time.sleep(0.5)
    return [*outcomes, ranks(*nodes)]

print(json.dumps(globals()[sys.argv[2]](*sys.argv[3:])))
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with two_nodes(driver=DRIVER) as started:
        yield started


def work(folder: Path, dataset: Path, settings: TrainingConfig, **more: object) -> str:
    """Path of the JSON of a job with the output `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder.parent / f"{folder.name}-{len(list(folder.parent.iterdir()))}.json"
    facts = {
        "model": "acoustic",
        "config": settings.model_dump(mode="json"),
        "dataset": str(dataset),
        "out": str(folder),
    }
    path.write_text(json.dumps(facts | more))
    return str(path)


def on_nodes(number: int, settings: TrainingConfig) -> TrainingConfig:
    """One process on each of so many machines."""
    return settings.model_copy(update={"devices": 1, "nodes": number})


@pytest.fixture(scope="module")
def outcomes(cluster: Cluster, equal_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Outcomes of several runs, one after the other in one process."""
    folder = tmp_path_factory.mktemp("runs")
    loud = shutil.copytree(equal_clips, folder / "loud")
    pitch = np.load(loud / "supplementary/e3.npz")["pitch"].copy()
    pitch[pitch > 0] = np.float32(3e38)
    np.savez(loud / "supplementary/e3.npz", pitch=pitch)
    long = on_nodes(2, config(2, 2, max_steps=STEPS))
    out = folder / "ray"
    asked = {
        "early": {"work": work(folder / "early", equal_clips, long), "at": 10, "action": "stop early"},
        "stopped": {"work": work(out, equal_clips, long), "at": 2, "action": "stop"},
        "killed": {
            "work": work(out, equal_clips, long, resume=True),
            "at": 2,
            "action": "kill",
            "nodes": cluster.other,
        },
        "not finite": {"work": work(folder / "loud-out", loud, on_nodes(2, config(2, 1, max_steps=40)))},
        "too many": {"work": work(folder / "many", equal_clips, on_nodes(3, config(3, 1)))},
    }
    *found, left = cluster.drive(
        "runs", cluster.address, json.dumps(list(asked.values())), *cluster.head, *cluster.other
    )
    return dict(zip(asked, found, strict=True)) | {"left": left, "out": out}


def test_stopped_and_killed_runs_give_the_weights_of_torchrun(
    outcomes: dict[str, Any], equal_clips: Path, tmp_path: Path
) -> None:
    stopped, killed = outcomes["stopped"], outcomes["killed"]
    assert (stopped["reason"], stopped["code"]) == ("interrupted:sigterm", 143)
    assert len(killed["killed"]) == 1, "there was nothing left to kill"
    assert sum("was lost" in note for note in killed["notes"]) == 1
    assert stopped["steps"] + killed["steps"] == list(range(1, STEPS + 1)), "no step is reported twice"
    settings = config(2, 2, max_steps=STEPS)
    whole = train(TrainingJob(model="acoustic", config=settings, dataset=equal_clips, out=tmp_path), Hooks())
    assert killed["losses"] == [loss for _, loss, _ in whole.loss_curve]
    assert killed["weights"] == whole.weights_sha256
    others = {path.name for path in outcomes["out"].iterdir() if ".checkpoint" not in path.name}
    assert others == {"fastpitch.nemo", "lexicon.cmudict", "ranks.log"}


def test_a_stop_before_the_first_step_ends_at_once(outcomes: dict[str, Any]) -> None:
    assert (outcomes["early"]["reason"], outcomes["early"]["steps"]) == ("interrupted:sigterm", [])


def test_an_error_that_would_come_again_ends_the_training(outcomes: dict[str, Any]) -> None:
    found = outcomes["not finite"]
    assert found["reason"].startswith("non_finite_loss:step=")
    assert 1 <= sum("is skipped" in note for note in found["notes"]) <= 4
    assert not any("was lost" in note for note in found["notes"])


def test_a_cluster_that_is_too_small_is_refused(outcomes: dict[str, Any]) -> None:
    assert (outcomes["too many"]["reason"], outcomes["too many"]["code"]) == ("ray_too_small:2", 2)


def test_nothing_is_left_on_the_nodes(outcomes: dict[str, Any]) -> None:
    assert outcomes["left"] == []
