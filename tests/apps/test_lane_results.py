"""What a job server sees at the end of a lane: its state and reason in STATS, its status file in ARTIFACT."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voicemill.settings import CHECKED, Settings

REFUSED = {"PROD_TTS_BASE_WEIGHTS_ID": "a/b"}
REASON = "allowlist_rejected:selected_weights_not_listed"
LANES = {
    "train_production_tts.py": "artifacts/train_status.tts_prod_train.json",
    "train_production_nemo.py": "artifacts/train_status.tts_prod_train_nemo.json",
    "train_production_voice.sh": "artifacts/train_status.tts_prod_train.json",
    "colab_run_prod_tts_once.sh": "artifacts/prod_tts_train_status.json",
    "prod/train_nemo_tts.py": "artifacts/prod_tts_train_status.json",
}


def last_lines(stdout: str) -> list[str]:
    """The last lines before a report block."""
    lines = stdout.splitlines()
    return lines[: next((number for number, line in enumerate(lines) if line.startswith("===")), len(lines))][-3:]


@pytest.mark.parametrize("script", LANES)
def test_a_blocked_lane_says_why_before_its_bracketed_line(run, tmp_path, script):
    done = run(script, PROD_TTS_DRY_RUN=1, TRAIN_BACKEND="local", **REFUSED)
    assert done.returncode == 2
    assert last_lines(done.stdout) == [
        f'STATS {{"reason":"{REASON}","status":"blocked"}}',
        f"ARTIFACT {LANES[script]}",
        f"[tts-prod] status=blocked reason={REASON}",
    ]


@pytest.mark.parametrize("script", [name for name in LANES if not name.startswith("prod/")])
def test_a_finished_lane_ends_in_its_status(run, tmp_path, script):
    done = run(script, PROD_TTS_DRY_RUN=1, TRAIN_BACKEND="local")
    assert done.returncode == 0, done.stderr
    lines = last_lines(done.stdout)
    assert 'STATS {"reason":null,"status":"completed"}' in lines
    assert done.stdout.splitlines().count(f"ARTIFACT {LANES[script]}") == 1


@pytest.mark.parametrize("script", LANES)
def test_a_lane_that_is_refused_for_its_settings_leaves_no_older_status(run, tmp_path, head, script):
    path = tmp_path / LANES[script]
    path.parent.mkdir()
    path.write_text('{"status": "completed", "state": "completed"}')
    done = run(script, PROD_TTS_MAX_STEPS="abc", TRAIN_BACKEND="local")
    assert done.returncode == 1
    assert "[tts-prod][error] bad_usage" in done.stderr
    if not script.startswith("prod/"):
        assert done.stdout.splitlines()[0] == f"[tts-prod] head={head[:8]}"
    assert 'STATS {"reason":"bad_usage","status":"error"}' in done.stdout.splitlines()
    assert "completed" not in path.read_text()


@pytest.mark.parametrize("name", CHECKED)
def test_every_variable_that_can_make_no_sense_is_recorded(name, tmp_path):
    settings = Settings.for_lane({name: "no such thing"}, work_dir=tmp_path)
    assert settings.fault is not None
    assert name in str(settings.fault)


def test_a_signal_during_the_imports_is_recorded(run, checkout, tmp_path):
    """A file that Python runs at its start sends the signal: modules are imported only after that."""
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "dataclasses.py").write_text(
        "import os, signal, sys\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.path = [path for path in sys.path if not path.endswith('stub')]\n"
        "del sys.modules['dataclasses']\nimport importlib\nsys.modules['dataclasses'] = importlib.import_module('dataclasses')\n"
    )
    done = run("train_production_tts.py", PROD_TTS_DRY_RUN=1, PYTHONPATH=stub)
    assert done.returncode == 143, (done.stdout, done.stderr)
    status = json.loads((tmp_path / LANES["train_production_tts.py"]).read_text())
    assert (status["state"], status["reason"]) == ("error", "interrupted:sigterm")
    assert "PROD_TTS_RESUME=1" in done.stderr
    assert "--resume" not in done.stderr


@pytest.mark.parametrize("after", [0.02, 0.1, 0.2, 0.3, 0.5])
def test_an_early_signal_reaches_the_lane_below_the_shell_script(checkout, tmp_path, after):
    environ = os.environ | {"TRAIN_BACKEND": "local", "PROD_TTS_DRY_RUN": "1", "VOICEMILL_PYTHON": sys.executable}
    process = subprocess.Popen(
        ["bash", str(checkout / "scripts/voice/train_production_voice.sh")],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    path = tmp_path / LANES["train_production_voice.sh"]
    while not path.exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(after)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    status = json.loads(path.read_text())
    if status["state"] == "completed":  # the lane was faster, and its shell may have had the signal afterwards
        assert process.returncode in (0, 143, -signal.SIGTERM), errors
        return
    assert process.returncode == 143, errors
    assert (status["state"], status["reason"]) == ("error", "interrupted:sigterm")
    assert 'STATS {"reason":"interrupted:sigterm","status":"error"}' in out


def test_a_lane_whose_reader_is_gone_was_interrupted(checkout, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    environ = os.environ | {"PROD_TTS_DRY_RUN": "1"}
    script = checkout / "scripts/voice/train_production_tts.py"
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environ, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert done.returncode == 141
    status = json.loads((tmp_path / LANES["train_production_tts.py"]).read_text())
    assert (status["state"], status["reason"]) == ("error", "interrupted:sigpipe")


def test_a_blocked_bootstrap_leaves_the_production_bundle(run, tmp_path, bare_python):
    assert run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1).returncode == 0
    bundle: Path = tmp_path / "checkpoints/prod_tts_voice_bundle"
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    blocked = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, VOICEMILL_PYTHON=bare_python)
    assert (blocked.returncode, "failed_step=bootstrap" in blocked.stdout) == (2, True)
    assert "bundle_hash=missing" in blocked.stdout
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    refused = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, **REFUSED)
    assert (refused.returncode, "failed_step=train" in refused.stdout) == (2, True)
    assert not (bundle / "manifest.json").exists()
    assert {path.name for path in bundle.iterdir()} >= set(before) - {"manifest.json"}
    assert run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1).returncode == 0
    assert {path.name for path in bundle.iterdir()} == set(before)


NOTEBOOK = """
import importlib.util, sys
WITHOUT = ("license_expression", "boolean", "nemo", "lightning", "soxr", "soundfile")
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in WITHOUT else real(name, package)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in WITHOUT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


def test_a_dry_run_needs_nothing_that_a_notebook_lacks(run, tmp_path):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(NOTEBOOK)
    done = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, PYTHONPATH=tmp_path / "stub")
    assert done.returncode == 0, done.stderr
    refused = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, PYTHONPATH=tmp_path / "stub", **REFUSED)
    assert f"root_cause={REASON}" in refused.stdout


def test_a_real_run_without_specs_installs_the_lock_and_says_so(run, tmp_path, bare_python):
    """The Python has no pip, so the installation fails at once; nothing is downloaded."""
    done = run("colab_run_prod_tts_once.sh", VOICEMILL_PYTHON=bare_python)
    assert done.returncode == 2
    assert "[setup] This Python lacks " in done.stderr
    assert "requirements.txt" in done.stderr
    assert "root_cause=pip_install_failed:lock" in done.stdout
