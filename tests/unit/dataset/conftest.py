"""Small manifest entries made by hand, and a list of weights with one file of a test's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill import files
from voicemill.dataset.manifest import ManifestEntry
from voicemill.workspace import Workspace


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work", tmp_path / "cache")


@pytest.fixture
def shelve(tmp_path: Path, place: Workspace) -> Callable[..., Path]:
    """Writes an allowlist that lets a file through, unless the changes say otherwise, and puts the file into the cache."""

    def write(weights_id: str, made: Path, *, file: dict[str, object] | None = None, **changes: object) -> Path:
        entry: dict[str, object] = {
            "id": weights_id,
            "weights_license": "MIT",
            "code_license": "MIT",
            "commercial_use_allowed": True,
            "license_url": "https://a.example",
            "files": [{"path": made.name, "sha256": files.sha256_file(made)} | (file or {})],
        }
        target = place.weights_cache / weights_id / made.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, target)
        path = tmp_path / "list.json"
        path.write_text(json.dumps({"weights": [entry | changes]}))
        return path

    return write


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
