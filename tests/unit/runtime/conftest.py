"""A tiny voice with random weights and the embedded vocoder: exported once, spoken through NeMo and through the graph."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.unit.training.conftest import tiny_config

from voicemill.synthesis.vocoders import GriffinLimVocoder, HifiganVocoder
from voicemill.text.lexicon import Lexicon
from voicemill.training.config import AudioConfig
from voicemill.training.data import PitchStatistics
from voicemill.training.fastpitch_model import build_fastpitch
from voicemill.training.runtime import nemo_runtime, restore_hifigan
from voicemill.training.speaker import Speaker

BASE_VOCODER = Path("data/base/base-en-small-hifigan.nemo")


def random_speaker(folder: Path, *, neural: bool) -> Speaker:
    import torch

    words = folder / "lexicon.dict"
    Lexicon.load().write(words)
    with nemo_runtime():
        torch.manual_seed(7)
        statistics = PitchStatistics(pitch_mean=180.0, pitch_std=20.0, pitch_fmin=65.0, pitch_fmax=400.0)
        model = build_fastpitch(tiny_config(), statistics, words).eval()
        with torch.no_grad():
            # About seven frames a token, whatever the random weights say.
            model.fastpitch.duration_predictor.fc.weight.mul_(0.2)
            model.fastpitch.duration_predictor.fc.bias.fill_(2.0)
            model.fastpitch.pitch_mean.fill_(180.0)
            model.fastpitch.pitch_std.fill_(20.0)
        audio = AudioConfig()
        vocoder = HifiganVocoder(restore_hifigan(BASE_VOCODER), audio) if neural else GriffinLimVocoder(audio, 8)
    return Speaker(model, vocoder, audio, None)


@pytest.fixture(scope="session")
def mel_speaker(tmp_path_factory: pytest.TempPathFactory) -> Speaker:
    return random_speaker(tmp_path_factory.mktemp("mel-speaker"), neural=False)


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    root = tmp_path / "voice_bundle"
    root.mkdir()
    files = []
    for name in ("voice.onnx", "lexicon.txt"):
        data = (exported / name).read_bytes()
        (root / name).write_bytes(data)
        files.append({"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    (root / "manifest.json").write_text(json.dumps({"bundle_version": "voice_bundle/1", "files": files}))
    return root
