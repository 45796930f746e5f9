"""Losses of the iSTFT vocoder between generated and recorded samples. Imports torch at once."""

from __future__ import annotations

import torch
from torch.nn import functional

from voicemill.synthesis.mel import AudioConfig
from voicemill_runtime.griffin_lim import mel_bands

RESOLUTIONS = (256, 512, 1024, 2048)
"""Samples in a transform, hop a quarter; after Parallel WaveGAN (Yamamoto et al., 2020)."""
SMALLEST = 1e-5
PITCH_TOLERANCE = 1.0
"""Standard deviation of the target over the pitch bins, in bins."""


class SpectralLoss:
    """Multi-resolution STFT distance plus mel distance, up to each recording's highest frequency.

    Recordings of 16 kHz say nothing about what lies above 8 kHz, so the bins above `cutoff` do not count.
    """

    def __init__(self, audio: AudioConfig, device: torch.device | str = "cpu") -> None:
        self._audio = audio
        self._windows = {size: torch.hann_window(size, device=device) for size in RESOLUTIONS}
        self._mel_window = torch.hann_window(audio.n_fft, periodic=False, device=device)
        self._bands = torch.from_numpy(mel_bands(audio.model_dump())).to(device)

    def log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """Log-mel (B, mels, samples // hop + 1) as FastPitch's front end computes it."""
        spectrum = torch.stft(
            samples,
            self._audio.n_fft,
            self._audio.hop_length,
            window=self._mel_window,
            pad_mode="constant",
            return_complex=True,
        )
        return torch.log(self._bands @ _magnitude(spectrum) + self._audio.log_floor)

    def __call__(self, generated: torch.Tensor, recorded: torch.Tensor, cutoff: torch.Tensor) -> torch.Tensor:
        """Loss, shape (), of samples (B, n) against samples (B, n) that end at `cutoff` Hz (B,)."""
        total = torch.zeros((), device=generated.device)
        for size, window in self._windows.items():
            ours, theirs = (
                _magnitude(torch.stft(each, size, size // 4, window=window, return_complex=True))
                for each in (generated, recorded)
            )
            hertz = torch.arange(size // 2 + 1, device=generated.device) * (self._audio.sample_rate / size)
            mask = (hertz[None] < cutoff[:, None]).to(ours.dtype)[..., None]
            ours, theirs = ours * mask, theirs * mask
            convergence = torch.linalg.norm(theirs - ours) / torch.linalg.norm(theirs).clamp_min(1e-3)
            logs = (torch.log(ours + SMALLEST) - torch.log(theirs + SMALLEST)).abs()
            total = total + convergence + logs.sum() / (mask.sum() * logs.shape[2])
        mel = functional.l1_loss(self.log_mel(generated), self.log_mel(recorded))
        return total / len(self._windows) + 2 * mel


def pitch_loss(
    logits: torch.Tensor, bin_hertz: torch.Tensor, hertz: torch.Tensor, voiced: torch.Tensor
) -> torch.Tensor:
    """Cross entropy, shape (), of logits (B, bins, frames) with a Gaussian around the pitch, over voiced frames."""
    octaves = torch.log2(bin_hertz)
    bins = (torch.log2(hertz) - octaves[0]) / (octaves[1] - octaves[0])
    at = torch.arange(len(octaves), device=logits.device)[None, :, None]
    target = torch.softmax(-((at - bins[:, None]) ** 2) / (2 * PITCH_TOLERANCE**2), 1)
    entropy = -(target * torch.log_softmax(logits, 1)).sum(1)
    return (entropy * voiced).sum() / voiced.sum().clamp_min(1)


def _magnitude(spectrum: torch.Tensor) -> torch.Tensor:
    """As `abs`, with a finite gradient at zero."""
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-10)
