"""Log-mel -> samples without a neural vocoder: mel inversion, then fast Griffin-Lim.

Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform"; the momentum is that of Perraudin,
Balazs & Søndergaard 2013, "A fast Griffin-Lim algorithm". It sounds a little hollow but adds nothing to the mel, so it
is the fallback and the baseline for vocoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.metrics.spectral import MelSettings, mel_bands
from voicemill.synthesis.mel import AudioConfig

if TYPE_CHECKING:
    import torch

MOMENTUM = 0.99
"""Perraudin et al. 2013 found 0.99 the best of those that converge."""
INVERSION_ITERATIONS = 40
"""Multiplicative updates (Lee & Seung 2001) of the linear spectrum; the mel error is below 1% by then."""
PEAK = 0.95
"""Louder results are scaled down to this, so that nothing clips."""


def griffin_lim(
    log_mel: NDArray[np.float32], audio: AudioConfig, *, iterations: int = 60, sharpen: float = 1.0, seed: int = 0
) -> NDArray[np.float32]:
    """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames).

    Args:
        log_mel: natural logarithm, as `AudioConfig` describes it.
        audio: settings of the mel.
        iterations: more is clearer, with little gain beyond 60.
        sharpen: exponent of the linear magnitudes; a little above 1 deepens the valleys that a predicted mel smooths
            over.
        seed: of the phases at the start; the same seed gives the same samples.
    """
    import torch

    if log_mel.shape[0] != audio.n_mels or log_mel.shape[1] == 0:
        raise ValueError(f"log_mel must have shape ({audio.n_mels}, frames), not {log_mel.shape}")
    magnitude = linear_magnitude(log_mel, audio)
    if sharpen != 1.0:
        peak = magnitude.max()
        magnitude = (magnitude / peak) ** sharpen * peak
    samples = _reconstruct(magnitude, audio, iterations, torch.Generator().manual_seed(seed))
    peak = samples.abs().max()
    if peak > PEAK:
        samples = samples * (PEAK / peak)
    result: NDArray[np.float32] = samples.numpy()
    return result


def mel_basis(audio: AudioConfig) -> torch.Tensor:
    """Slaney mel bands, shape (mels, n_fft // 2 + 1), the same as in NeMo's front end."""
    import torch

    settings = MelSettings(
        sample_rate=audio.sample_rate, n_fft=audio.n_fft, n_mels=audio.n_mels, low_hz=audio.fmin, high_hz=audio.fmax
    )
    return torch.from_numpy(mel_bands(settings))


def linear_magnitude(log_mel: NDArray[np.float32], audio: AudioConfig) -> torch.Tensor:
    """Non-negative magnitudes, shape (n_fft // 2 + 1, frames), whose mel is the given one."""
    import torch

    basis = mel_basis(audio)
    mel = (torch.from_numpy(np.ascontiguousarray(log_mel, dtype=np.float32)).exp() - audio.log_floor).clamp(
        min=audio.log_floor
    )
    magnitude = (torch.linalg.pinv(basis) @ mel).clamp(min=1e-6)
    for _ in range(INVERSION_ITERATIONS):
        magnitude = magnitude * (basis.T @ mel) / (basis.T @ (basis @ magnitude)).clamp(min=1e-10)
    return magnitude


def _reconstruct(
    magnitude: torch.Tensor, audio: AudioConfig, iterations: int, generator: torch.Generator
) -> torch.Tensor:
    import torch

    length = magnitude.shape[1] * audio.hop_length
    window = torch.hann_window(audio.n_fft)
    # The transform of `length` samples has one frame more than NeMo reports, see `log_mel`; the last one is repeated.
    magnitude = torch.cat((magnitude, magnitude[:, -1:]), dim=1)
    angles = torch.polar(torch.ones_like(magnitude), 2 * torch.pi * torch.rand(magnitude.shape, generator=generator))
    previous = torch.zeros_like(angles)

    def to_samples(spectrum: torch.Tensor) -> torch.Tensor:
        return torch.istft(spectrum, audio.n_fft, audio.hop_length, window=window, length=length)

    for _ in range(iterations):
        samples = to_samples(magnitude * angles)
        rebuilt = torch.stft(
            samples, audio.n_fft, audio.hop_length, window=window, pad_mode="constant", return_complex=True
        )
        moved = rebuilt - MOMENTUM / (1 + MOMENTUM) * previous
        angles = moved / moved.abs().clamp(min=1e-16)
        previous = rebuilt
    return to_samples(magnitude * angles)
