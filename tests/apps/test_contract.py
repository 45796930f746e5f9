"""The operator contract's tables as data: every command of section 2 runs, every reason of section 4 is brought about.

The commands stand here as an operator types them, started in a temporary checkout. Those that need a container engine,
a GPU or minutes of training have tests of their own, named below.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = (
    "python scripts/voice/prod/train_nemo_tts.py && python scripts/voice/prod/eval_nemo_tts.py && "
    "python scripts/voice/prod/build_voice_bundle.py && python scripts/voice/prod/promote_voice_bundle.py "
    "--input-manifest checkpoints/prod_tts_voice_bundle/manifest.json --output-root voices --voice-profile-id anna "
    "--display-name Anna"
)
COMMANDS = [
    ("./run voice-train-prod", 0, "PROGRESS 4 4"),
    ("./run-direct voice-train-prod", 0, "PROGRESS 4 4"),
    ("make test ARGS='-q tests/unit/test_settings.py'", 0, "[100%]"),
    ("ONLY=01 make test-local", 0, "1 suites passed, 0 failed"),
    ("ONLY='01 11' SKIP=11 make test-local-fast", 0, "1 suites passed, 0 failed"),
    (
        "TRAIN_BACKEND=managed_job bash scripts/voice/train_production_voice.sh",
        2,
        "[tts-prod] status=blocked reason=managed_job_not_implemented",
    ),
    (
        "TRAIN_LANE=tts_prod_train_nemo bash scripts/voice/train_production_voice.sh",
        0,
        "[tts-prod] status=done backend=",
    ),
    ("python scripts/voice/verify_weights_manifest.py", 0, "[weights-manifest] status=ok"),
    ("python scripts/voice/train_production_tts.py", 0, "[tts-prod] status=done backend="),
    ("python scripts/voice/train_production_nemo.py", 0, "[tts-prod] status=done backend="),
    ("PROD_TTS_DRY_RUN=1 bash scripts/voice/colab_run_prod_tts_once.sh", 0, "=== PROD TTS TRAIN REPORT ==="),
    (STEPS, 0, "ARTIFACT voices/anna/voice_bundle/manifest.json"),
]
"""Command, exit code, and a line of its output; all in dry mode, or minutes would pass."""
ELSEWHERE = {
    "TRAIN_BACKEND=local_docker AUDIO_PATH=<file>": (
        "tests/apps/test_orchestrator.py::test_build_and_run_and_only_the_protocol_on_stdout",
        "tests/docker/test_orchestrator.py::test_a_voice_from_a_recording_stopped_and_gone_on",
    ),
    "TOOLBOX_VARIANT=gpu ./run voice-train-prod": (
        "tests/apps/test_run.py::test_the_gpu_variant_uses_the_cuda_image_and_the_overlay",
    ),
    "PROD_TTS_DRY_RUN=0 … colab_run_prod_tts_once.sh": ("tests/apps/test_entry_points.py::test_colab_entry_for_real",),
    "./run voice-train-prod, for real": (
        "tests/e2e/test_main_job.py::test_the_job_ends_well_and_stdout_is_protocol_only",
    ),
}
REASONS = {
    1: "deterministic_head_mismatch missing_audio_path invalid_weights_manifest invalid_backend "
    "container_engine_unavailable docker_build_failed docker_run_failed audio_too_small audio_lfs_pointer",
    2: "managed_job_not_implemented nemo_runtime_unavailable runtime_dependency_missing allowlist_missing "
    "allowlist_invalid allowlist_rejected allowlist_missing_license_metadata allowlist_commercial_rejected "
    "weights_unavailable weights_checksum_mismatch config_missing config_invalid dataset_manifest_missing "
    "dataset_no_valid_audio missing_transcript non_finite_loss missing_train_status invalid_config_sha256 "
    "invalid_dataset_sha256 no_bundle_artifacts bundle_artifact_missing dry_run_would_replace_real",
    3: "dry_run_not_promotable",
}
"""Section 4: exit code and reasons."""


@pytest.fixture(scope="module")
def place(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with tests and a finished environment: a `python` that is this one."""
    root = tmp_path_factory.mktemp("contract") / "check out"
    shutil.copytree(checkout, root)
    shutil.copy2(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "tests/local", root / "tests/local")
    (root / "tests/unit").mkdir()
    for name in ("conftest.py", "unit/test_settings.py"):
        shutil.copy2(ROOT / "tests" / name, root / "tests" / name)
    venv = root.parent / "venv"
    (venv / "bin").mkdir(parents=True)
    for name in ("python", "python3"):
        (venv / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (venv / "bin" / name).chmod(0o755)
    parts = ("locks/requirements.txt", "locks/requirements-dev.txt", "locks/torch.txt", "scripts/bootstrap.sh")
    stamp = hashlib.sha256(b"".join((root / part).read_bytes() for part in parts)).hexdigest()
    for kind in ("runtime", "dev"):
        (venv / f".voicemill-{kind}").write_text(stamp + "\n")
    return root


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code", "line"), COMMANDS, ids=[command[:60] for command, _, _ in COMMANDS])
def test_a_command_works_verbatim_from_the_root(place: Path, command: str, code: int, line: str) -> None:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRAIN_", "PROD_TTS_", "VOICE", "TOOLBOX_", "WORK_DIR", "CACHE_DIR"))
    }
    venv = place.parent / "venv"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=place,
        env=kept
        | {
            "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
            "VOICEMILL_VENV": str(venv),
            "TOOLBOX_RUNTIME": "direct",
            "PROD_TTS_DRY_RUN": "1",
            "TORCH_DEVICE": "cpu",
        },
    )
    assert done.returncode == code, (done.stdout[-2000:], done.stderr[-3000:])
    assert line in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("row", sorted(ELSEWHERE))
def test_the_other_commands_have_tests_of_their_own(row: str) -> None:
    for named in ELSEWHERE[row]:
        path, _, name = named.partition("::")
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), named


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_of_the_contract_is_documented_and_brought_about(code: int) -> None:
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in runbook.splitlines() if line.startswith("| `")]
    documented = "\n".join(row[0] for row in rows if row[1] == str(code))
    others = [path for path in sorted((ROOT / "tests").rglob("*")) if path.suffix in (".py", ".sh")]
    ours = {Path(__file__).resolve(), ROOT / "tests/unit/test_runbook.py"}
    text = "\n".join(path.read_text(encoding="utf-8") for path in others if path.resolve() not in ours)
    for reason in REASONS[code].split():
        assert f"`{reason}`" in documented, reason
        assert re.search(rf"\b{reason}\b", text), reason
