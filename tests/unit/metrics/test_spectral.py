from __future__ import annotations

import numpy as np
import pytest

from voicemill.errors import NotMeasurableError
from voicemill.metrics import spectral
from voicemill.metrics.spectral import (
    MelSettings,
    log_mel,
    mel_cepstra,
    mel_cepstral_distortion,
    speech_frames,
    stft_distance,
)


def test_log_mel_equals_librosa_with_nemo_s_parameters(talk) -> None:
    import librosa

    samples = talk(seconds=1.0)
    spectrum = np.abs(
        librosa.stft(
            samples.astype(np.float64),
            n_fft=1024,
            hop_length=256,
            window=np.hanning(1024),
            center=True,
            pad_mode="constant",
        )
    )
    filters = librosa.filters.mel(sr=22_050, n_fft=1024, n_mels=80, fmin=0.0, fmax=8000.0)
    expected = np.log(filters @ spectrum + 1e-5)
    mel = log_mel(samples)
    assert mel.dtype == np.float32
    assert mel.shape == (80, len(samples) // 256 + 1)
    np.testing.assert_allclose(mel, expected, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [MelSettings(), MelSettings(sample_rate=16_000, n_fft=512, win_length=400, n_mels=64, low_hz=55.0, high_hz=7600.0)],
)
def test_mel_bands_equal_librosa_s_to_the_bit(settings) -> None:
    import librosa

    theirs = librosa.filters.mel(
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        n_mels=settings.n_mels,
        fmin=settings.low_hz,
        fmax=settings.high_hz,
    )
    ours = spectral.mel_bands(settings)
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def test_digital_silence_is_the_guard() -> None:
    assert log_mel(np.zeros(2560, dtype=np.float32)) == pytest.approx(np.log(1e-5), abs=1e-5)


@pytest.mark.parametrize("samples", [np.zeros(0), np.array([0.0, np.nan]), np.zeros((2, 100))])
def test_a_spectrum_needs_a_finite_mono_sound(samples: np.ndarray) -> None:
    with pytest.raises(NotMeasurableError):
        log_mel(samples.astype(np.float32))


def test_cepstra_rebuild_the_log_amplitude() -> None:
    bands = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32)
    cepstra = mel_cepstra(bands, 79)
    angles = np.pi * (np.arange(80) + 0.5) / 80
    rebuilt = sum(cepstra[:, [m]] * np.cos(m * angles)[None] for m in range(80))
    np.testing.assert_allclose(rebuilt.T, bands, atol=1e-5)


def test_distortion_has_the_textbook_scale() -> None:
    """A cepstral difference of d in one coefficient is 10 / ln 10 * sqrt(2) * d decibels."""
    angles = np.pi * (np.arange(80) + 0.5) / 80
    flat = np.zeros((80, 20), dtype=np.float32)
    rippled = flat + (0.3 * np.cos(4 * angles))[:, None].astype(np.float32)
    expected = 10 / np.log(10) * np.sqrt(2) * 0.3
    assert mel_cepstral_distortion(flat, rippled).decibels == pytest.approx(expected, rel=1e-4)


def test_distortion_ignores_loudness_and_tempo_but_not_the_voice(talk) -> None:
    mel = log_mel(talk(seconds=2.0))
    assert mel_cepstral_distortion(mel, mel).decibels == 0.0
    assert mel_cepstral_distortion(mel, mel + 0.5).decibels == pytest.approx(0.0, abs=1e-4)
    assert mel_cepstral_distortion(mel, np.repeat(mel, 2, axis=1)).decibels == pytest.approx(0.0, abs=1e-6)
    other = log_mel(talk(seconds=2.0, formants=(400.0, 2000.0, 3000.0)))
    assert mel_cepstral_distortion(mel, other).decibels > 3.0


def test_pauses_are_no_speech(talk) -> None:
    sound = np.concatenate([np.zeros(22_050, dtype=np.float32), talk(seconds=1.0)])
    speech = speech_frames(log_mel(sound, MelSettings()))
    assert not speech[:80].any()
    assert speech[90:].mean() > 0.3


def test_stft_distance_grows_with_noise_and_wants_equal_lengths(talk) -> None:
    sound = talk(seconds=1.0)
    noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    assert stft_distance(sound, sound) == 0.0
    little, much = (stft_distance(sound, sound + level * noise) for level in (0.001, 0.02))
    assert 0.0 < little < much
    with pytest.raises(NotMeasurableError, match="not synchronous"):
        stft_distance(sound, sound[: len(sound) // 2])
    with pytest.raises(NotMeasurableError, match="silent"):
        stft_distance(np.zeros(5000, dtype=np.float32), noise[:5000])


def test_distortion_is_that_of_an_independent_computation(talk) -> None:
    """Kubichek's formula over librosa's warping path and scipy's cosine transform, from the spectrogram on."""
    import librosa
    from scipy.fft import dct

    real, made = log_mel(talk(seconds=1.5)), log_mel(talk(seconds=1.2, seed=4, formants=(500.0, 1500.0, 2600.0)))
    a, b = (dct(each.astype(np.float64), type=2, axis=0)[1:14] / 80 for each in (real, made))
    _, path = librosa.sequence.dtw(X=a, Y=b, metric="euclidean")
    levels = 10 * np.log10((np.exp(real.astype(np.float64)) ** 2).mean(axis=0))
    loud = levels > np.quantile(levels, 0.9) - 40.0
    each = [10 / np.log(10) * np.sqrt(2 * ((a[:, i] - b[:, j]) ** 2).sum()) for i, j in path.tolist() if loud[i]]
    found = mel_cepstral_distortion(real, made)
    assert found.decibels == pytest.approx(float(np.mean(each)), rel=0.01)
    assert found.frames == pytest.approx(len(each), rel=0.02)
