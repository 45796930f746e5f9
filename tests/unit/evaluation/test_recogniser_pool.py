from __future__ import annotations

import numpy as np
import pytest

from voicemill.align.recognition import PocketSphinxRecogniser
from voicemill.evaluation.recogniser_pool import RecogniserPool

pytestmark = pytest.mark.slow


def test_sounds_reach_the_recogniser_at_its_rate_and_in_order(recogniser) -> None:
    fake, steps = recogniser(["one", "two"]), []
    sounds = [np.zeros(22_050, dtype=np.float32), np.zeros(11_025, dtype=np.float32)]
    assert RecogniserPool(fake).transcribe(sounds, 22_050, lambda: steps.append(1)) == ["one", "two"]
    assert fake.calls == [16_000, 8_000]
    assert len(steps) == 2


def test_two_processes_recognise_the_same_texts_as_one() -> None:
    rng = np.random.default_rng(0)
    sounds = [(0.01 * rng.standard_normal(8_000)).astype(np.float32) for _ in range(2)]
    texts = RecogniserPool(PocketSphinxRecogniser()).transcribe(sounds, 16_000)
    assert RecogniserPool(PocketSphinxRecogniser(), workers=2).transcribe(sounds, 16_000) == texts
