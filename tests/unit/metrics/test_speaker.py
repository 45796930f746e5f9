from __future__ import annotations

import json

import numpy as np
import pytest

from voicemill.errors import NotMeasurableError
from voicemill.metrics.speaker import SpeakerProfile, StoredProfile, speaker_distance, speaker_profile

SMALL = (700.0, 1500.0, 2900.0)
LARGE = (450.0, 1000.0, 2300.0)


def test_other_words_of_a_speaker_are_nearer_than_another_speaker(talk) -> None:
    small, large = speaker_profile([talk(formants=SMALL)]), speaker_profile([talk(formants=LARGE)])
    again = speaker_profile([talk(formants=SMALL, seed=3, f0=140.0)])
    assert speaker_distance(again, small) < 0.5 * speaker_distance(again, large)


def test_distance_is_symmetric_zero_for_itself_and_blind_to_loudness(talk) -> None:
    first, second = speaker_profile([talk()]), speaker_profile([talk(formants=LARGE)])
    assert speaker_distance(first, first) == pytest.approx(0.0, abs=1e-9)
    assert speaker_distance(first, second) == pytest.approx(speaker_distance(second, first))
    quiet = speaker_profile([talk() * np.float32(0.25)])
    assert speaker_distance(first, quiet) < 0.001 * speaker_distance(first, second)


def test_closed_form_of_two_equal_covariances() -> None:
    """Equal covariances leave an eighth of the squared Mahalanobis distance."""
    mean = np.zeros(12)
    shifted = mean + np.eye(12)[0] * 2.0
    first, second = (SpeakerProfile(mean=m, covariance=np.eye(12) * 0.5, frames=300) for m in (mean, shifted))
    assert speaker_distance(first, second) == pytest.approx(4.0 / 0.5 / 8.0)


def test_too_little_speech_is_no_speaker(talk) -> None:
    with pytest.raises(NotMeasurableError, match="too few"):
        speaker_profile([talk(seconds=0.5)])
    with pytest.raises(NotMeasurableError, match="too few"):
        speaker_profile([])


def test_a_stored_profile_comes_back(talk) -> None:
    first, other = speaker_profile([talk()]), speaker_profile([talk(formants=LARGE)])
    text = StoredProfile.of("one", "a test", first).model_dump_json()
    back = StoredProfile.model_validate(json.loads(text)).profile()
    assert speaker_distance(back, other) == pytest.approx(speaker_distance(first, other), rel=1e-4)


@pytest.mark.parametrize("covariance", [[[1.0]], (-np.eye(12)).tolist()[:11], np.zeros((12, 12)).tolist()])
def test_a_broken_profile_is_refused(covariance: list[list[float]]) -> None:
    stored = StoredProfile(name="x", source="a test", frames=300, mean=[0.0] * 12, covariance=covariance)
    with pytest.raises(NotMeasurableError, match="not usable") as caught:
        stored.profile()
    assert caught.value.reason == "speaker_profile_invalid"
