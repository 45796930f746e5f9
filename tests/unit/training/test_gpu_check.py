"""scripts/gpu_check.sh on a CPU: all three parts run, and the trained bases can be read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.synthesis.mel import AudioConfig

REPOSITORY = Path(__file__).resolve().parents[3]
SETTINGS = {
    "SPEED_SECONDS": 600, "TRAIN_MINUTES": 0.05, "ACOUSTIC_MINUTES": 0.05, "PRESET": "smoke", "ACOUSTIC_PRESET": "smoke",
    "STEPS": 1, "ROUNDS": 1, "BATCH": 2, "FRAMES": 32, "LOADERS": 1, "OMP_NUM_THREADS": 1,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.exhaustive
def test_every_part_runs_and_leaves_its_files(tone_dataset: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    from voicemill.training.istft_weights import read_istft

    speakers, out = tmp_path / "speakers", tmp_path / "out"
    shutil.copytree(REPOSITORY / "tests/data/people/austen", speakers / "austen")
    prepared = shutil.copytree(tone_dataset, tmp_path / "anna")
    settings = {name: str(value) for name, value in SETTINGS.items()} | {"VOICEMILL_PYTHON": sys.executable}
    done = subprocess.run(
        [str(REPOSITORY / "scripts/gpu_check.sh"), str(tone_dataset), str(speakers), str(out), str(prepared)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    logs = {path.name: path.read_text()[-2000:] for path in out.glob("*.log")}
    assert done.returncode == 0, done.stderr
    found = (out / "gpu.txt").read_text()
    for part in ("speed", "base vocoder", "base FastPitch"):
        assert f"{part}: exit 0" in found, logs
    assert "stock" in (out / "training.txt").read_text()
    read_istft(out / "base.safetensors", AudioConfig())
    with safe_open(out / "acoustic.safetensors", framework="pt") as opened:
        assert opened.metadata()["speakers"] == "anna"
    assert (out / "log.jsonl").read_text().count("step") >= 1


def test_wrong_arguments_print_the_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(REPOSITORY / "scripts/gpu_check.sh"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "DATASET SPEAKERS OUT" in done.stderr
