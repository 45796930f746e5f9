"""Spectra and their distances: log-mel as NeMo computes it, mel-cepstral distortion, multi-resolution STFT distance.

Samples are float32 in [-1, 1], one channel. Frames are `hop_length` samples apart and centred, so that a signal of n
samples has n // hop_length + 1 frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError
from voicemill.metrics.warping import warping_path

DECIBELS_PER_NEPER = 20.0 / np.log(10.0)
"""Natural logarithm of an amplitude -> decibels."""
CEPSTRAL_ORDER = 13
"""Coefficients 1 to 13, as in Kubichek (1993); the zeroth (loudness) is left out."""
SPEECH_RANGE_DB = 40.0
"""Frames further below the loudest tenth than this count as pause and do not enter a distance."""
STFT_RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))
"""FFT size, hop and window in samples: the three resolutions of Parallel WaveGAN (Yamamoto et al., 2020)."""


@dataclass(frozen=True)
class MelSettings:
    """Parameters of the log-mel spectrogram; the defaults are those of NeMo's English FastPitch and HiFi-GAN."""

    sample_rate: int = 22_050
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 256
    n_mels: int = 80
    low_hz: float = 0.0
    high_hz: float = 8_000.0
    guard: float = 1e-5
    """Added before the logarithm (`log_zero_guard_value`), so digital silence is ln(1e-5) = -11.5."""


@lru_cache(maxsize=8)
def mel_bands(settings: MelSettings) -> NDArray[np.float32]:
    """Slaney mel bands (n_mels, n_fft // 2 + 1), equal to those of librosa, whose import takes a second of CPU time.

    `voicemill_runtime.griffin_lim.mel_bands` computes them in another order, up to 2e-9 beside these. It stays: the
    shipped base vocoder, the vocoders tuned from it and the fallback voices depend on its bits.
    """
    lowest, highest = _mel(np.array([settings.low_hz, settings.high_hz]))
    edges = _hertz(np.linspace(float(lowest), float(highest), settings.n_mels + 2))
    bins = np.fft.rfftfreq(n=settings.n_fft, d=1.0 / settings.sample_rate)
    slopes, widths = np.subtract.outer(edges, bins), np.diff(edges)[:, None]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    filters: NDArray[np.float32] = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters


_MEL_HZ, _LOGARITHMIC_HZ, _STEP = 200.0 / 3, 1000.0, np.log(6.4) / 27.0
"""Slaney's scale: hertz of a mel, linear up to 1000 Hz; above, the logarithm grows by `_STEP` with each mel."""


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = hertz / _MEL_HZ
    above = hertz >= _LOGARITHMIC_HZ
    linear[above] = _LOGARITHMIC_HZ / _MEL_HZ + np.log(hertz[above] / _LOGARITHMIC_HZ) / _STEP
    return linear


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear, first = _MEL_HZ * mel, _LOGARITHMIC_HZ / _MEL_HZ
    above = mel >= first
    linear[above] = _LOGARITHMIC_HZ * np.exp(_STEP * (mel[above] - first))
    return linear


