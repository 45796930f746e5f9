from __future__ import annotations

import numpy as np
import pytest
import torch

from voicemill.synthesis.griffin_lim import griffin_lim, mel_basis
from voicemill.synthesis.mel import AudioConfig

AUDIO = AudioConfig()


def log_mel(samples: np.ndarray) -> np.ndarray:
    spectrum = torch.stft(
        torch.from_numpy(samples),
        AUDIO.n_fft,
        AUDIO.hop_length,
        window=torch.hann_window(AUDIO.n_fft, periodic=False),
        pad_mode="constant",
        return_complex=True,
    ).abs()
    return torch.log(mel_basis(AUDIO) @ spectrum + AUDIO.log_floor)[:, : len(samples) // AUDIO.hop_length].numpy()


def harmonic(seconds: float) -> np.ndarray:
    times = np.arange(int(seconds * AUDIO.sample_rate)) / AUDIO.sample_rate
    tone = sum(np.sin(2 * np.pi * 180 * k * times) / k for k in range(1, 20))
    return (0.1 * tone * np.minimum(1, times / 0.05)).astype(np.float32)


def test_the_sound_has_the_mel_it_was_made_from() -> None:
    wanted = log_mel(harmonic(0.6))
    sound = griffin_lim(wanted, AUDIO, iterations=30)
    assert sound.shape == (wanted.shape[1] * AUDIO.hop_length,)
    assert sound.dtype == np.float32
    inner = slice(4, -4)
    assert np.abs(log_mel(sound)[:, inner] - wanted[:, inner]).mean() < 0.5


def test_same_seed_same_samples_and_nothing_clips() -> None:
    mel = log_mel(harmonic(0.3)) + 3
    one, two, other = (griffin_lim(mel, AUDIO, iterations=3, seed=seed) for seed in (0, 0, 1))
    assert (one == two).all()
    assert (one != other).any()
    assert np.abs(one).max() <= 0.951


@pytest.mark.parametrize("shape", [(79, 5), (80, 0)])
def test_wrong_shape(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="shape"):
        griffin_lim(np.zeros(shape, dtype=np.float32), AUDIO)
