"""Shared fixtures: a clean environment, and where the checkout and its demo lie."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("voicemill", deadline=None)
hypothesis.settings.load_profile("voicemill")

REPOSITORY = Path(__file__).resolve().parents[1]
_OURS = (
    "TRAIN_",
    "PROD_TTS_",
    "VOICE_",
    "AUDIO_PATH",
    "EXPECTED_HEAD",
    "WEIGHTS_MANIFEST_PATH",
    "PROMOTED_BUNDLE_ROOT",
    "WORK_DIR",
    "CACHE_DIR",
    "TORCH_DEVICE",
    "CASIMIR_",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests leaks into them."""
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def demo_audio(repository: Path) -> Path:
    return repository / "data" / "demo" / "demo.flac"


@pytest.fixture(scope="session")
def demo_script(repository: Path) -> Path:
    return repository / "data" / "demo" / "script.txt"


_CONFIG = b"target: nemo.collections.tts.models.FastPitchModel\nnemo_version: 3.0.0\n"


@pytest.fixture(scope="session")
def model() -> bytes:
    """The bytes of a small, honest `.nemo`."""
    import torch

    weights = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2).state_dict(), weights)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as tar:
        for name, data in (("./model_config.yaml", _CONFIG), ("./model_weights.ckpt", weights.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