def magnitudes(samples: NDArray[np.float32], *, n_fft: int, hop_length: int, win_length: int) -> NDArray[np.float32]:
    """Magnitude of the short-time Fourier transform, (n_fft // 2 + 1, frames).

    As `torch.stft(center=True, pad_mode="constant")` with a symmetric Hann window, which is what NeMo calls.

    Raises:
        NotMeasurableError: there is no sample, or one is NaN or infinite.
    """
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise NotMeasurableError("The sound is empty, not mono, or holds NaN or infinite samples.")
    window = np.zeros(n_fft, dtype=np.float64)
    left = (n_fft - win_length) // 2
    window[left : left + win_length] = np.hanning(win_length)
    padded = np.pad(samples.astype(np.float64), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    spectrum: NDArray[np.float32] = np.abs(np.fft.rfft(frames * window, axis=1)).T.astype(np.float32)
    return spectrum


def log_mel(samples: NDArray[np.float32], settings: MelSettings | None = None) -> NDArray[np.float32]:
    """Natural logarithm of the mel magnitudes, float32 (n_mels, frames), equal to NeMo's up to rounding.

    Args:
        samples: mono, at `settings.sample_rate`.
        settings: defaults to NeMo's TTS parameters.

    Raises:
        NotMeasurableError: there is no sample, or one is NaN or infinite.
    """
    settings = settings or MelSettings()
    spectrum = magnitudes(samples, n_fft=settings.n_fft, hop_length=settings.hop_length, win_length=settings.win_length)
    return np.asarray(np.log(mel_bands(settings) @ spectrum + np.float32(settings.guard)), dtype=np.float32)


def mel_cepstra(mel: NDArray[np.float32], order: int = CEPSTRAL_ORDER) -> NDArray[np.float64]:
    """Cepstra of a log-mel spectrogram, (frames, order + 1): log amplitude = sum of c[m] cos(m w).

    The scale is that of SPTK's mel cepstrum, so distances between them are in the usual decibels; the analysis is a
    cosine transform of the mel filter bank instead of SPTK's adaptive one (figures compare among themselves only).

    Args:
        mel: (n_mels, frames), natural logarithm of amplitude.
        order: highest coefficient.
    """
    from scipy.fft import dct

    bands = mel.shape[0]
    cepstra: NDArray[np.float64] = dct(mel.astype(np.float64), type=2, axis=0)[: order + 1].T / bands
    cepstra[:, 0] /= 2.0
    return cepstra


@dataclass(frozen=True)
class Distortion:
    """Mel-cepstral distortion of one sentence and the frame pairing."""

    decibels: float
    frames: int
    path: NDArray[np.intp]
    """(steps, 2) frame indices of reference and synthesised sound."""


def speech_frames(mel: NDArray[np.float32], range_db: float = SPEECH_RANGE_DB) -> NDArray[np.bool_]:
    """Frames of a log-mel spectrogram that are loud enough to be speech, (frames,).

    A frame counts when its level is within `range_db` of the loudest tenth of the sound.
    """
    level = DECIBELS_PER_NEPER * np.log(np.sqrt(np.mean(np.exp(2.0 * mel.astype(np.float64)), axis=0)))
    return np.asarray(level > np.quantile(level, 0.9) - range_db)


def mel_cepstral_distortion(reference: NDArray[np.float32], other: NDArray[np.float32]) -> Distortion:
    """Distance of two utterances of one sentence in decibels, after dynamic time warping.

    MCD = 10 / ln 10 * sqrt(2 * sum over m = 1..13 of (c[m] - c'[m])^2), averaged over the pairs of the warping path
    whose reference frame is speech. R. Kubichek, "Mel-cepstral distance measure for objective speech quality
    assessment", 1993. 0 for equal sounds; it ignores loudness (coefficient 0) and timing (the warping).

    Args:
        reference: log-mel of the real recording, (n_mels, frames).
        other: log-mel of the synthesised sound, (n_mels, other frames), same settings.

    Raises:
        NotMeasurableError: there is no speech to compare.
    """
    a, b = mel_cepstra(reference)[:, 1:], mel_cepstra(other)[:, 1:]
    path = warping_path(a, b)
    used = path[speech_frames(reference)[path[:, 0]]]
    if not len(used):
        raise NotMeasurableError("No frame of the reference is louder than the rest: there is no speech in it.")
    difference = a[used[:, 0]] - b[used[:, 1]]
    each = 0.5 * DECIBELS_PER_NEPER * np.sqrt(2.0 * (difference**2).sum(axis=1))
    return Distortion(decibels=float(each.mean()), frames=len(used), path=path)


def stft_distance(reference: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Multi-resolution STFT distance of two synchronous sounds; 0 for equal sounds.

    Mean over three resolutions of spectral convergence plus mean absolute log-magnitude difference (Yamamoto, Song
    and Kim, "Parallel WaveGAN", 2020, equations 4 to 6). It detects errors that a mel spectrogram does not show: broken
    harmonics and phase noise. For copy synthesis only (a vocoder given the recording's mel), where both sounds have the
    same timing.

    Args:
        reference: real recording, mono.
        other: the same through a vocoder; the longer one is cut to the shorter.

    Raises:
        NotMeasurableError: the lengths differ by more than 5%, or the reference is silent.
    """
    length = min(len(reference), len(other))
    if length < 0.95 * max(len(reference), len(other)) or not length:
        raise NotMeasurableError(f"The sounds last {len(reference)} and {len(other)} samples and are not synchronous.")
    if not np.any(reference[:length]):
        raise NotMeasurableError("The reference is silent.")
    distances = []
    for n_fft, hop_length, win_length in STFT_RESOLUTIONS:
        real, made = (
            magnitudes(samples[:length], n_fft=n_fft, hop_length=hop_length, win_length=win_length).astype(np.float64)
            for samples in (reference, other)
        )
        convergence = np.linalg.norm(real - made) / np.linalg.norm(real)
        # The guard is that of the mel spectrogram: differences between two inaudible bins are no error.
        logarithm = np.abs(np.log(real + 1e-5) - np.log(made + 1e-5)).mean()
        distances.append(convergence + logarithm)
    return float(np.mean(distances))
