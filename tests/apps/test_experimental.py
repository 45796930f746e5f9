"""The experimental lane as an operator or a notebook starts it (operator contract, sections 2 and 10)."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.records import finished

from voicemill.audio.decode import decode
from voicemill.bundle.build import build_bundle
from voicemill.errors import GateError
from voicemill.evaluation.model import dry_run_evaluation, write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.training_status import write_training_status
from voicemill.weights.allowlist import REFUSED, SHIPPED

BASE = "facebook/musicgen-small"
STATUS = "artifacts/train_status.tts_voice_train.json"
CHECKPOINT = "checkpoints/tts_voice_train_musicgen_small.pt"
MANIFEST = "datasets/tts_voice_train/voice_dataset_manifest.json"
LOGS = ("artifacts/colab_bootstrap_stdout.log", "artifacts/colab_bootstrap_stderr.log")
COMMANDS = ("colab_run_once.sh", "run_colab_train.py")

Lane = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, demo_audio: Path) -> Path:
    """Eighty seconds of the demo: 5.1 MB."""
    path = tmp_path_factory.mktemp("source") / "take.wav"
    decode(demo_audio, path, sample_rate=32000, start=0.0, end=80.0)
    return path


@pytest.fixture
def lane(run, tmp_path, tiny_musicgen, recording) -> Lane:
    """Start the lane with the tiny model in the cache, pinned by the tool that an operator pins with."""
    shutil.copytree(tiny_musicgen, tmp_path / "cache/weights" / BASE)
    return _pinned(run, tmp_path, recording)


def _pinned(run, tmp_path, recording) -> Lane:
    allowlist = tmp_path / "list.json"
    shutil.copy((REPOSITORY / SHIPPED).with_name(REFUSED), allowlist)
    pinned = run("pin_weights.py", BASE, PROD_TTS_ALLOWLIST=allowlist)
    assert pinned.returncode == 0, pinned.stderr
    assert len(pinned.stdout.splitlines()) == 3

    def start(command: str = COMMANDS[1], **environment: object) -> subprocess.CompletedProcess[str]:
        settings = {"PROD_TTS_ALLOWLIST": allowlist, "AUDIO_PATH": recording, "TORCH_DEVICE": "cpu"}
        return run(command, **(settings | environment))

    return start


def report(done: subprocess.CompletedProcess[str]) -> tuple[str, str, str]:
    """The three values of the block, with which stdout ends."""
    heading, *lines = done.stdout.splitlines()[-4:]
    assert heading == "=== COLAB TRAIN REPORT ===", done.stdout + done.stderr
    assert [line.partition(": ")[0] for line in lines] == ["objective_status", "first_failed_step", "root_cause"]
    for line in done.stdout.splitlines()[:-4]:
        assert line.startswith(("PROGRESS ", "STATS {", "ARTIFACT ", "[tts-prod] ")), line
    assert "Traceback" not in done.stderr
    one, two, three = (line.partition(": ")[2] for line in lines)
    return one, two, three


def status_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / STATUS).read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_lane_trains_and_reports(lane, tmp_path, head, command):
    done = lane(command)
    assert done.returncode == 0, done.stderr
    assert report(done) == ("completed", "none", "none")
    lines = done.stdout.splitlines()
    assert lines[0] == f"[tts-prod] head={head[:8]}"
    progress = [int(line.split()[1]) for line in lines if line.startswith("PROGRESS ")]
    assert (progress[0], progress[-1]) == (0, 100)
    assert progress == sorted(progress)
    status = status_of(tmp_path)
    assert (status["status"], status["state"], status["reason"]) == ("completed", "completed", None)
    assert isinstance(status["loss"], float)
    assert math.isfinite(status["loss"])
    losses = [json.loads(line[6:])["loss"] for line in lines if line.startswith("STATS ") and "loss" in line]
    assert len(losses) == 20
    assert (status["stats"]["device"], status["stats"]["dtype"]) == ("cpu", "float32")
    assert sum(losses[-5:]) < sum(losses[:5])
    assert status["checkpoint"] == CHECKPOINT
    assert status["checkpoint_sha256"] == hashlib.sha256((tmp_path / CHECKPOINT).read_bytes()).hexdigest()
    assert (status["base_weights_id"], status["weights_license"], status["promotable"]) == (BASE, "CC-BY-NC-4.0", False)
    import torch

    adapter = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    base = tmp_path / "cache/weights" / BASE / "model.safetensors"
    assert adapter["base_sha256"] == hashlib.sha256(base.read_bytes()).hexdigest()
    assert (adapter["loss"], adapter["commit"], adapter["steps"]) == (status["loss"], head, 20)
    manifest = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    assert len(manifest["entries"]) == 8
    for artifact in (MANIFEST, CHECKPOINT, STATUS):
        assert f"ARTIFACT {artifact}" in lines
    assert not any((tmp_path / log).exists() for log in LOGS)


REFUSALS = [
    ({"EXPECTED_HEAD": "deadbeef"}, "bootstrap", "deterministic_head_mismatch", 1),
    ({"AUDIO_PATH": "none.flac"}, "bootstrap", "missing_audio_path", 1),
    ({"KNOWLEDGE_SOURCE_DIR": "none"}, "bootstrap", "missing_audio_path", 1),
    ({"EFFICIENT_ATTENTION_BACKEND": "xformers"}, "bootstrap", "bad_usage", 1),
    ({"RUN_TRAIN": "maybe"}, "bootstrap", "bad_usage", 1),
    ({"PROD_TTS_ALLOWLIST": "none.json"}, "bootstrap", "allowlist_missing:none.json", 2),
    ({"RUN_PREPARE": "0"}, "bootstrap", "dataset_manifest_missing:", 2),
    ({"CACHE_DIR": "elsewhere"}, "bootstrap", f"weights_unavailable:{BASE}", 2),
    ({"RUN_GIT_SYNC": "1"}, "git_sync", "git_sync_failed:fetch", 1),
    ({"KNOWLEDGE_AUDIO_DIR": "list.json"}, "bootstrap", "not_writable", 2),
]


@pytest.mark.parametrize(("environment", "step", "reason", "code"), REFUSALS)
def test_each_refusal_ends_in_a_report_a_status_and_logs(lane, tmp_path, environment, step, reason, code):
    done = lane(**environment)
    assert done.returncode == code, done.stderr
    objective, failed, cause = report(done)
    assert (objective, failed) == ("blocked", step)
    assert cause.startswith(reason)
    assert f"[tts-prod][error] {reason}" in done.stderr
    assert (f"[tts-prod] status=blocked reason={reason}" in done.stdout) == (code == 2)
    assert reason in (tmp_path / LOGS[1]).read_text(encoding="utf-8")
    assert (tmp_path / LOGS[0]).exists()
    found = status_of(tmp_path)
    assert (found["state"], found["reason"]) == ("blocked" if code == 2 else "error", cause)
    assert (found["loss"], found["checkpoint"]) == (None, None)
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_source_that_is_no_real_recording(lane, tmp_path):
    small, pointer = tmp_path / "small.wav", tmp_path / "pointer.wav"
    small.write_bytes(b"RIFF" + bytes(4_999_000))
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 22393161\n")
    for path, reason in ((small, "audio_too_small"), (pointer, "audio_lfs_pointer")):
        done = lane(AUDIO_PATH=path)
        assert (done.returncode, report(done)) == (1, ("blocked", "bootstrap", reason))


def test_without_weights_the_lane_says_what_is_missing(run, tmp_path):
    """As it ships: the list names the weights, nobody has pinned them."""
    done = run("colab_run_once.sh")
    assert (done.returncode, report(done)) == (2, ("blocked", "bootstrap", f"weights_unavailable:{BASE}"))
    assert "pin_weights.py" in done.stderr
    assert status_of(tmp_path)["reason"] == f"weights_unavailable:{BASE}"


def test_a_python_that_lacks_everything(run, tmp_path, bare_python):
    done = run("colab_run_once.sh", VOICEMILL_PYTHON=bare_python)
    objective, step, cause = report(done)
    assert (done.returncode, objective, step) == (2, "blocked", "bootstrap")
    assert cause.startswith("runtime_dependency_missing:")
    assert status_of(tmp_path)["reason"] == cause


def test_without_transformers(lane, tmp_path):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'transformers' else real(name, package)\n"
    )
    done = lane(PYTHONPATH=tmp_path / "stub")
    assert (done.returncode, report(done)) == (
        2,
        ("blocked", "bootstrap", "runtime_dependency_missing:transformers"),
    )


def _poison(weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights / "model.safetensors")
    tensors["decoder.model.decoder.layers.1.fc2.weight"][0, 0] = float("nan")
    save_file(tensors, weights / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.slow
def test_a_poisoned_weight_never_completes(run, tmp_path, tiny_musicgen, recording):
    weights = tmp_path / "cache/weights" / BASE
    shutil.copytree(tiny_musicgen, weights)
    _poison(weights)
    done = _pinned(run, tmp_path, recording)()
    assert (done.returncode, report(done)) == (2, ("blocked", "train", "non_finite_loss:step=1"))
    found = status_of(tmp_path)
    assert (found["status"], found["reason"], found["loss"]) == ("blocked", "non_finite_loss:step=1", None)
    assert found["base_weights_id"] == BASE, "what the training's own process knew is kept"
    assert not (tmp_path / CHECKPOINT).exists()
    assert "non_finite_loss:step=1" in (tmp_path / LOGS[1]).read_text(encoding="utf-8")
    assert "PROGRESS 20 100" in (tmp_path / LOGS[0]).read_text(encoding="utf-8")


def test_a_step_that_is_killed_is_reported(lane, tmp_path):
    """As the kernel does it for want of memory: the step cannot say anything any more."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(
        "import os, sys\n"
        "if any(each.endswith('experimental_step.py') for each in sys.orig_argv) and 'train' in sys.orig_argv:\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = lane(PYTHONPATH=tmp_path / "stub")
    assert (done.returncode, report(done)) == (137, ("blocked", "train", "lane_died:exit_code=137"))
    found = status_of(tmp_path)
    assert (found["state"], found["reason"]) == ("error", "lane_died:exit_code=137"), "not `running` for ever"


