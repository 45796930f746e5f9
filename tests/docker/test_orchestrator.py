"""train_production_voice.sh with a real engine: build, run, the lane's own report, and each way in which that fails.

The Python of the checkout's owner has no packages, as on a host with Docker alone.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Checkout, files_below

LANE = ("bash", "scripts/voice/train_production_voice.sh")
LOG = "artifacts/voice_train_prod.orchestrator.log"
REPORT = "=== DOCKER PROD TRAIN REPORT ==="


@pytest.fixture(autouse=True)
def _bare_python(checkout: Checkout, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python that starts here has its standard library and nothing else."""
    bare = place / "bare-python"
    bare.write_text('#!/bin/sh\nexec python3 -S -E "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setitem(checkout.extra, "VOICEMILL_PYTHON", str(bare))


def status(checkout: Checkout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((checkout.root / "artifacts/train_status.tts_prod_train.json").read_text())
    return found


def block(stdout: str) -> dict[str, str]:
    lines = stdout.splitlines()
    start = lines.index(REPORT)
    return dict(line.split("=", 1) for line in lines[start + 1 : start + 6])


def protocol(checkout: Checkout, stdout: str) -> None:
    lines = stdout.splitlines()
    assert lines[0] == f"[tts-prod] head={checkout.commit[:8]}"
    for line in lines[1 : lines.index(REPORT)]:
        assert line.startswith(("PROGRESS ", "STATS {", "ARTIFACT ")), line


def test_a_dry_run_in_the_container_lands_in_the_checkout(checkout: Checkout, image: str) -> None:
    done = checkout.run(*LANE, TRAIN_BACKEND="local_docker", PROD_TTS_DRY_RUN="1", VOICE_PROFILE_ID="dry")
    assert done.returncode == 0, done.stderr
    protocol(checkout, done.stdout)
    assert done.stdout.splitlines()[-1] == "[tts-prod] status=done backend=local_docker"
    assert block(done.stdout) == {
        "outcome": "success",
        "exit_code": "0",
        "train_status_path": "artifacts/train_status.tts_prod_train.json",
        "log_path": "artifacts/voice_train_prod.container.log",
        "train_status_present": "true",
    }
    for line in done.stdout.splitlines():
        if line.startswith("ARTIFACT "):
            assert (checkout.root / line.removeprefix("ARTIFACT ")).is_file()
    assert status(checkout)["state"] == "completed"
    manifest = json.loads((checkout.root / "bundles/dry/voice_bundle/manifest.json").read_text())
    assert (manifest["dry_run"], manifest["provenance"]["source_commit"]) == (True, checkout.commit)
    for folder in ("artifacts", "checkpoints", "bundles"):
        owners = {path.lstat().st_uid for path in files_below(checkout.root / folder)}
        assert owners == {checkout.uid}
    log = (checkout.root / LOG).read_text()
    assert "building voicemill:cpu" in log
    assert "PROGRESS 4 4" in log


def test_a_bare_host_judges_the_weights_manifest(checkout: Checkout, image: str) -> None:
    good = {"WEIGHTS_MANIFEST_PATH": "configs/voice/weights-manifest.example.json", "PROD_TTS_DRY_RUN": "1"}
    done = checkout.run(*LANE, **good)
    assert done.returncode == 0, done.stderr
    assert "[weights-manifest] status=ok" in done.stdout.splitlines()
    bad = checkout.root / "weights: bad.json"
    bad.write_text('{"model_id": "a"}')
    checkout.own(bad)
    done = checkout.run(*LANE, PROD_TTS_DRY_RUN="1", WEIGHTS_MANIFEST_PATH=bad.name)
    bad.unlink()  # the checkout is clean for those who publish from it
    assert done.returncode == 1
    assert "[weights-manifest] error=missing_field field=source_url" in done.stdout
    assert f"[tts-prod][error] invalid_weights_manifest path={bad.name}" in done.stderr
    assert REPORT not in done.stdout


def test_a_build_that_fails(checkout: Checkout, building: dict[str, str]) -> None:
    broken = checkout.root / "Broken.Dockerfile"
    base = building.get("VOICEMILL_BASE_IMAGE", "python:3.11-slim-bookworm")
    broken.write_text(f"FROM {base}\nRUN echo this-goes-wrong && exit 9\n")
    checkout.own(broken)
    done = checkout.run(*LANE, DOCKERFILE=broken.name, IMAGE_TAG="voicemill-broken:test")
    broken.unlink()
    assert done.returncode == 1
    assert "[tts-prod][error] docker_build_failed exit_code=" in done.stderr
    assert "this-goes-wrong" in done.stderr
    assert "this-goes-wrong" in (checkout.root / LOG).read_text()
    assert (status(checkout)["state"], status(checkout)["reason"]) == ("error", "docker_build_failed")


def test_a_run_that_fails(checkout: Checkout, image: str, place: Path) -> None:
    text = place / "no takes: c, d" / "no sound.wav"
    text.parent.mkdir()
    text.write_text("this is text " * 999)
    text.with_suffix(".txt").write_text("Hello there.")
    checkout.own(text.parent)
    done = checkout.run(*LANE, AUDIO_PATH=str(text), PROD_TTS_PRESET="smoke")
    assert done.returncode == 1
    assert "[tts-prod][error] docker_run_failed exit_code=1 log=" in done.stderr
    assert "[tts-prod][error] audio_unreadable" in done.stderr
    assert (block(done.stdout)["outcome"], block(done.stdout)["exit_code"]) == ("failed", "1")
    assert (status(checkout)["state"], status(checkout)["reason"].partition(":")[0]) == ("error", "audio_unreadable")


def test_an_engine_that_does_not_answer(checkout: Checkout) -> None:
    done = checkout.run(*LANE, DOCKER_HOST="unix:///run/no-such.sock", TOOLBOX_RUNTIME="docker")
    assert done.returncode == 1
    assert "[tts-prod][error] container_engine_unavailable" in done.stderr
    assert status(checkout)["reason"] == "container_engine_unavailable"


@pytest.mark.slow
def test_a_voice_from_a_recording_stopped_and_gone_on(checkout: Checkout, image: str, take: Path) -> None:
    given = {"AUDIO_PATH": str(take), "PROD_TTS_PRESET": "smoke", "VOICE_PROFILE_ID": "anna"}
    with checkout.start(*LANE, **given) as child:
        for line in child.stdout or ():
            if '"model":"FastPitch"' in line:
                child.send_signal(signal.SIGTERM)
                break
        out, err = child.communicate(timeout=300)
    assert child.returncode == 143, err
    assert "[tts-prod][error] interrupted:sigterm" in err
    assert block(out)["exit_code"] == "143"
    assert status(checkout)["reason"] == "interrupted:sigterm"
    assert list((checkout.root / "checkpoints/prod_tts/anna/acoustic").glob("*.checkpoint"))
    running = checkout.run("docker", "ps", "--quiet", "--filter", "name=voicemill-prod-train")
    assert running.stdout == ""
    done = checkout.run(*LANE, **given, PROD_TTS_RESUME="1")
    assert done.returncode == 0, done.stderr
    protocol(checkout, done.stdout)
    bundle = checkout.root / "bundles/anna/voice_bundle"
    assert {"fastpitch.nemo", "sample.wav", "manifest.json"} <= {path.name for path in bundle.iterdir()}
    verified = subprocess.run(
        checkout.argv("./run", "voice-verify", "bundle", str(bundle), "--json"),
        cwd=checkout.root,
        env=checkout.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert json.loads(verified.stdout)["ok"] is True, verified.stderr
