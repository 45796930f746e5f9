"""A real tiny job whose disk fails, or that is killed, once in each phase, and is resumed each time.

One job for all phases: what a phase before has finished is not made again.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from voicemill.settings import REPOSITORY

from .conftest import FAIL_FROM, HERE, RENAME, litter

ARM = """
import ctypes, json, os
fault = json.loads(os.environ["FAULT"])
below, suffix, log = (fault[name].encode() for name in ("below", "suffix", "log"))
ctypes.CDLL(None).fault_arm(below, fault["kinds"], fault["how"], 1, fault["error"], 1, suffix, b"", log)
"""
PUBLISHED = {
    "preparation": "datasets/killed",
    "FastPitch": "fastpitch.nemo",
    "HiFi-GAN": "hifigan.nemo",
    "training status": "prod_tts_train_status.json",
    "evaluation": "prod_tts_eval.json",
    "bundle": "prod_tts_voice_bundle",
    "promotion": "killed/voice_bundle",
    "report": "killed.html",
}
"""What a phase puts in place, by the end of its path. This job's voice is too bad for a certificate."""
STAGES = ("decode", "segmentation", "pitch", "FastPitch", "HiFi-GAN", "evaluation", "bundle", "promotion")
"""The stages of a job in which it is killed."""


@pytest.fixture(scope="module")
def kills() -> ModuleType:
    path = REPOSITORY / "scripts/bench/kills.py"
    spec = importlib.util.spec_from_file_location("kills", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def job(kills: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("job")
    return kills.Job(kills.take(folder), folder, 10)


@pytest.fixture(scope="module")
def undisturbed(job):
    whole = job.finish(job.folder / "undisturbed")
    assert whole is not None
    return whole


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library and a `sitecustomize` that arms it in every Python of the job."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("shim")
    argv = ["gcc", "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", HERE / "shim.c", "-ldl"]
    subprocess.run(argv, check=True)
    (folder / "sitecustomize.py").write_text(ARM)
    return folder


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_a_disk_that_fails_in_each_phase(job, kills, undisturbed, shim: Path, number: int, monkeypatch) -> None:
    reason = "disk_full" if number == errno.ENOSPC else "not_writable"
    work = job.folder / f"fails-{number}"
    for phase, suffix in PUBLISHED.items():
        fault = {"below": str(work), "suffix": suffix, "log": str(shim / "log"), "kinds": RENAME, "how": FAIL_FROM}
        with monkeypatch.context() as patch:
            patch.setenv("FAULT", json.dumps(fault | {"error": number}))
            patch.setenv("LD_PRELOAD", str(shim / "shim.so"))
            patch.setenv("PYTHONPATH", str(shim))
            with job.start(work, "--resume") as process:
                stderr = process.communicate()[1]
        assert process.returncode == 2, (phase, stderr)
        assert f"[tts-prod][error] {reason}" in stderr, (phase, stderr)
        assert "Traceback" not in stderr, (phase, stderr)
        status = json.loads((work / "artifacts/train_status.tts_prod_train.json").read_text())
        assert (status["state"], status["reason"].partition(":")[0]) == ("blocked", reason), phase
        assert litter(work) == [], phase
        print(f"{phase}: {status['reason']}", file=sys.stderr)
    after = job.finish(work, "--resume")
    assert after is not None
    assert after.results == undisturbed.results


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_a_kill_in_each_phase(job, undisturbed) -> None:
    work = job.folder / "killed"
    for stage in STAGES:
        assert job.kill_in(work, stage, 0.05, "--resume"), stage
    after = job.finish(work, "--resume")
    assert after is not None
    assert after.results == undisturbed.results
    assert os.listdir(work / "bundles") == ["killed"]
