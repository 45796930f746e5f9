"""Log-mel -> samples with fast Griffin-Lim, in numpy: the fallback of voices without a neural vocoder.

The same algorithm as `voicemill.synthesis.griffin_lim`, see there for its sources.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOMENTUM = 0.99
INVERSION_ITERATIONS = 40
PEAK = 0.95


def griffin_lim(log_mel: NDArray[np.float32], mel: dict[str, Any], iterations: int = 60) -> NDArray[np.float32]:
    """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames).

    Args:
        log_mel: natural logarithm.
        mel: settings of the mel spectrogram, by the names of `synthesis.mel.AudioConfig`.
        iterations: more is clearer, with little gain beyond 60.
    """
    n_fft, hop = int(mel["n_fft"]), int(mel["hop_length"])
    magnitude = _linear(log_mel, mel)
    length = magnitude.shape[1] * hop
    magnitude = np.concatenate((magnitude, magnitude[:, -1:]), axis=1)
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    phases = np.random.default_rng(0).random(magnitude.shape, dtype=np.float32)
    angles = np.exp(2j * np.pi * phases).astype(np.complex64)
    previous = np.zeros_like(angles)
    for _ in range(iterations):
        rebuilt = _stft(_istft(magnitude * angles, window, hop, length), window, hop)
        moved = rebuilt - np.float32(MOMENTUM / (1 + MOMENTUM)) * previous
        angles = moved / np.maximum(np.abs(moved), 1e-16)
        previous = rebuilt
    samples = _istft(magnitude * angles, window, hop, length)
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(PEAK / peak) if peak > PEAK else samples


def mel_bands(mel: dict[str, Any]) -> NDArray[np.float32]:
    """Slaney's mel bands with area normalisation, shape (mels, n_fft // 2 + 1).

    The order of the operations must not change: the shipped base vocoder was trained with these bits.
    """
    edges = _to_hertz(np.linspace(_to_mel(mel["fmin"]), _to_mel(mel["fmax"]), mel["n_mels"] + 2))
    bins = np.linspace(0.0, mel["sample_rate"] / 2, mel["n_fft"] // 2 + 1)
    ramps = edges[:, None] - bins[None]
    widths = np.diff(edges)[:, None]
    bands = np.maximum(0.0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    scale: NDArray[np.float64] = 2.0 / (edges[2:] - edges[:-2])
    return (bands * scale[:, None]).astype(np.float32)


def _to_mel(hertz: float) -> float:
    """Slaney's scale: linear below 1 kHz, logarithmic above."""
    if hertz < 1000.0:
        return float(3.0 * hertz / 200.0)
    return float(15.0 + 27.0 * np.log(hertz / 1000.0) / np.log(6.4))


def _to_hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = 200.0 * mels / 3.0
    above: NDArray[np.float64] = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mels - 15.0))
    return np.where(mels < 15.0, linear, above)


def _linear(log_mel: NDArray[np.float32], settings: dict[str, Any]) -> NDArray[np.float32]:
    """Non-negative magnitudes whose mel is the given one, shape (n_fft // 2 + 1, frames)."""
    basis, floor = mel_bands(settings), float(settings["log_floor"])
    mel = np.maximum(np.exp(log_mel) - floor, floor)
    magnitude = np.maximum(np.linalg.pinv(basis) @ mel, 1e-6)
    for _ in range(INVERSION_ITERATIONS):
        magnitude = magnitude * (basis.T @ mel) / np.maximum(basis.T @ (basis @ magnitude), 1e-10)
    result: NDArray[np.float32] = magnitude.astype(np.float32)
    return result


def _stft(samples: NDArray[np.float32], window: NDArray[np.float32], hop: int) -> NDArray[np.complex64]:
    half = len(window) // 2
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, half), len(window))[::hop]
    return np.fft.rfft(frames * window, axis=1).T.astype(np.complex64)


def _istft(spectrum: NDArray[np.complex64], window: NDArray[np.float32], hop: int, length: int) -> NDArray[np.float32]:
    size = len(window)
    frames = np.fft.irfft(spectrum.T, n=size, axis=1).astype(np.float32) * window
    count = len(frames)
    total = np.zeros((count + size // hop, hop), dtype=np.float32)
    weight = np.zeros_like(total)
    squared = (window**2).reshape(-1, hop)
    for part in range(size // hop):
        total[part : part + count] += frames[:, part * hop : (part + 1) * hop]
        weight[part : part + count] += squared[part]
    samples = total.reshape(-1) / np.maximum(weight.reshape(-1), 1e-11)
    start = size // 2
    result: NDArray[np.float32] = samples[start : start + length].astype(np.float32)
    return result
