"""Two jobs in one work folder or on one dataset: each ends as if it were alone, or is refused at once."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicemill.boundary import Interrupts
from voicemill.errors import RefusedError
from voicemill.lane_status import read_lane_status
from voicemill.launch.lanes import lane_state
from voicemill.locks import LANE_LOCK, in_use, lane_lock, require_unused, with_lock
from voicemill.protocol import Protocol
from voicemill.settings import Settings

HOLD = """
import sys, time
from pathlib import Path
from voicemill.locks import lane_lock

with lane_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
FORK = """
import os, sys, time
from pathlib import Path
from voicemill.locks import lane_lock

with lane_lock(Path(sys.argv[1])):
    if os.fork() == 0:
        print("held", flush=True)  # by the new process, once it has closed what it must not keep
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""
HOLD_STATUS = """
import sys, time
from pathlib import Path
from voicemill.lane_status import StatusFile

StatusFile(Path(sys.argv[1]), "tts_prod_train")
print("held", flush=True)
time.sleep(60)
"""
LANES = (
    "train_production_tts.py",
    "train_production_nemo.py",
    "train_production_voice.sh",
    "colab_run_prod_tts_once.sh",
    "colab_run_once.sh",
    "prod/train_nemo_tts.py",
    "prod/eval_nemo_tts.py",
    "prod/build_voice_bundle.py",
    "prod/promote_voice_bundle.py",
)


@pytest.fixture
def holder(repository: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the work folder, as a lane does."""
    process = hold(HOLD, repository, tmp_path)
    yield process
    end(process)


def hold(program: str, repository: Path, folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        env={"PYTHONPATH": str(repository / "lib")},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("script", LANES)
def test_a_second_lane_is_refused_at_once_and_touches_nothing(run, tmp_path, holder, script):
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    names = [f"train_status.{job}.json" for job in ("tts_prod_train", "tts_prod_train_nemo", "tts_voice_train")]
    for name in (*names, "prod_tts_train_status.json", "prod_tts_eval.json", "prod_tts_once.log"):
        (artifacts / name).write_text(f"the first lane's {name}")
    before = contents(tmp_path)
    environment = {"TRAIN_BACKEND": "local"} if script == "train_production_voice.sh" else {}
    done = run(script, PROD_TTS_DRY_RUN=1, **environment)
    assert done.returncode == 1, done.stderr
    assert f"[tts-prod][error] lane_busy:{tmp_path.name}" in done.stderr
    assert f'STATS {{"reason":"lane_busy:{tmp_path.name}","status":"error"}}' in done.stdout.splitlines()
    assert "Traceback" not in done.stderr
    assert contents(tmp_path) == before


def test_a_killed_lane_frees_its_work_folder(run, tmp_path, repository):
    process = hold(HOLD, repository, tmp_path)
    end(process)
    done = run("train_production_tts.py", PROD_TTS_DRY_RUN=1)
    assert done.returncode == 0, done.stderr


def test_a_forked_process_does_not_keep_the_lock_of_a_killed_lane(tmp_path, repository):
    process = hold(FORK, repository, tmp_path)
    process.kill()
    process.wait()
    try:
        with lane_lock(tmp_path):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_lane_passes_its_lock_to_the_processes_of_its_steps(tmp_path, repository):
    with lane_lock(tmp_path) as lock:
        assert lock is not None
        environ = with_lock({"PYTHONPATH": str(repository / "lib")}, lock)
        program = (
            "import os, sys; from pathlib import Path; from voicemill.locks import lane_lock\n"
            "with lane_lock(Path(sys.argv[1]), int(os.environ['VOICEMILL_LANE_LOCK'])): print('ours')"
        )
        argv = [sys.executable, "-c", program, str(tmp_path)]
        child = subprocess.run(argv, env=environ, pass_fds=[lock], capture_output=True, text=True, check=True)
        assert child.stdout == "ours\n"
        with pytest.raises(RefusedError, match="Another lane"), lane_lock(tmp_path):
            pass
        stranger = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        assert "lane_busy" not in stranger.stdout
        assert stranger.returncode == 1, "a descriptor that is not open is no lock"


@pytest.mark.parametrize("value", ["1", "987654", "x"])
def test_a_lock_that_is_none_is_not_believed(run, tmp_path, holder, value):
    done = run("train_production_tts.py", PROD_TTS_DRY_RUN=1, **{LANE_LOCK: value})
    assert done.returncode == 1
    assert "lane_busy" in done.stderr
    assert not (tmp_path / "artifacts").exists()


def test_without_locks_the_status_of_a_running_process_keeps_the_folder(tmp_path, repository, monkeypatch):
    """A file system without locks: the process that the status names decides."""

    def unsupported(descriptor: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    environ = {"WORK_DIR": str(tmp_path), "CACHE_DIR": str(tmp_path / "cache")}
    settings = Settings.for_lane(environ, repository=repository)
    path = settings.paths.lane_status("tts_prod_train")
    other = hold(HOLD_STATUS, repository, path)

    def start() -> None:
        with Interrupts() as interrupts, lane_state(settings, "tts_prod_train", Protocol(io.StringIO()), interrupts):
            pass

    before = path.read_bytes()
    with pytest.raises(RefusedError) as caught:
        start()
    assert caught.value.reason == f"lane_busy:{tmp_path.name}"
    assert path.read_bytes() == before
    end(other)
    start()
    assert read_lane_status(path).pid == os.getpid()


def test_two_lanes_started_together_never_mix(run, checkout, tmp_path):
    """One is done and the other refused, or both are done one after the other; the status is of one that is done."""
    environ = os.environ | {"PROD_TTS_DRY_RUN": "1", "CACHE_DIR": str(tmp_path / "cache")}
    started = [
        subprocess.Popen(
            [sys.executable, str(checkout / "scripts/voice/train_production_tts.py")],
            env=environ | {"VOICE_PROFILE_ID": voice},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for voice in ("anna", "bert", "carl")
    ]
    outputs = [each.communicate(timeout=120) for each in started]
    codes = [each.returncode for each in started]
    assert set(codes) <= {0, 1}
    assert 0 in codes
    for code, (_, errors) in zip(codes, outputs, strict=True):
        assert (code == 0) != ("lane_busy:" in errors), errors
    status = json.loads((tmp_path / "artifacts/train_status.tts_prod_train.json").read_text())
    assert (status["state"], status["reason"]) == ("completed", None)
    promoted = {path.name for path in (tmp_path / "bundles").iterdir()}
    assert promoted == {voice for voice, code in zip(("anna", "bert", "carl"), codes, strict=True) if code == 0}


def test_a_dataset_in_use_is_neither_replaced_nor_removed(tmp_path, monkeypatch):
    dataset = tmp_path / "datasets" / "anna"
    dataset.mkdir(parents=True)
    kinds, real = [], fcntl.flock
    monkeypatch.setattr("voicemill.locks.fcntl.flock", lambda lock, kind: (kinds.append(kind), real(lock, kind)))
    with in_use(dataset):
        kinds.clear()
        with pytest.raises(RefusedError) as caught:
            require_unused(dataset)
        assert (caught.value.reason, caught.value.exit_code) == ("lane_busy:anna", 1)
        assert kinds == [fcntl.LOCK_EX | fcntl.LOCK_NB], "refused without waiting"
        with in_use(dataset):
            pass  # two lanes of two work folders may read one dataset
    require_unused(dataset)
    require_unused(dataset.parent / "none")
