"""Clip figures on signals whose figures are known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voicemill.audio import decode
from voicemill.audio.level_envelope import frame_levels
from voicemill.audio.quality import bandwidth, decibels, measure

RATE = 22_050
PEOPLE = Path(__file__).parents[2] / "data/people"
CLIPS = sorted([*(PEOPLE / "lj").glob("*.flac"), *(PEOPLE / "austen").glob("*.flac")])


def padded(signal: np.ndarray, before: float, after: float, noise: float = 0.0) -> np.ndarray:
    whole = np.concatenate([np.zeros(round(before * RATE)), signal, np.zeros(round(after * RATE))])
    return (whole + np.random.default_rng(0).normal(0, 1, len(whole)) * noise).astype(np.float32)


def tone(seconds: float, amplitude: float) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE)


def test_tone_in_noise() -> None:
    found = measure(padded(tone(2.0, 0.5), 0.5, 0.25, noise=0.001), RATE)
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.1)
    assert found.loudness_dbfs == pytest.approx(-9.03, abs=0.2)
    assert found.snr_db == pytest.approx(60.0 - 9.03, abs=1.5)
    assert found.leading_silence == pytest.approx(0.5, abs=0.03)
    assert found.trailing_silence == pytest.approx(0.25, abs=0.03)
    assert found.clipped_share == 0.0


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_more_noise_less_ratio(noise: float, babble: Callable[..., np.ndarray]) -> None:
    speech = babble(RATE, 3.0)
    clean = measure(padded(speech, 0.3, 0.3, noise=0.001), RATE)
    noisy = measure(padded(speech, 0.3, 0.3, noise=noise), RATE)
    assert noisy.snr_db < clean.snr_db - 5


def test_clipping_is_a_run_and_not_a_peak() -> None:
    wave = tone(1.0, 2.0)
    clipped = np.clip(wave, -1.0, 1.0).astype(np.float32)
    assert measure(clipped, RATE).clipped_share == pytest.approx(np.mean(np.abs(wave) >= 1.0), abs=0.01)
    single = tone(1.0, 0.3).astype(np.float32)
    single[100] = 1.0
    assert measure(single, RATE).clipped_share == 0.0
    assert measure(single, RATE).peak_dbfs == 0.0


@pytest.mark.parametrize("samples", [0, 1, 7, 100, RATE])
def test_silence_gives_finite_figures(samples: int) -> None:
    found = measure(np.zeros(samples, dtype=np.float32), RATE)
    assert all(math.isfinite(value) for value in dataclasses.astuple(found))
    assert found.leading_silence == found.trailing_silence == samples / RATE
    assert found.peak_dbfs == found.loudness_dbfs == -120.0


@pytest.mark.parametrize("samples", [1, 2, 50, 441, 442, 10_000])
def test_any_length_gives_finite_figures(samples: int) -> None:
    found = measure(np.full(samples, 0.25, dtype=np.float32), RATE)
    assert all(math.isfinite(value) for value in dataclasses.astuple(found))
    assert found.peak_dbfs == pytest.approx(-12.04, abs=0.01)
    assert found.loudness_dbfs == pytest.approx(-12.04, abs=0.01)


def test_frame_levels() -> None:
    levels = frame_levels(np.concatenate([np.full(441, 0.1), np.zeros(441), np.full(10, 1.0)]).astype(np.float32), RATE)
    assert levels == pytest.approx([-20.0, -120.0, 0.0], abs=1e-3)
    assert frame_levels(np.zeros(0, dtype=np.float32), RATE).shape == (0,)


def test_decibels() -> None:
    assert decibels(1.0) == 0.0
    assert decibels(0.0) == -120.0


@pytest.mark.parametrize("limit", [1_500, 3_400, 7_000])
def test_bandwidth_is_where_the_speech_ends(limit: int) -> None:
    """Syllables of white noise below a limit, in a room with white noise 60 dB below them."""
    rate, rng = 22_050, np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(0, 0.2, 3 * rate))
    spectrum[np.fft.rfftfreq(3 * rate, 1 / rate) > limit] = 0
    syllables = np.square(np.sin(2 * np.pi * 1.5 * np.arange(3 * rate) / rate))
    samples = np.fft.irfft(spectrum, 3 * rate) * syllables + rng.normal(0, 2e-4, 3 * rate)
    assert bandwidth(samples.astype(np.float32), rate) == pytest.approx(limit, abs=250)


def test_bandwidth_of_nothing() -> None:
    steady = np.random.default_rng(0).normal(0, 0.1, 22_050).astype(np.float32)
    for samples in (np.zeros(22_050, dtype=np.float32), steady, steady[:100]):
        assert bandwidth(samples, 22_050) == 0.0


def test_bandwidth_of_speech_and_of_a_telephone(demo_speech: np.ndarray) -> None:
    """The sentence with the fewest hisses decides how far a limit may reach; each of 2.5 s here."""
    import soxr

    for start in range(3, 17, 3):
        clip = demo_speech[start * RATE : start * RATE + round(2.5 * RATE)]
        assert bandwidth(clip, RATE) > 6_500
        telephone = soxr.resample(soxr.resample(clip, RATE, 7_000), 7_000, RATE).astype(np.float32)
        assert bandwidth(telephone, RATE) == pytest.approx(3_500, abs=250)


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
@pytest.mark.parametrize("ratio", [5.0, 15.0, 25.0])
def test_the_ratio_is_that_of_the_added_noise(path: Path, ratio: float) -> None:
    clip, rate = decode.read_mono(path)
    speaking = measure(clip, rate).loudness_dbfs
    noise = np.random.default_rng(0).standard_normal(len(clip)) * 10.0 ** ((speaking - ratio) / 20.0)
    silence = np.random.default_rng(1).standard_normal(rate) * 10.0 ** ((speaking - ratio) / 20.0)
    found = measure(np.concatenate((clip + noise, silence)).astype(np.float32), rate)
    assert found.snr_db == pytest.approx(ratio, abs=2.0)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_bandwidth_at_every_usual_sample_rate(rate: int) -> None:
    clip, own = decode.read_mono(CLIPS[0])
    found = measure(decode.resample(clip, own, rate), rate).bandwidth_hz
    assert found == pytest.approx(min(rate, own) / 2, rel=0.1)
