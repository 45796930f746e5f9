"""voice-bundle as its users start it: a process, its protocol lines and its exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.records import finished

from voicemill.training_status import write_training_status

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "apps/voice-bundle/voice-bundle.py"


def run(work: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROD_TTS", "VOICE_", "PROMOTED", "SOURCE_DATE"))
    }
    return subprocess.run(
        [sys.executable, str(APP), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=work,
        env={**kept, "WORK_DIR": str(work), "PYTHONWARNINGS": "error", **environment},
        timeout=60,
    )


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work directory after a training."""
    models = tmp_path / "checkpoints/prod_tts"
    models.mkdir(parents=True)
    for name in ("fastpitch.nemo", "hifigan.nemo", "sample.wav"):
        (models / name).write_bytes(name.encode())
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/prod_tts_eval.json").write_text("{}")
    write_training_status(
        tmp_path / "artifacts/prod_tts_train_status.json",
        finished(
            artifacts=tuple(
                f"checkpoints/prod_tts/{name}" for name in ("fastpitch.nemo", "hifigan.nemo", "sample.wav")
            ),
        ),
    )
    return tmp_path


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["promote", "--help"], ["inspect", "--help"]])
def test_help_is_complete(tmp_path, arguments):
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


def test_build_promote_inspect(work):
    done = run(work, "build")
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout.splitlines()
    assert [line.split(" ")[0] for line in out] == ["PROGRESS", "PROGRESS", "STATS", "ARTIFACT"]
    assert out[-1] == "ARTIFACT checkpoints/prod_tts_voice_bundle/manifest.json"
    stats = json.loads(out[2].removeprefix("STATS "))
    assert stats["files"] == 6
    assert out[2] == "STATS " + json.dumps(stats, sort_keys=True, separators=(",", ":"))

    done = run(work, "promote", "--voice", "anna", "--display-name", "Anna", SOURCE_DATE_EPOCH="1771891200")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "ARTIFACT bundles/anna/voice_bundle/manifest.json"
    manifest = work / "bundles/anna/voice_bundle/manifest.json"
    first = manifest.read_bytes()
    assert json.loads(first)["created_at"] == "2026-02-24T00:00:00Z"
    run(work, "promote", "--voice", "anna", "--display-name", "Anna", SOURCE_DATE_EPOCH="1771891200")
    assert manifest.read_bytes() == first

    done = run(work, "inspect", manifest.parent)
    assert done.returncode == 0
    assert "voice_profile_id: anna" in done.stdout
    assert "artifact_sha256_recomputes: true" in done.stdout
    assert json.loads(run(work, "inspect", manifest.parent, "--json").stdout) == json.loads(first)


def test_defaults_come_from_the_environment(work):
    done = run(work, "build", PROD_TTS_BUNDLE_DIR=str(work / "elsewhere"))
    assert done.returncode == 0
    done = run(
        work,
        "promote",
        PROD_TTS_BUNDLE_DIR=str(work / "elsewhere"),
        PROMOTED_BUNDLE_ROOT=str(work / "out"),
        VOICE_PROFILE_ID="env",
        VOICE_DISPLAY_NAME="Env",
    )
    assert done.returncode == 0
    assert json.loads((work / "out/env/voice_bundle/manifest.json").read_text())["display_name"] == "Env"


@pytest.mark.parametrize(
    ("prepare", "arguments", "reason", "code"),
    [
        (lambda w: (w / "artifacts/prod_tts_train_status.json").unlink(), ["build"], "missing_train_status", 2),
        (
            lambda w: (w / "checkpoints/prod_tts/hifigan.nemo").unlink(),
            ["build"],
            "bundle_artifact_missing:checkpoints/prod_tts/hifigan.nemo",
            2,
        ),
        (lambda w: None, ["promote"], "manifest_missing:manifest.json", 2),
        (lambda w: None, ["inspect", "nowhere"], "manifest_missing:manifest.json", 2),
        (lambda w: None, ["promote", "--voice", "../x"], "invalid_voice_profile_id", 1),
        (lambda w: None, ["build", "--nope"], "bad_usage", 1),
        (lambda w: None, ["build", "--data-notice", "none.txt"], "bad_usage", 1),
        (lambda w: None, ["frobnicate"], "bad_usage", 1),
    ],
)
def test_refusals(work, prepare, arguments, reason, code):
    prepare(work)
    done = run(work, *arguments)
    assert done.returncode == code
    assert done.stderr.startswith(f"[voice-bundle][error] {reason}\n")
    assert "Traceback" not in done.stderr
    assert not (work / "bundles").exists()


def test_strict_promotion_and_its_opposite(work):
    run(work, "build")
    path = work / "checkpoints/prod_tts_voice_bundle/manifest.json"
    path.write_text(re.sub(r'"commit": "c+"', '"commit": "forged"', path.read_text()))
    done = run(work, "promote", "--voice", "anna")
    assert done.returncode == 2
    assert done.stderr.startswith("[voice-bundle][error] artifact_sha256_mismatch\n")
    assert run(work, "promote", "--voice", "anna", "--no-strict").returncode == 0


def test_a_bad_source_date_is_bad_usage(work):
    run(work, "build")
    assert run(work, "promote", SOURCE_DATE_EPOCH="soon").returncode == 1
