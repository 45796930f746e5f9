"""The first seven sentences of the demo, prepared once; and small manifest entries made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from voicemill.dataset.manifest import ManifestEntry
from voicemill.dataset.prepare import PreparedDataset, PrepareRequest, prepare
from voicemill.workspace import Workspace

SENTENCES = 7
END = 27.76  # seconds: in the pause after the seventh sentence


@pytest.fixture(scope="session")
def piece_audio(tmp_path_factory: pytest.TempPathFactory, demo_audio: Path) -> Path:
    path = tmp_path_factory.mktemp("piece") / "piece.flac"
    with soundfile.SoundFile(demo_audio) as source:
        samples = source.read(round(END * source.samplerate), dtype="int16")
        soundfile.write(path, samples, source.samplerate, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def sentences(demo_script: Path) -> tuple[str, ...]:
    return tuple(demo_script.read_text("utf-8").splitlines()[:SENTENCES])


@pytest.fixture(scope="session")
def piece_script(tmp_path_factory: pytest.TempPathFactory, sentences: tuple[str, ...]) -> Path:
    path = tmp_path_factory.mktemp("script") / "script.txt"
    path.write_text("\n".join(sentences) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("workspace")
    return Workspace(work=root / "work", cache=root / "cache")


@pytest.fixture(scope="session")
def prepared(piece_audio: Path, piece_script: Path, workspace: Workspace) -> PreparedDataset:
    """Made once; tests only look at it."""
    request = PrepareRequest(voice="demo", audio=piece_audio, script=piece_script, seed=3, jobs=1)
    return prepare(request, workspace)


@pytest.fixture
def entry() -> Callable[..., ManifestEntry]:
    def make(**changes: object) -> ManifestEntry:
        values: dict[str, object] = {
            "id": "v_0001",
            "audio_filepath": "clips/v_0001.wav",
            "text": "Hello, Ann.",
            "normalized_text": "Hello, Ann.",
            "duration": 1.25,
            "sha256": "0" * 64,
            "split": "train",
            "source": "take.flac",
            "start": 0.5,
            "end": 1.75,
            "alignment": [["hello", 0.1, 0.6, [["HH", 0.1, 0.2]]]],
            "quality": {
                "peak_dbfs": -3.0,
                "clipped_share": 0.0,
                "snr_db": 40.0,
                "loudness_dbfs": -20.0,
                "leading_silence": 0.1,
                "trailing_silence": 0.1,
                "alignment_score": -15.0,
            },
        }
        return ManifestEntry.model_validate(values | changes)

    return make
