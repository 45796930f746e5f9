"""Small manifest entries made by hand, and a context of a preparation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voicemill.dataset.context import PreparationContext
from voicemill.dataset.manifest import ManifestEntry
from voicemill.dataset.models import SeparatorChoice
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.dataset.stage_clock import StageClock
from voicemill.progress import SilentObserver
from voicemill.text.lexicon import Lexicon


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


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[..., PreparationContext]:
    """A context whose staging folder is the test's folder."""

    def make(**changes: Any) -> PreparationContext:
        values: dict[str, Any] = {
            "request": PreparationRequest(voice="demo", source=recording_source(tmp_path / "take.flac")),
            "pool": ClipPool(1),
            "clock": StageClock(SilentObserver(), list),
            "staging": tmp_path,
            "cache": tmp_path / "cache",
            "lexicon": Lexicon.load(),
            "separator": SeparatorChoice("never"),
            "speaker": "none",
        }
        return PreparationContext(**(values | changes))

    return make
