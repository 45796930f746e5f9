"""A temporary checkout, and ways to start its entry points as an operator does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.records import finished, measured

from voicemill import files
from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.evaluation.model import write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.training_status import write_training_status
from voicemill.weights.allowlist import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "apps",
    "configs",
    "data",
    "docker",
    "docs",
    "lib",
    "locks",
    "scripts",
    "run-direct",
    "run",
    "Makefile",
    "LICENSE",
    "NOTICE",
)
OURS = (
    "TRAIN_",
    "PROD_TTS_",
    "VOICE_",
    "VOICEMILL_",
    "TOOLBOX_",
    "AUDIO_PATH",
    "EXPECTED_HEAD",
    "WORK_DIR",
    "CACHE_DIR",
    "RUN_",
    "CLEAR_PREVIOUS_ARTIFACTS",
    "RESET_TRAIN_OUTPUTS",
    "KNOWLEDGE_",
    "EFFICIENT_ATTENTION_BACKEND",
)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a commit of its own, in a folder whose name is no plain word."""
    root = tmp_path_factory.mktemp("lane") / "check out ä,b"
    root.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, root / part)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "Makefile"], check=True)
    subprocess.run([*git, "commit", "-qm", "A commit"], check=True)
    return root


@pytest.fixture(scope="session")
def head(checkout: Path) -> str:
    """HEAD of the checkout, 40 hex digits."""
    found = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has its standard library and nothing else."""
    path = tmp_path_factory.mktemp("bare") / "python3"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def run(checkout: Path, tmp_path: Path) -> Run:
    """Start a command of the checkout in a fresh folder, without any of the caller's settings."""

    def start(*argv: object, cwd: Path = tmp_path, **environment: object) -> subprocess.CompletedProcess[str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        base |= {"VOICEMILL_PYTHON": sys.executable, "CACHE_DIR": str(tmp_path / "cache")}
        script = str(argv[0])
        first = ["bash"] if script.endswith(".sh") else [sys.executable]
        return subprocess.run(
            [*first, str(checkout / "scripts/voice" / script), *map(str, argv[1:])],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=cwd,
            check=False,
            env=base | {name: str(value) for name, value in environment.items()},
        )

    return start


@pytest.fixture
def certifiable(tmp_path: Path, model: bytes) -> Callable[..., Path]:
    """Promote a small voice whose evaluation says what the test says; returns the promoted folder."""

    def publish(profile: str, *, version: int = 2, **figures: float | None) -> Path:
        base = tmp_path / f"make-{profile}"
        base.mkdir()
        (base / "fastpitch.nemo").write_bytes(model)
        (base / "sample.wav").write_bytes(b"RIFF....WAVE")
        evaluation = measured(**figures)
        write_evaluation(base / "eval.json", evaluation)
        if version == 1:
            document = evaluation.model_dump(mode="json", exclude={"judges", "other_people"})
            for name in ("median_f0_shift", "speaker_confusion", "speaker_similarity_ratio"):
                del document["figures"][name]
            files.write_json(base / "eval.json", document | {"eval_version": "prod_tts_eval/1"})
        write_training_status(
            base / "status.json",
            finished(
                vocoder="griffin-lim",
                artifacts=("fastpitch.nemo", "sample.wav"),
            ),
        )
        allowlist = REPOSITORY / SHIPPED
        built = build_bundle(base / "status.json", base / "eval.json", base / "built", allowlist=allowlist, base=base)
        return promote(
            built.manifest_path, tmp_path / "bundles", profile, profile.title(), allowlist=allowlist, base=base
        ).root

    return publish
