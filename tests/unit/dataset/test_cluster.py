"""A real Ray cluster of two nodes on loopback: what it makes is what the processes make, whoever dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ray_cluster import Cluster, two_nodes

from voicemill.dataset.cluster import RayPool
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import DependencyError
from voicemill.settings import REPOSITORY

pytestmark = pytest.mark.slow

TASKS = """
import os
import time
from pathlib import Path
from voicemill.errors import DatasetError

def same(number):
    return number

def meet(task):
    # both nodes have one CPU, so two tasks are at work at once only where each has one
    folder, number = task
    Path(folder, f"met-{number}").touch()
    deadline = time.monotonic() + 120
    while len(list(Path(folder).glob("met-*"))) < 2:
        assert time.monotonic() < deadline, "nobody came"
        time.sleep(0.05)
    return os.getpid()

def note(task):
    folder, number = task
    Path(folder, f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.1)
    return number

def fail(number):
    if number == 3:
        raise DatasetError("Third.", reason="third:3", hint="Skip it.")
    return number

def die(number):
    os._exit(9)

def see_nothing(wanted, names):
    return list(wanted), ""
"""

DRIVER = """
import json
import os
import signal
import sys
from pathlib import Path

sys.path[:0] = json.loads(sys.argv[1])
import voicemill_cluster_tasks as tasks
from voicemill.boundary import Interrupts
from voicemill.dataset import cluster
from voicemill.dataset.cluster import RayPool
from voicemill.dataset.prepare import prepare
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.errors import VoicemillError
from voicemill.progress import SilentObserver
from voicemill.workspace import Workspace

def workers(parents):
    # processes of a node that work on tasks: children of its raylet
    children = [c for pid in parents for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_bytes().startswith((b"ray::_at", b"ray::ID"))]

class Killer(SilentObserver):
    # ends what it is told to, once, when so much of a stage is done
    def __init__(self, stage, half, victims):
        self.name, self.half, self.victims, self.now = stage, half, victims, ""

    def stage(self, name, total=None):
        self.now = name

    def advance(self, done, note=""):
        if self.now == self.name and done >= self.half and self.victims:
            for pid in self.victims():
                os.kill(pid, signal.SIGKILL)
            self.victims = None

def map_all(address, folder):
    with RayPool(address, Path(folder)) as pool:
        met = pool.map(tasks.meet, [(folder, number) for number in range(2)])
        found = pool.map(tasks.same, list(range(100)))
        reasons = []
        for function in (tasks.fail, tasks.die):
            try:
                pool.map(function, list(range(5)))
            except VoicemillError as error:
                reasons.append(error.reason)
        try:
            with Interrupts():
                pool.map(tasks.note, [(folder, number) for number in range(60)], Stopper())
        except VoicemillError as error:
            reasons.append(error.reason)
    cluster._look = tasks.see_nothing
    try:
        with RayPool(address, Path(folder)):
            pass
    except VoicemillError as error:
        reasons.append(error.reason.partition(":")[0])
    return {"met": met, "found": found, "reasons": reasons}

class Stopper(SilentObserver):
    def advance(self, done, note=""):
        signal.raise_signal(signal.SIGTERM)

def map_while_a_node_dies(address, folder, *node):
    killed = []
    def victims():
        killed.extend(workers(node))
        return [*killed, *map(int, node)]
    with RayPool(address, Path(folder)) as pool:
        found = pool.map(tasks.note, [(folder, number) for number in range(60)], Killer("", 10, victims))
    return {"found": found, "killed": killed}

def prepare_while_a_worker_dies(address, folder, audio, script, *node):
    killed = []
    def victims():
        killed.extend(workers(node)[:1])
        return killed
    request = PreparationRequest(voice="demo", source=recording_source(Path(audio), Path(script)), seed=3, workers=1, ray=address)
    os.chdir(folder)
    made = prepare(request, Workspace(Path("work"), Path("cache")), Killer("segmentation", 2, victims))
    return {"sha256": made.sha256, "files": made.description.files, "killed": killed}

print(json.dumps(globals()[sys.argv[2]](*sys.argv[3:])))
"""


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError) as caught, RayPool("127.0.0.1:6379", tmp_path):
        pass
    assert caught.value.reason == "extra_missing:ray"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with two_nodes(voicemill_cluster_tasks=TASKS, driver=DRIVER) as started:
        yield started


def test_tasks_run_on_all_nodes(cluster: Cluster, tmp_path: Path) -> None:
    made = cluster.drive("map_all", cluster.address, tmp_path)
    assert len(set(made["met"])) == 2
    assert made["found"] == list(range(100))
    assert made["reasons"] == ["third:3", "worker_died", "interrupted:sigterm", "ray_node_unfit"]


def test_a_preparation_whose_worker_dies_makes_the_same_bytes(
    cluster: Cluster, tmp_path: Path, piece_audio: Path, piece_script: Path, prepared: PreparedDataset
) -> None:
    made = cluster.drive(
        "prepare_while_a_worker_dies", cluster.address, tmp_path, piece_audio, piece_script, *cluster.other
    )
    assert len(made["killed"]) == 1
    assert made["sha256"] == prepared.sha256
    assert made["files"] == prepared.description.files


def test_the_app_says_nothing_but_its_lines(cluster: Cluster, tmp_path: Path, prepared: PreparedDataset) -> None:
    app = [sys.executable, str(REPOSITORY / "apps/voice-prep/voice-prep.py"), "--dataset", str(prepared.train_manifest)]
    environment = cluster.environment | {"WORK_DIR": "work", "CACHE_DIR": "cache"}
    arguments = (("--ray", cluster.address), ("--ray", "127.0.0.1:1"), ("--ray", "here"))
    good, absent, wrong = (
        subprocess.run(
            [*app, "--force", *more], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for more in arguments
    )
    assert good.returncode == 0, good.stderr
    assert {line.partition(" ")[0] for line in good.stdout.splitlines()} == {"PROGRESS", "STATS", "ARTIFACT"}
    assert (absent.returncode, wrong.returncode) == (2, 1)
    assert "[voice-prep][error] ray_unreachable:127.0.0.1:1" in absent.stderr.splitlines()
    assert "[voice-prep][error] bad_usage" in wrong.stderr.splitlines()


def test_a_node_that_dies_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    made = cluster.drive("map_while_a_node_dies", cluster.address, tmp_path, *cluster.other)
    assert made["found"] == list(range(60))
    begun = [path.name.split("-")[:2] for path in tmp_path.iterdir()]
    assert {int(number) for number, _ in begun} == set(range(60))
    assert set(made["killed"]) & {int(worker) for _, worker in begun}  # the node had its share of the work