@pytest.mark.slow
def test_switches_and_what_an_earlier_run_left(lane, tmp_path, recording):
    prepared = lane(RUN_TRAIN=0, KNOWLEDGE_SOURCE_DIR=recording.parent, KNOWLEDGE_AUDIO_DIR="my clips")
    assert (prepared.returncode, report(prepared)) == (0, ("completed", "none", "none"))
    manifest = tmp_path / "my clips/voice_dataset_manifest.json"
    assert len(json.loads(manifest.read_text())["entries"]) == 8
    assert not (tmp_path / STATUS).exists(), "nothing was trained, so no status says that it was"
    before = manifest.read_bytes()

    trained = lane(RUN_PREPARE=0, KNOWLEDGE_AUDIO_DIR="my clips", PROD_TTS_MAX_STEPS=2)
    assert report(trained) == ("completed", "none", "none"), trained.stderr
    assert (manifest.read_bytes(), status_of(tmp_path)["progress"]) == (before, {"current": 2, "total": 2})
    checkpoint = (tmp_path / CHECKPOINT).read_bytes()

    keep = {
        "CLEAR_PREVIOUS_ARTIFACTS": 0,
        "RUN_PREPARE": 0,
        "KNOWLEDGE_AUDIO_DIR": "my clips",
        "EXPECTED_HEAD": "0" * 8,
    }
    assert lane(RESET_TRAIN_OUTPUTS=0, **keep).returncode == 1
    assert (tmp_path / CHECKPOINT).read_bytes() == checkpoint
    assert (tmp_path / LOGS[1]).exists()
    assert lane(**keep).returncode == 1
    assert not (tmp_path / CHECKPOINT).exists(), "RESET_TRAIN_OUTPUTS=1"

    (tmp_path / CHECKPOINT).write_bytes(checkpoint)
    skipped = lane(RUN_PREPARE=0, RUN_TRAIN=0, KNOWLEDGE_AUDIO_DIR="my clips")
    assert (skipped.returncode, report(skipped)[2]) == (1, "bad_usage"), "a run that does nothing has not completed"
    assert not (tmp_path / CHECKPOINT).exists(), "RESET_TRAIN_OUTPUTS=1"
    assert manifest.read_bytes() == before, "a manifest that is not made again stays"

    clip = tmp_path / "my clips" / json.loads(before)["entries"][0]["path"]
    clip.write_bytes(clip.read_bytes()[:-2] + b"\1\1")
    changed = lane(RUN_PREPARE=0, KNOWLEDGE_AUDIO_DIR="my clips")
    assert (changed.returncode, report(changed)) == (2, ("blocked", "bootstrap", "dataset_invalid"))


