"""Speech outside all words: what is too soft to be a word, in silence and in noise."""

from __future__ import annotations

import numpy as np
import pytest

from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.dataset import unwritten
from voicemill.dataset.manifest import WordRow

RATE = 16_000
WORDS: list[WordRow] = [("word", 0.0, 2.0, []), ("words", 3.0, 4.0, [])]
SPEECH = [Span(0.0, 2.0), Span(2.2, 2.8), Span(3.0, 4.0)]


def levels(beside_db: float, noise_db: float) -> LevelEnvelope:
    """Four seconds with words at 0 dB, other sound from 2.2 to 2.8 s, and noise; levels against the words."""
    random = np.random.default_rng(3)
    time = np.arange(4 * RATE) / RATE
    in_words = (time < 2.0) | (time >= 3.0)
    level = np.where(in_words, 1.0, np.where((time > 2.2) & (time < 2.8), 10 ** (beside_db / 20), 0.0))
    sound = 0.1 * level * random.standard_normal(time.size)
    noise = 0.1 * 10 ** (noise_db / 20) * random.standard_normal(time.size)
    return LevelEnvelope.of((sound + noise).astype(np.float32), RATE)


@pytest.mark.parametrize("noise_db", [-60.0, -18.0])
@pytest.mark.parametrize(("beside_db", "seconds"), [(-8.0, 0.6), (-13.5, 0.0)])
def test_the_background_does_not_make_soft_sounds_to_words(noise_db: float, beside_db: float, seconds: float) -> None:
    found = unwritten.speech(WORDS, SPEECH, levels(beside_db, noise_db))
    assert found.seconds == pytest.approx(seconds, abs=0.01)
    assert found.excessive == (seconds > 0)
