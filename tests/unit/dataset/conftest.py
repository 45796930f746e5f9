"""Small manifest entries made by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voicemill.dataset.manifest import ManifestEntry


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
