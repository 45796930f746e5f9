"""The two files that a job server starts for datasets and for the jobs `train` and `tts_voice_train`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path("external/audiocraft/scripts")


@pytest.fixture
def start(checkout: Path, repository: Path, tmp_path: Path):
    root = tmp_path / "checkout"
    for part in ("lib", "configs", str(SCRIPTS)):
        shutil.copytree(repository / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))

    def run(script: str, **environment: object) -> subprocess.CompletedProcess[str]:
        environ = os.environ | {name: str(value) for name, value in environment.items()}
        argv = [sys.executable, str(root / SCRIPTS / script)]
        return subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_a_dataset_job_without_recordings_says_why(start, tmp_path):
    (tmp_path / "source").mkdir()
    done = start(
        "prepare_knowledge_audio.py",
        KNOWLEDGE_SOURCE_DIR="source",
        KNOWLEDGE_AUDIO_DIR="audio",
        DATASET_PREP_MODE="knowledge_audio",
    )
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    stats = [json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("STATS ")]
    assert stats[-1]["status"] in ("blocked", "error")
    assert stats[-1]["reason"]


@pytest.mark.parametrize("job", ["train", "tts_voice_train"])
def test_a_training_job_without_a_dataset_says_why(start, tmp_path, job):
    status = tmp_path / "status/train_status.json"
    done = start("train_spectral_adapter.py", TRAIN_STATUS_PATH=status, TRAIN_JOB_TYPE=job, KNOWLEDGE_AUDIO_DIR="audio")
    assert done.returncode == 2, done.stderr
    found = json.loads(status.read_text())
    assert (found["job_type"], found["state"]) == (job, "blocked")
    assert found["reason"].startswith("dataset_manifest_missing:")
    assert f'"reason":"{found["reason"]}"' in done.stdout
    assert f"ARTIFACT {status.relative_to(tmp_path).as_posix()}" in done.stdout.splitlines()
