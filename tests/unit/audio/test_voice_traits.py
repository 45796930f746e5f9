from __future__ import annotations

import numpy as np
import pytest
import soxr

from voicemill.audio.fingerprints import fingerprint, similarity
from voicemill.audio.voice_traits import measure

RATE = 22_050


def vowel(pitch: float, formants: tuple[float, ...], seconds: float = 1.5, rate: int = RATE) -> np.ndarray:
    """Pulses through resonances that are known."""
    count = round(seconds * rate)
    pulses = np.diff(np.floor(np.arange(count) * pitch / rate), prepend=0.0)
    spectrum = np.fft.rfft(pulses)
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(count))
    for centre in formants:
        pole = np.exp(-np.pi * 60 / rate + 2j * np.pi * centre / rate)
        spectrum /= (1 - pole * z) * (1 - np.conj(pole) * z)
    sound = np.fft.irfft(spectrum, count)
    return (0.4 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.mark.parametrize("pitch", [75.0, 110.0, 210.0, 330.0])
def test_pitch_of_a_known_vowel(pitch: float) -> None:
    found = measure(vowel(pitch, (600, 1500, 2500, 3500)), RATE)
    assert found is not None
    assert found.pitch_hz == pytest.approx(pitch, rel=0.02)


@pytest.mark.parametrize("scale", [0.85, 1.0, 1.15])
def test_formants_move_with_the_vocal_tract(scale: float) -> None:
    formants = tuple(scale * hertz for hertz in (600.0, 1500.0, 2500.0, 3500.0))
    found = measure(vowel(120.0, formants), RATE)
    assert found is not None
    assert found.formant_hz == pytest.approx(float(np.exp(np.mean(np.log(formants[1:])))), rel=0.03)


@pytest.mark.parametrize("kind", ["silence", "noise", "short", "nothing"])
def test_no_voice(kind: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    sounds = {"silence": np.zeros(RATE, dtype=np.float32), "noise": noise, "short": noise[:200], "nothing": noise[:0]}
    assert measure(sounds[kind], RATE) is None


def test_a_copy_is_distinguished_from_another_reading(demo_speech: np.ndarray) -> None:
    clip = demo_speech[round(4.9 * RATE) : round(8.4 * RATE)]
    own = fingerprint(clip, RATE)
    noise = np.random.default_rng(0).normal(0, 1e-3, len(clip)).astype(np.float32)
    moved = np.concatenate([np.zeros(RATE // 5, dtype=np.float32), clip])[: len(clip) + RATE // 10]
    assert similarity(own, own) == pytest.approx(1.0, abs=1e-4)
    for copy in (0.3 * clip, clip + noise, moved, np.round(clip * 127) / 127):
        assert similarity(own, fingerprint(copy.astype(np.float32), RATE)) > 0.92
    slower = soxr.resample(clip, 100, 106).astype(np.float32)  # the same words, read 6% slower
    assert similarity(own, fingerprint(slower, RATE)) < 0.85
    other = demo_speech[round(9.0 * RATE) : round(12.3 * RATE)]
    assert similarity(own, fingerprint(other, RATE)) < 0.6
    assert similarity(own, fingerprint(other[:0], RATE)) == 0.0