@pytest.mark.slow
def test_a_signal_ends_the_training_and_says_so(run, lane, checkout, tmp_path, recording):
    assert lane(RUN_TRAIN=0).returncode == 0
    base = {name: value for name, value in os.environ.items() if not name.startswith(("RUN_", "PROD_TTS_"))}
    process = subprocess.Popen(
        [sys.executable, str(checkout / "scripts/voice/run_colab_train.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env=base
        | {
            "CACHE_DIR": str(tmp_path / "cache"),
            "PROD_TTS_ALLOWLIST": str(tmp_path / "list.json"),
            "RUN_PREPARE": "0",
            "TORCH_DEVICE": "cpu",
        },
    )
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("STATS ") and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            break
    after = process.stdout.read().splitlines()
    lines += after
    assert process.wait(timeout=60) == 143
    assert sum(line.startswith("STATS ") for line in after) <= 10, "half of the twenty steps is a wide margin"
    process.stdout.close()
    assert lines[-4:] == [
        "=== COLAB TRAIN REPORT ===",
        "objective_status: blocked",
        "first_failed_step: train",
        "root_cause: interrupted:sigterm",
    ]
    found = status_of(tmp_path)
    assert (found["state"], found["reason"], found["checkpoint"]) == ("error", "interrupted:sigterm", None)


def test_git_sync_runs_what_the_remote_has(run, checkout, tmp_path):
    """A clone one commit behind a bare remote; the report names the new HEAD, and a changed tree is refused."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"

    def git(folder: Path, *arguments: object) -> str:
        command = [
            "git",
            "-C",
            str(folder),
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            *map(str, arguments),
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    author = tmp_path / "author"
    author.mkdir()
    for part in ("lib", "scripts", "configs"):
        shutil.copytree(checkout / part, author / part, ignore=shutil.ignore_patterns("__pycache__"))
    (author / ".gitignore").write_text("__pycache__/\n")
    git(author, "init", "-q", "-b", "main")
    git(author, "add", ".")
    git(author, "commit", "-qm", "One")
    subprocess.run(["git", "clone", "-q", "--bare", str(author), str(remote)], check=True)
    subprocess.run(["git", "clone", "-q", str(remote), str(clone)], check=True)
    git(author, "commit", "-q", "--allow-empty", "-m", "Two")
    git(author, "push", "-q", remote, "main")
    new = git(author, "rev-parse", "HEAD")

    def start(**environment: object) -> subprocess.CompletedProcess[str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith(("RUN_", "PROD_TTS_"))}
        return subprocess.run(
            ["bash", str(clone / "scripts/voice/colab_run_once.sh")],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
            env=base | {"VOICEMILL_PYTHON": sys.executable} | {name: str(value) for name, value in environment.items()},
        )

    behind = start(RUN_PREPARE=0, RUN_TRAIN=0, EXPECTED_HEAD=new[:8])
    assert report(behind) == ("blocked", "bootstrap", "deterministic_head_mismatch")
    synced = start(RUN_GIT_SYNC=1, RUN_PREPARE=0, RUN_TRAIN=0, EXPECTED_HEAD=new[:8])
    assert report(synced) == ("completed", "none", "none"), synced.stderr
    assert f"[tts-prod] head={new[:8]}" in synced.stdout
    assert git(clone, "rev-parse", "HEAD") == new
    (clone / "configs/voice/weights-manifest.example.json").write_text("{}")
    dirty = start(RUN_GIT_SYNC=1)
    assert (dirty.returncode, report(dirty)) == (1, ("blocked", "git_sync", "dirty_tree"))


# ---- what the lane makes is refused by production


def _app(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / f"apps/{name}/{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _dressed_up(folder: Path) -> tuple[Path, Path]:
    """A production status and evaluation that name the lane's checkpoint and base weights."""
    (folder / "adapter.pt").write_bytes(b"an adapter")
    write_evaluation(folder / "eval.json", dry_run_evaluation(source_status="ok", final_loss=0.5))
    status = finished(
        selected_weights_id=BASE,
        vocoder="griffin-lim",
        artifacts=("adapter.pt",),
    )
    write_training_status(folder / "status.json", status)
    return folder / "status.json", folder / "eval.json"


def test_no_bundle_is_built_on_these_weights(tmp_path, run):
    status, evaluation = _dressed_up(tmp_path)
    built = _app("voice-bundle", "build", "--status", status, "--eval", evaluation, "--output", tmp_path / "bundle")
    assert built.returncode == 2, built.stdout + built.stderr
    assert "[voice-bundle][error] allowlist_commercial_rejected" in built.stderr
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(GateError) as caught:
        build_bundle(status, evaluation, tmp_path / "bundle", allowlist=REPOSITORY / SHIPPED, base=tmp_path)
    assert caught.value.reason == "allowlist_commercial_rejected"
    lane = run("train_production_nemo.py", PROD_TTS_DRY_RUN=1, PROD_TTS_BASE_WEIGHTS_ID=BASE)
    assert (lane.returncode, "status=blocked reason=allowlist_commercial_rejected" in lane.stdout) == (2, True)


def test_the_lanes_own_status_is_no_training_status(tmp_path):
    _, evaluation = _dressed_up(tmp_path)
    (tmp_path / "status.json").write_text(json.dumps({"job_type": "tts_voice_train", "status": "completed"}))
    built = _app(
        "voice-bundle", "build", "--status", tmp_path / "status.json", "--eval", evaluation, "--output", tmp_path / "b"
    )
    assert built.returncode == 2
    assert "train_status_invalid" in built.stderr


def test_a_bundle_built_with_a_flattering_list_is_neither_promoted_nor_verified(tmp_path):
    """Somebody edits a list until the gate lets the weights through; the shipped one judges afterwards."""
    status, evaluation = _dressed_up(tmp_path)
    document = json.loads((REPOSITORY / SHIPPED).with_name(REFUSED).read_text(encoding="utf-8"))
    for entry in document["weights"]:
        if entry["id"] == BASE:
            entry |= {"commercial_use_allowed": True, "weights_license": "MIT"}
    (tmp_path / "flattering.json").write_text(json.dumps(document), encoding="utf-8")
    built = build_bundle(status, evaluation, tmp_path / "bundle", allowlist=tmp_path / "flattering.json", base=tmp_path)
    arguments = ("--input-manifest", built.manifest_path, "--output-root", tmp_path / "voices")
    arguments = (*arguments, "--voice-profile-id", "x", "--display-name", "X")
    promoted = _app("voice-bundle", "promote", *arguments)
    assert promoted.returncode == 2, promoted.stdout + promoted.stderr
    assert "[voice-bundle][error] allowlist_commercial_rejected" in promoted.stderr
    assert not (tmp_path / "voices/x").exists()
    recorded = _app("voice-bundle", "promote", "--no-strict", *arguments)
    assert recorded.returncode == 0, recorded.stderr
    for folder in (built.root, tmp_path / "voices/x/voice_bundle"):
        verified = _app("voice-verify", "bundle", folder, "--json")
        assert verified.returncode == 3
        verdict = json.loads(verified.stdout)
        row = next(row for row in verdict["checklist"] if row["key"] == "allowlist")
        assert row["detail"] == f"{BASE}: allowlist_commercial_rejected"
        assert (row["verdict"], verdict["ok"], verdict["certifiable"]) == ("NO-GO", False, False)
