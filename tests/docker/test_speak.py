"""The image of finished voices: its size, what is in it, and a voice that speaks in it."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
import soundfile
from tests.unit.runtime.conftest import random_speaker

from voicemill.training.onnx_export import export_voice

from .conftest import Checkout

ASK = """
import json, subprocess, urllib.request
argv = ["/app/docker/entrypoint.sh", "voice-serve", "--bundles", "/voice", "--uncertified", "--port", "0"]
server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
try:
    port = json.loads(server.stdout.readline())["port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
        print(answer.status, json.load(answer)["engine"])
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/audio/voices", timeout=30) as answer:
        voices = json.load(answer)
        print(answer.status, len(voices["voices"]), len(voices["not_served"]))
finally:
    server.terminate()
    print(server.wait(60))
"""
"""Starts voice-serve in the container and asks it there, because the container has no network."""
MOST_IMAGE_BYTES = 350_000_000
MOST_PACKAGE_BYTES = 250_000_000


@pytest.fixture(scope="module")
def speak_image(checkout: Checkout, place: Path) -> str:
    log = place / "speak.log"
    built = checkout.run("docker/build.sh", "speak", "--log", str(log), timeout=1800)
    assert built.returncode == 0, built.stderr + log.read_text()[-3000:]
    return "voicemill:speak"


@pytest.fixture(scope="module")
def voice(checkout: Checkout, place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the graph of a voice of random weights."""
    root = place / "voice bundle"
    root.mkdir()
    export_voice(random_speaker(tmp_path_factory.mktemp("speaker"), neural=True), root)
    files = [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(root.iterdir())
    ]
    (root / "manifest.json").write_text(json.dumps({"bundle_version": "voice_bundle/1", "files": files}))
    checkout.own(root)
    return root


def run(
    checkout: Checkout, image: str, *argv: str, voice: Path | None = None, out: Path | None = None
) -> tuple[int, str, str]:
    mounts = [f"--mount=type=bind,source={voice},target=/voice,readonly"] if voice else []
    mounts += [f"--mount=type=bind,source={out},target=/work"] if out else []
    user = f"--user={checkout.uid}:{checkout.uid}"
    done = checkout.run("docker", "run", "--rm", "--network", "none", user, *mounts, image, *argv, timeout=300)
    return done.returncode, done.stdout, done.stderr


def test_image_and_packages_are_small(checkout: Checkout, speak_image: str) -> None:
    shown = checkout.run("docker", "image", "inspect", "--format", "{{.Size}}", speak_image)
    assert int(shown.stdout) < MOST_IMAGE_BYTES
    code, out, err = run(checkout, speak_image, "bash", "-c", "du -sb /opt/voicemill | cut -f1")
    assert code == 0, err
    assert int(out) < MOST_PACKAGE_BYTES


def test_it_has_what_speaking_and_serving_import_and_no_torch(checkout: Checkout, speak_image: str) -> None:
    imports = (
        "import c2pa, cryptography, httpx, multipart, onnxruntime, pydantic, soundfile, starlette, uvicorn, wyoming"
    )
    absent = "import importlib.util as u; print([n for n in ('torch', 'nemo', 'scipy', 'pip') if u.find_spec(n)])"
    code, out, err = run(checkout, speak_image, "python3", "-c", f"{imports}; {absent}")
    assert (code, out) == (0, "[]\n"), err


def test_a_voice_speaks_into_files(checkout: Checkout, speak_image: str, voice: Path, place: Path) -> None:
    out = place / "spoken ü"
    out.mkdir()
    checkout.own(out)
    text = '<speak>Hello. <break time="1s"/>It is <mark name="time"/>5:30.</speak>'
    argv = ["say", "--bundle", "/voice", "--text", text, "--out", "/work/a.flac", "--timings", "/work/a.json"]
    code, lines, err = run(checkout, speak_image, *argv, voice=voice, out=out)
    assert code == 0, err
    assert lines.splitlines()[-1] == "ARTIFACT /work/a.json"
    assert soundfile.info(out / "a.flac").duration > 1.2
    assert [mark["mark"] for mark in json.loads((out / "a.json").read_text())["marks"]] == ["time"]
    assert {path.stat().st_uid for path in out.iterdir()} == {checkout.uid}


def test_a_voice_speaks_to_standard_output(checkout: Checkout, speak_image: str, voice: Path, place: Path) -> None:
    target = place / "piped.wav"
    script = 'docker run --rm --network none --mount "type=bind,source=$1,target=/voice,readonly" voicemill:speak say'
    script += ' --bundle /voice --text Hello. --out - > "$2"'
    done = checkout.run("bash", "-c", script, "-", str(voice), str(target))
    assert done.returncode == 0, done.stderr
    assert soundfile.info(io.BytesIO(target.read_bytes())).duration > 0.1


def test_the_server_answers_and_ends(checkout: Checkout, speak_image: str, voice: Path) -> None:
    """The bundle of random weights does not verify, so it is listed and not served."""
    code, out, err = run(checkout, speak_image, "python3", "-c", ASK, voice=voice)
    assert code == 0, err
    assert out.splitlines() == ["200 onnxruntime", "200 0 1", "0"], err


def test_a_refusal_is_a_sentence(checkout: Checkout, speak_image: str) -> None:
    code, out, err = run(checkout, speak_image, "say", "--bundle", "/none", "--text", "a", "--out", "-")
    assert (code, out) == (1, "")
    assert "bundle_not_found:/none" in err
