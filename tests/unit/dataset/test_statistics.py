from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from voicemill.dataset.clip_results import PitchResult, PitchSettings
from voicemill.dataset.manifest import ManifestEntry
from voicemill.dataset.stages.manifest import summarise
from voicemill.errors import DatasetError

Make = Callable[..., ManifestEntry]
SETTINGS = PitchSettings(22_050, 80.0, 300.0)


def _pitch(hertz: list[float], frames: int = 10) -> PitchResult:
    return PitchResult(len(hertz), sum(hertz), sum(value**2 for value in hertz), frames, "0" * 64, cached=False)


def test_pitch_is_that_of_the_training_clips(entry: Make) -> None:
    first, second = [100.0, 120.0, 140.0], [110.0, 90.0]
    entries = [entry(), entry(id="b", duration=2.5), entry(id="c", split="validation", duration=4.0)]
    stats = summarise(entries, [_pitch(first), _pitch(second), _pitch([400.0] * 9)], SETTINGS)
    assert stats.pitch_mean == pytest.approx(np.mean(first + second), abs=1e-4)
    assert stats.pitch_std == pytest.approx(np.std(first + second), abs=1e-4)
    assert (stats.pitch_fmin, stats.pitch_fmax, stats.voiced_share) == (80.0, 300.0, 0.25)
    assert (stats.train_clips, stats.validation_clips) == (2, 1)
    assert (stats.train_seconds, stats.validation_seconds) == (3.75, 4.0)
    assert (stats.shortest_seconds, stats.longest_seconds, stats.words) == (1.25, 4.0, 3)


def test_whispering_has_no_pitch(entry: Make) -> None:
    with pytest.raises(DatasetError) as caught:
        summarise([entry()], [_pitch([])], SETTINGS)
    assert caught.value.reason == "no_pitch"
