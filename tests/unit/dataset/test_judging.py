from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from voicemill.audio.quality import ClipQuality
from voicemill.audio.voice_traits import VoiceTraits
from voicemill.dataset import judging
from voicemill.dataset.limits import QualityLimits

LIMITS = QualityLimits()
GOOD = ClipQuality(-3.0, 0.0, 40.0, -20.0, 0.1, 0.1, 8000.0)


@pytest.mark.parametrize(
    ("changes", "reason", "figure", "unit", "limit"),
    [
        ({"clipped_share": 0.01}, "clipped", 0.01, "share", 0.005),
        ({"snr_db": 8.5}, "noisy", 8.5, "dB", 10.0),
        ({"bandwidth_hz": 2400.0}, "narrow_band", 2400.0, "Hz", 3000.0),
        ({"leading_silence": 1.5}, "long_silence", 1.5, "s", 1.0),
        ({"trailing_silence": 2.0}, "long_silence", 2.0, "s", 1.0),
    ],
)
def test_sound(changes: dict[str, float], reason: str, figure: float, unit: str, limit: float) -> None:
    assert judging.of_sound(GOOD, LIMITS) is None
    fault = judging.of_sound(dataclasses.replace(GOOD, **changes), LIMITS)
    assert fault is not None
    assert (fault.reason, fault.figure, fault.unit, fault.limit) == (reason, figure, unit, limit)
    assert unit in fault.detail
    assert f"the limit is {limit:g}" in fault.detail


def _words(seconds: float, phones: int) -> list[tuple[str, float, float, list[tuple[str, float, float]]]]:
    return [("word", 1.0, 1.0 + seconds, [("AH", 1.0, 1.1)] * phones)]


def test_speech() -> None:
    assert judging.of_speech(_words(1.0, 12), 0.1, LIMITS) is None
    assert judging.of_speech(_words(1.0, 12), None, LIMITS) is None
    slow, fast = (judging.of_speech(_words(1.0, phones), None, LIMITS) for phones in (2, 40))
    misheard = judging.of_speech(_words(1.0, 12), 0.7, LIMITS)
    assert slow is not None
    assert fast is not None
    assert misheard is not None
    assert (slow.reason, slow.figure, slow.limit, slow.unit) == ("speaking_rate", 2.0, 4.0, "phones/s")
    assert (fast.figure, fast.limit) == (40.0, 28.0)
    assert (misheard.reason, misheard.figure, misheard.unit) == ("misheard", 0.7, "errors/character")


def test_another_voice() -> None:
    own = [VoiceTraits(pitch, 2400.0) for pitch in (170.0, 180.0, 175.0, 160.0, 190.0, 172.0)]
    lower, near = VoiceTraits(110.0, 2300.0), VoiceTraits(135.0, 2350.0)
    seconded, against = VoiceTraits(135.0, 2050.0), VoiceTraits(135.0, 2800.0)
    faults = judging.of_voices([*own, None, lower, near, seconded, against], LIMITS)
    assert [fault is None for fault in faults] == [True] * 7 + [False, True, False, True]
    assert faults[7] is not None
    assert faults[7].reason == "other_voice"
    assert faults[7].figure == pytest.approx(-7.02, abs=0.05)
    assert "no speaker model" in faults[7].detail
    assert judging.of_voices([*own[:3], lower], LIMITS) == [None] * 4  # too few to know who is the guest


def test_copies() -> None:
    rng = np.random.default_rng(0)
    sounds = [rng.normal(size=(100, 16)).astype(np.float32) for _ in range(3)]
    prints = [sounds[0], sounds[1], sounds[0] + 0.05 * rng.normal(size=(100, 16)), sounds[0], sounds[2], sounds[0]]
    asked: list[int] = []

    def print_of(index: int) -> np.ndarray:
        asked.append(index)
        return prints[index].astype(np.float32)

    texts = ["a", "a", "a", "a", "b", "c"]
    faults = judging.of_copies(texts, ["0", "1", "2", "0", "4", "0"], print_of, LIMITS)
    assert [None if fault is None else fault.reason for fault in faults] == [
        None,
        None,
        "duplicate",
        "duplicate",
        None,
        None,
    ]
    assert faults[2] is not None
    assert faults[3] is not None
    assert 0.92 < faults[2].figure < 1.0
    assert faults[3].figure == 1.0
    assert asked == [0, 1, 2, 3]  # a text that comes once is not looked at
