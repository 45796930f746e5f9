from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from voicemill.audio.embedding import NO_MODEL, SpeakerModel
from voicemill.files import sha256_file
from voicemill.metrics.speaker import speaker_similarity

OTHER_THROAT = (750.0, 1700.0, 3300.0)


def test_similarity_is_the_mean_cosine_to_the_enrolled_speaker(timbre_model: Path, talk: Callable[..., object]) -> None:
    model = SpeakerModel("somebody/speaker", timbre_model, sha256_file(timbre_model))
    own = [talk(seed=seed) for seed in range(3)]
    mine, other = talk(seed=5), talk(formants=OTHER_THROAT, seed=6)
    near, far, both = (speaker_similarity(made, own, 22_050, model) for made in ([mine], [other], [mine, other]))
    assert near.value is not None
    assert far.value is not None
    assert near.value > 0.9 > 0.7 > far.value
    assert abs(both.value - (near.value + far.value) / 2) < 1e-4
    assert both.samples == 2
    assert both.subject == "somebody/speaker"


def test_without_model_recordings_or_meaning_it_is_null_and_says_why(
    timbre_model: Path, talk: Callable[..., object]
) -> None:
    model = SpeakerModel("somebody/speaker", timbre_model, sha256_file(timbre_model))
    one = [talk()]
    assert speaker_similarity(one, one, 22_050, NO_MODEL).not_measured == NO_MODEL
    assert "no recordings" in speaker_similarity(one, [], 22_050, model).not_measured
    broken = [np.full(22_050, np.nan, dtype=np.float32)]
    assert "not finite" in speaker_similarity(broken, one, 22_050, model).not_measured
