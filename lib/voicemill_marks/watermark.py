"""The watermark's embedder: raises or lowers each cell of time and frequency by up to 4 dB, as the code says.

A cell with a larger share of its frame's energy changes less, so the change stays about 26 dB below the speech in every
frame, and quiet cells, which the loud ones mask, carry most of the mark.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.code import (
    BANDS,
    CHIPS,
    CHIPS_PER_SECOND,
    FRAME,
    FRAMES_PER_WINDOW,
    PAYLOAD_BYTES,
    PUBLIC_KEY,
    bands_of_bins,
    code_of,
)

Samples = NDArray[np.float32]
_LOGARITHM_OF_A_DECIBEL = np.float32(np.log(10) / 20)
LARGEST_CHANGE = 4.0
"""Of a cell, in dB."""
CHANGE_AT_MEAN = 0.85
"""In dB, of a cell that has the mean energy of its frame's cells."""


@lru_cache(maxsize=32)
def _signs(payload: bytes, key: bytes) -> Samples:
    """The sign of each band in each chip, shape (CHIPS, BANDS + 1); 0 in the last column, all other frequencies."""
    signs = np.zeros((CHIPS, BANDS + 1), dtype=np.float32)
    signs[:, :BANDS] = code_of(key).pattern(payload).T
    return signs


class Watermark:
    """The watermark of a stream of speech: mark its parts one after the other."""

    def __init__(self, rate: int, payload: bytes, key: bytes = PUBLIC_KEY) -> None:
        """The mark of a payload.

        Args:
            rate: of the samples, in Hz.
            payload: four bytes.
            key: whose holders can detect the mark.
        """
        if len(payload) != PAYLOAD_BYTES:
            raise ValueError(f"the payload has {len(payload)} bytes, not {PAYLOAD_BYTES}")
        self._rate = rate
        self._signs = _signs(payload, key)
        self._hop = max(1, round(FRAME * rate))
        self._window = FRAMES_PER_WINDOW * self._hop
        self._taper = np.sqrt(np.hanning(self._window + 1)[:-1]).astype(np.float32)
        self._band = bands_of_bins(self._window, rate)
        self._membership = np.eye(BANDS + 1, dtype=np.float32)[self._band]
        self._position = 0

    def mark(self, samples: Samples) -> Samples:
        """The next samples of the stream with the mark in them, shape (samples,); silence stays silence."""
        start, self._position = self._position, self._position + len(samples)
        if not samples.any():
            return samples
        padded = np.pad(samples.astype(np.float32), (self._window, 2 * self._window))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._window)[:: self._hop]
        spectrum = np.fft.rfft(frames * self._taper, axis=1).astype(np.complex64, copy=False)
        centres = np.arange(len(frames)) * self._hop - self._window // 2 + start
        chips = centres * CHIPS_PER_SECOND // self._rate % CHIPS
        gain = np.exp(self._signs[chips] * self._change(spectrum) * _LOGARITHM_OF_A_DECIBEL)
        spectrum *= gain[:, self._band]
        changed = np.fft.irfft(spectrum, n=self._window, axis=1).astype(np.float32, copy=False) * self._taper
        return self._overlap_add(changed, len(padded))[self._window : self._window + len(samples)]

    def _change(self, spectrum: NDArray[np.complex64]) -> Samples:
        """The change of each band in each frame in dB, shape (frames, BANDS + 1); the last is all other frequencies."""
        energy = (spectrum.real**2 + spectrum.imag**2) @ self._membership
        energy = (energy + np.roll(energy, 1, axis=0) + np.roll(energy, -1, axis=0)) / 3 + np.float32(1e-12)
        mean = energy.sum(axis=1, keepdims=True) / BANDS
        change: Samples = np.minimum(LARGEST_CHANGE, CHANGE_AT_MEAN * np.sqrt(mean / energy))
        return change

    def _overlap_add(self, frames: Samples, length: int) -> Samples:
        """Windowed frames, shape (frames, window), as one signal, divided by the sum of the squared windows."""
        total, weight = np.zeros(length, dtype=np.float32), np.zeros(length, dtype=np.float32)
        for phase in range(FRAMES_PER_WINDOW):
            part = frames[phase::FRAMES_PER_WINDOW].reshape(-1)
            start = phase * self._hop
            total[start : start + part.size] += part
            weight[start : start + part.size] += np.tile(self._taper**2, part.size // self._window)
        found: Samples = (total / np.maximum(weight, 1e-6)).astype(np.float32, copy=False)
        return found
