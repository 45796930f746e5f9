"""A real tiny job whose disk fails, or that is killed, once in each phase, and is resumed each time.

One job for all phases: what a phase before has finished is not made again. The commands that publish are killed and
failed at every single call in `test_bundle_faults.py`.
"""

from __future__ import annotations

import errno
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from voicemill.settings import REPOSITORY

from .conftest import FAIL_FROM, RENAME, Driver, Fault, litter

BENCH = REPOSITORY / "scripts/bench"
PUBLISHED = {
    "preparation": "datasets/killed",
    "FastPitch": "fastpitch.nemo",
    "HiFi-GAN": "hifigan.nemo",
    "tuned vocoder": "istft.safetensors",
    "training status": "prod_tts_train_status.json",
    "evaluation": "prod_tts_eval.json",
    "bundle": "prod_tts_voice_bundle",
    "promotion": "killed/voice_bundle",
    "report": "killed.html",
}
"""What a phase puts in place, by the end of its path. This job's voice is too bad for a certificate."""
TINY = ("--sentences", "6", "--steps", "4")


@pytest.fixture(scope="module")
def kills() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        yield importlib.import_module("kills")
    for name in ("kills", "processes"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def heavy_driver(kills: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A Python under the shim that has imported what trains and evaluates."""
    made = Driver(tmp_path_factory.mktemp("heavy-driver"), kills.PRELOADED, "default")
    yield made
    made.close()


def measured(folder: Path, *options: str) -> dict[str, tuple[int, int, int]]:
    """Kills, recoveries and losses by stage, as the bench prints them."""
    argv = [sys.executable, str(BENCH / "bench.py"), "--work", str(folder), "kills", *TINY, *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    return {name: (int(killed), int(recovered), int(lost)) for name, killed, recovered, lost in rows[1:]}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kill_in_each_phase(tmp_path: Path) -> None:
    """One job, killed in one phase after the other; a kill may come a stage later than it was meant to."""
    stages = ("segmentation", "pitch", "FastPitch", "HiFi-GAN", "vocoder tuning", "saving", "evaluation")
    options = [word for stage in stages for word in ("--stage", stage)]
    found = measured(tmp_path, "--count", "5", *options)
    killed, recovered, lost = found.pop("all")
    assert killed >= 5
    assert (recovered, lost) == (killed, 0)
    preparation = ("segmentation", "clips", "alignment", "text-check", "pitch", "manifest")
    phases = (preparation, ("FastPitch", "HiFi-GAN"), ("HiFi-GAN", "vocoder tuning"), ("saving",))
    for phase in (*phases, ("evaluation", "bundle", "promotion")):
        assert sum(found[stage][0] for stage in phase), (phase, found)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_a_disk_that_fails_in_each_phase(kills, heavy_driver: Driver, tmp_path: Path, number: int) -> None:
    reason = "disk_full" if number == errno.ENOSPC else "not_writable"
    job = kills.Job(kills.take(tmp_path, 6), tmp_path, 4)
    job.configure()

    def run(fault: Fault, *arguments: str):
        job.work.mkdir(exist_ok=True)
        return heavy_driver(job.work, *job.argv(*arguments), fault=fault, **job.environment)

    assert run(Fault()).code == 0
    undisturbed = kills.finished(job.work)
    job.clear()
    for phase, suffix in PUBLISHED.items():
        done = run(Fault(RENAME, FAIL_FROM, at=1, error=number, suffix=suffix), "--resume")
        assert done.code == 2, (phase, done.stderr)
        assert f"[tts-prod][error] {reason}" in done.stderr, (phase, done.stderr)
        assert "Traceback" not in done.stderr, (phase, done.stderr)
        status = json.loads((job.work / "artifacts/train_status.tts_prod_train.json").read_text())
        assert (status["state"], status["reason"].partition(":")[0]) == ("blocked", reason), phase
        assert litter(job.work) == [], phase
        print(f"{phase}: {status['reason']}", file=sys.stderr)
    done = run(Fault(), "--resume")
    assert done.code == 0, done.stderr
    assert kills.finished(job.work) == undisturbed
