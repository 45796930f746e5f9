"""A trained voice behind the seam of `voicemill_cloning`; here, because the bundle of these tests is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voicemill.errors import UsageError
from voicemill_cloning.engines.engine import EngineRequest
from voicemill_cloning.engines.trained import TrainedEngine
from voicemill_cloning.speaking import SpeakOptions, speak
from voicemill_runtime.bundle import open_voice

TEXT = "Good morning. It is 5:30."


def test_a_trained_voice_speaks_as_the_runtime_does_with_its_marks(bundle: Path) -> None:
    engine = TrainedEngine(bundle)
    (take,) = speak(engine, TEXT, SpeakOptions(language="English"))
    voice = open_voice(bundle)
    assert np.array_equal(take.samples, np.concatenate([chunk.samples for chunk in voice.speak(TEXT)]))
    assert take.marked
    assert take.sample_rate == voice.sample_rate
    assert (engine.description.engine, engine.description.varies) == ("trained", False)
    assert engine.description.model.startswith("manifest:")


def test_a_voice_that_is_unmarked_by_decision_stays_so(bundle: Path) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"unmarked": "a test of the samples"}))
    (take,) = speak(TrainedEngine(bundle), "Good morning.")
    assert not take.marked


def test_a_trained_voice_speaks_english(bundle: Path) -> None:
    with pytest.raises(UsageError) as caught:
        TrainedEngine(bundle).synthesise(EngineRequest("Guten Morgen.", "German"))
    assert caught.value.reason == "language_not_spoken:German"
