"""The image with Qwen3-TTS: `./run` builds it at its first use, and its process speaks with tiny random models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.qwen_models import MODELS, write_allowlist

from .conftest import ROOT, Checkout

pytestmark = pytest.mark.exhaustive
PYTHON = "/opt/qwen/bin/python"
SPEAK = ("./run", "voice-synth", "speak", "--text", "Good morning.", "--max-new-tokens", "12", "--out-exact", "work/x")


@pytest.fixture(scope="module")
def layer(checkout: Checkout, image: str) -> str:
    """Built by the first command that needs it, also where the engine has it of an earlier run."""
    digest = checkout.run("bash", "-c", ". docker/source.sh && source_digest .").stdout
    name = f"{image}-{digest[:12]}-qwen"
    checkout.run("docker", "image", "rm", name)
    done = checkout.run("./run", "voice-synth", "capabilities", "--json", "--skip-speaker-probe", timeout=3000)
    assert done.returncode == 0, done.stderr
    assert f"Adding Qwen3-TTS to the image {image}" in done.stderr
    found = json.loads(done.stdout)["api_compatibility"]
    assert (found["compatible"], found["missing"], found["error"]) == (True, {}, None)
    return name


@pytest.fixture(scope="module")
def allowlist(checkout: Checkout, layer: str) -> Path:
    """Tiny models in the checkout's weights cache, made by the image's own packages."""
    weights = checkout.root / "cache/weights"
    weights.mkdir(parents=True, exist_ok=True)
    checkout.own(checkout.root / "cache")
    made = checkout.run(
        "docker", "run", "--rm", "--network", "none", "--user", f"{checkout.uid}:{checkout.uid}",
        "--mount", f'type=bind,"source={weights}",target=/models',
        "--mount", f'type=bind,"source={ROOT / "tests/qwen_models.py"}",target=/qwen_models.py,readonly',
        "--env", "NUMBA_CACHE_DIR=/tmp/numba", "--entrypoint", PYTHON, layer, "/qwen_models.py", "/models",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    path = checkout.root / "cache/allowlist.json"
    write_allowlist(weights, path)
    checkout.own(path)
    return path


def test_the_image_differs_by_one_layer_with_packages_of_its_own(checkout: Checkout, image: str, layer: str) -> None:
    layers = [
        set(json.loads(checkout.run("docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", each).stdout))
        for each in (layer.removesuffix("-qwen"), layer)
    ]
    assert layers[0] < layers[1]
    code = "import json, torch, transformers; print(json.dumps([torch.__version__, transformers.__version__]))"
    versions = [
        json.loads(
            checkout.run("docker", "run", "--rm", "--network", "none", "--entrypoint", python, layer, "-c", code).stdout
        )
        for python in ("python3", PYTHON)
    ]
    assert versions[0][0] == versions[1][0], "one torch"
    assert versions[0][1] != versions[1][1]
    assert versions[1][1] == "4.57.3"


def test_a_built_in_speaker_speaks(checkout: Checkout, allowlist: Path) -> None:
    done = checkout.run(*SPEAK, "--speaker", "Ryan", PROD_TTS_ALLOWLIST=str(allowlist), VOICEMILL_NETWORK="none")
    assert done.returncode == 0, done.stderr
    meta = json.loads((checkout.root / "work/x/takes.meta.json").read_text("utf-8"))
    assert (meta["engine_mode"], meta["model"]) == ("custom_voice", "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")
    assert (checkout.root / "work/x/take_01.wav").stat().st_uid == checkout.uid
    assert set(MODELS) >= {meta["model"]}


@pytest.mark.parametrize("speaker", ["flite:slt", "espeak-ng:en-gb"])
def test_synthesisers_are_in_the_usual_image(checkout: Checkout, image: str, speaker: str) -> None:
    done = checkout.run(*SPEAK, "--speaker", speaker, VOICEMILL_NETWORK="none")
    assert done.returncode == 0, done.stderr


def test_a_recording_becomes_a_voice(checkout: Checkout, allowlist: Path) -> None:
    done = checkout.run(
        "./run", "voice-register", "--audio", "data/demo/demo.flac", "--end", "30", "--voice-name", "tiny", "--clips", "1",
        "--length", "8", "--text", "Good morning.", "--skip-synth", "--force-bad-ref",
        PROD_TTS_ALLOWLIST=str(allowlist), VOICEMILL_NETWORK="none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((checkout.root / "cache/voices/tiny/prompts").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "with_qwen"),
    [
        (("voice-synth", "list-voices"), False),
        (("voice-synth", "speak", "--speaker", "espeak-ng:de", "--text", "Ja."), False),
        (("voice-split", "--audio", "none.wav"), False),
        (("voice-synth", "list-speakers"), True),
        (("voice-clone", "prepare-ref", "--ref-audio", "none.wav"), True),
    ],
)
def test_each_command_starts_the_image_that_it_needs(
    checkout: Checkout, layer: str, place: Path, arguments: tuple[str, ...], with_qwen: bool
) -> None:
    """The engine's client is replaced by one that notes its arguments and passes them on."""
    notes, folder = place / "notes", place / "client"
    folder.mkdir(exist_ok=True)
    client = checkout.run("bash", "-c", "command -v docker").stdout.strip()
    (folder / "docker").write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" >> "{notes}"\nexec {client} "$@"\n')
    (folder / "docker").chmod(0o755)
    notes.write_text("")
    notes.chmod(0o666)
    checkout.own(folder)
    done = checkout.run("./run", *arguments, PATH=f"{folder}:{checkout.environment['PATH']}")
    assert "Adding Qwen3-TTS" not in done.stderr
    started = notes.read_text().split("\nrun\n")[-1].splitlines()
    assert (layer.removesuffix("-qwen") in started, layer in started) == (not with_qwen, with_qwen)
