"""A work folder on a disk of its own that fills up, and one that cannot be written: for real, in a mount namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]


def _may_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    trial = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _may_mount(), reason="needs root and the right to mount")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Twelve clips of four seconds, 2 MB in all, each with its text."""
    folder = tmp_path / "clips"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(12):
        soundfile.write(folder / f"{number}.wav", random.uniform(-0.3, 0.3, 4 * 22050), 22050)
        (folder / f"{number}.txt").write_text("Anything at all.\n")
    return folder


def run_on_disk(
    tmp_path: Path, options: str, clips: Path, app: tuple[str, ...] = ("voice-train-prod", "--preset", "smoke")
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run an app with WORK_DIR on a tmpfs; what is left there is copied out before the namespace ends."""
    left = tmp_path / "left"
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o {options} tmpfs "$DISK" && "$@"; code=$?; cp -a "$DISK" "$LEFT" || true; exit $code'
    name, *arguments = app
    argv = [sys.executable, str(ROOT / f"apps/{name}/{name}.py"), *arguments]
    places = {"DISK": str(tmp_path / "disk"), "LEFT": str(left), "WORK_DIR": str(tmp_path / "disk/work")}
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script, "_", *argv, "--audio", str(clips), "--voice", "ann"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **places, "CACHE_DIR": str(tmp_path / "cache")},
    )
    return done, left / "work"


def test_a_disk_too_small_for_the_run_is_refused_before_the_preparation(tmp_path: Path, clips: Path) -> None:
    done, left = run_on_disk(tmp_path, "size=1200k", clips)
    assert done.returncode == 2, done.stderr
    assert "[tts-prod][error] disk_full" in done.stderr
    assert "The run needs " in done.stderr
    assert "Traceback" not in done.stderr
    status = json.loads((left / "artifacts/train_status.tts_prod_train.json").read_text())
    assert (status["state"], status["reason"].partition(":")[0]) == ("blocked", "disk_full")
    assert not (left / "datasets").exists()


@pytest.mark.slow
def test_a_full_disk_during_preparation_is_named_and_leaves_no_half(tmp_path: Path, clips: Path) -> None:
    done, left = run_on_disk(tmp_path, "size=1200k", clips, ("voice-prep",))
    assert done.returncode == 2, done.stderr
    assert "[voice-prep][error] disk_full" in done.stderr
    # Refused before a file is written, or while it is.
    assert "The disk is full: could not write" in done.stderr or " needs " in done.stderr
    assert "Traceback" not in done.stderr
    assert list((left / "datasets").iterdir()) == []


def test_a_disk_without_room_for_a_new_file_still_gets_the_final_state(tmp_path: Path, clips: Path) -> None:
    # One page each for the folders' first file: the status itself fits, its replacement beside it does not.
    done, left = run_on_disk(tmp_path, "size=4k", clips)
    assert done.returncode == 2, done.stderr
    assert "disk_full" in done.stderr
    status = json.loads((left / "artifacts/train_status.tts_prod_train.json").read_text())
    assert status["state"] == "blocked"


def test_a_folder_that_is_read_only_is_refused_in_one_sentence(tmp_path: Path, clips: Path) -> None:
    done, left = run_on_disk(tmp_path, "ro", clips)
    assert done.returncode == 2
    assert "[tts-prod][error] not_writable" in done.stderr
    assert "Make the folder writable" in done.stderr
    assert "Traceback" not in done.stderr
    assert not left.exists()
