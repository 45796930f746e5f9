"""Fingerprints: whether two clips are copies of one recording, cut differently, louder, or with other noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicemill.audio import decode

_RATE = 8_000
_FRAME, _HOP = 320, 160  # samples: 40 ms, every 20 ms
_BANDS = 16
_SHIFT = 15
"""Largest shift (300 ms) between two copies, in frames."""
_FLOOR_DB = 60.0
"""Range (dB) below the loudest band; room noise dominates below it."""

Fingerprint = npt.NDArray[np.float32]


def fingerprint(samples: npt.NDArray[np.float32], rate: int) -> Fingerprint:
    """Levels (frames, 16) in dB, every 20 ms, in bands from 150 to 3800 Hz, minus the mean of each band."""
    sound = decode.resample(samples, rate, _RATE)
    padded = np.pad(sound, (0, max(0, _FRAME - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    edges = np.round(np.geomspace(150, 3800, _BANDS + 1) / _RATE * _FRAME).astype(int)
    edges = np.maximum(edges, np.arange(edges[0], edges[0] + len(edges)))  # at least one bin per band
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    levels = 10.0 * np.log10(bands + 1e-12)
    levels = np.maximum(levels, levels.max() - _FLOOR_DB)
    result: Fingerprint = (levels - levels.mean(axis=0)).astype(np.float32)
    return result


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """Correlation of two fingerprints at the best shift, -1 to 1; frames without a counterpart count as 0.

    Copies of a sentence score above 0.9, other readings below 0.9 (docs/benchmarks.md).
    """
    best = -1.0
    scale = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    if scale == 0.0:
        return 0.0
    for shift in range(-_SHIFT, _SHIFT + 1):
        left, right = one[max(0, shift) :], other[max(0, -shift) :]
        size = min(len(left), len(right))
        if size:
            best = max(best, float(np.vdot(left[:size], right[:size])) / scale)
    return best
