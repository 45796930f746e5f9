"""The tiny MusicGen in a cache, pinned, and a few seconds of real speech."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill import files
from voicemill.audio.decode import decode
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import REFUSED, SHIPPED
from voicemill.weights.store import ResolvedWeights
from voicemill_musicgen.settings import VoiceTrainSettings
from voicemill_musicgen.weights import BASE, resolve

Settings = Callable[..., VoiceTrainSettings]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an environment that holds what the test says and nothing else."""

    def read(**environment: object) -> VoiceTrainSettings:
        base = {"CACHE_DIR": str(tmp_path / "cache")}
        environ = base | {name: str(value) for name, value in environment.items()}
        return VoiceTrainSettings.from_environment(environ, repository=REPOSITORY, work_dir=tmp_path)

    return read


@pytest.fixture
def place(tmp_path: Path, settings: Settings) -> Callable[[Path], VoiceTrainSettings]:
    """Put a folder of weights into the cache and pin it in a copy of the list; returns the settings that use both."""

    def put(weights: Path) -> VoiceTrainSettings:
        folder = tmp_path / "cache/weights" / BASE
        shutil.copytree(weights, folder)
        document = json.loads((REPOSITORY / SHIPPED).with_name(REFUSED).read_text(encoding="utf-8"))
        entry = next(each for each in document["weights"] if each["id"] == BASE)
        for item in entry["files"]:
            item["sha256"] = files.sha256_file(folder / item["path"])
        (tmp_path / "list.json").write_text(json.dumps(document), encoding="utf-8")
        return settings(PROD_TTS_ALLOWLIST=tmp_path / "list.json")

    return put


@pytest.fixture
def tiny(tiny_musicgen: Path, place: Callable[[Path], VoiceTrainSettings]) -> ResolvedWeights:
    return resolve(place(tiny_musicgen))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, demo_audio: Path) -> Path:
    """Four seconds of the demo at MusicGen's rate."""
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    decode(demo_audio, path, sample_rate=32000, start=1.0, end=5.0)
    return path
