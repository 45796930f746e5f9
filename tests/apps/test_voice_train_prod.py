"""The app as a program: help, dry run, refusals. The real job is tests/e2e."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "apps/voice-train-prod/voice-train-prod.py"
HEAVY = ("torch", "nemo", "numpy", "scipy", "matplotlib", "onnxruntime", "pocketsphinx", "librosa", "soundfile", "rich")


def run(tmp_path: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROD_TTS_", "VOICE_", "TRAIN_", "AUDIO_"))
    }
    return subprocess.run(
        [sys.executable, str(APP), *argv],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        check=False,
        env={**base, "WORK_DIR": str(tmp_path / "work"), "CACHE_DIR": str(tmp_path / "cache"), **environment},
    )


@pytest.mark.parametrize("app", ["voice-prep", "voice-train-prod", "voice-bundle", "voice-verify"])
def test_help_is_complete_and_imports_nothing_heavy(app: str) -> None:
    script = ROOT / "apps" / app / f"{app}.py"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(script), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    imported = {
        line.rsplit("|", 1)[1].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert not imported & set(HEAVY)


@pytest.mark.parametrize(
    ("argv", "code", "reason"),
    [
        ([], 1, "bad_usage"),
        (["--text", "a", "--file", "b.txt"], 1, "bad_usage"),
        (["--text", "a", "--speed", "9"], 1, "bad_usage"),
        (["--text", "a"], 1, "bundle_not_found"),
        (["--text", "a", "--voice", "../x"], 1, "invalid_voice_profile_id"),
        (["--file", "none.txt"], 1, "text_unreadable"),
        (["--file", "latin.txt"], 1, "text_unreadable"),
    ],
)
def test_invalid_synthesis_requests_are_refused(tmp_path: Path, argv: list[str], code: int, reason: str) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    done = run(tmp_path, "say", "--out", "out.wav", *argv)
    assert done.returncode == code, done.stderr
    assert f"[tts-prod][error] {reason}" in done.stderr
    assert not (tmp_path / "out.wav").exists()


def test_the_bundle_of_a_dry_run_cannot_be_synthesised_with(tmp_path: Path) -> None:
    assert run(tmp_path, "--dry-run", "--preset", "smoke").returncode == 0
    done = run(tmp_path, "say", "--text", "Hello.", "--out", "out.wav")
    assert done.returncode == 1
    assert "dry_run_cannot_speak" in done.stderr


def test_dry_run_writes_every_artifact_and_is_byte_identical(tmp_path: Path) -> None:
    first = run(tmp_path, "--dry-run", "--preset", "smoke")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].startswith("[tts-prod] head=")
    assert [line for line in lines if line.startswith("PROGRESS")] == [f"PROGRESS {n} 4" for n in range(5)]
    assert lines[-1] == "[tts-prod] status=done backend=local"
    work = tmp_path / "work"
    for line in lines:
        if line.startswith("ARTIFACT "):
            assert (tmp_path / line.removeprefix("ARTIFACT ")).is_file()
    status = json.loads((work / "artifacts/prod_tts_train_status.json").read_text())
    assert (status["dry_run"], status["status"], status["metrics"]["final_loss"]) == (True, "ok", 0)
    assert json.loads((work / "artifacts/prod_tts_eval.json").read_text())["wer_proxy"] is None
    bundle = work / "checkpoints/prod_tts_voice_bundle"
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert run(tmp_path, "--dry-run", "--preset", "smoke").returncode == 0
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_a_dry_run_shows_the_command_for_several_machines(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run", "--preset", "smoke", "--devices", "4", "--nodes", "2")
    assert done.returncode == 0, done.stderr
    for part in ("torch.distributed.run", "--nproc-per-node 4", "--nnodes 2", "--node-rank 0", "train_rank.py"):
        assert part in done.stderr
    assert "torch" not in done.stdout


def test_a_rate_is_searched_in_one_process(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run", "--preset", "smoke", "--devices", "2", "--find-learning-rate")
    assert (done.returncode, "[tts-prod][error] config_invalid" in done.stderr) == (2, True), done.stderr
    assert "the learning rate is searched in one process" in done.stderr
    assert run(tmp_path, "--dry-run", "--preset", "smoke", "--find-learning-rate").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "environment", "code", "reason"),
    [
        (["--audio", "none.wav"], {}, 1, "missing_audio_path"),
        (["--audio", "a.wav", "--dataset", "b.jsonl"], {}, 1, "bad_usage"),
        (["--voice", "../evil"], {}, 1, "invalid_voice_profile_id"),
        (["--max-steps", "0"], {}, 1, "bad_usage"),
        (["--preset", "huge"], {}, 2, "unknown_preset"),
        (["--preset", "smoke", "--dataset", "none.jsonl"], {}, 2, "dataset_manifest_missing"),
        (["--preset", "smoke", "--base-weights", "somebody/model"], {}, 2, "allowlist_rejected"),
        (
            ["--preset", "smoke", "--base-weights", "nvidia/nemo-tts-hifigan-en"],
            {},
            2,
            "allowlist_rejected:kind_is_hifigan",
        ),
        (["--preset", "finetune"], {}, 2, "weights_unavailable"),
        pytest.param(
            ["--preset", "smoke"],
            {"TORCH_DEVICE": "cuda"},
            2,
            "cuda_unavailable",
            marks=pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU"),
        ),
        (["--init-from", "fastpitch-0001.checkpoint"], {}, 1, "bad_usage"),
        (["--init-from", "none.nemo"], {}, 1, "missing_input_file"),
        ([], {"EXPECTED_HEAD": "deadbeef"}, 1, "deterministic_head_mismatch"),
        ([], {"PROD_TTS_DRY_RUN": "maybe"}, 1, "bad_usage"),
        (["--preset", "smoke"], {"PROD_TTS_ALLOWLIST": "none.json"}, 2, "allowlist_missing"),
        (["--preset", "smoke"], {"PROD_TTS_CONFIG": "none.yaml"}, 2, "config_missing"),
    ],
)
def test_refusals_name_reason_and_next_step(
    tmp_path: Path, argv: list[str], environment: dict[str, str], code: int, reason: str
) -> None:
    done = run(tmp_path, *argv, **environment)
    assert done.returncode == code, done.stderr
    assert f"[tts-prod][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4
    status = tmp_path / "work/artifacts/train_status.tts_prod_train.json"
    if code == 2:
        assert f"[tts-prod] status=blocked reason={reason}" in done.stdout
        assert json.loads(status.read_text())["state"] == "blocked"
        assert json.loads((tmp_path / "work/artifacts/prod_tts_train_status.json").read_text())["status"] == "blocked"
    elif status.exists():
        assert json.loads(status.read_text())["state"] == "error"
    assert not (tmp_path / "work/datasets").exists()


def test_a_work_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file where the folder should be")
    done = run(tmp_path, "--preset", "smoke")
    assert done.returncode == 2
    assert "[tts-prod][error] not_writable" in done.stderr
    assert "Traceback" not in done.stderr
