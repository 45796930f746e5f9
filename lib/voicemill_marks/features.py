"""What the detector compares with the code: the changes of each band of a recording, whitened and weighted.

A cell of time and frequency carries the mark as a small change of its level. Two steps make the changes of all cells
comparable. A whitening filter, computed from the recording's own autocovariance, takes out what a cell shares with its
surroundings. A weight, computed from the recording's energy, is near zero where noise covers the speech and grows as
the embedder's change does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.code import BANDS, FRAME, FRAMES_PER_WINDOW, bands_of_bins
from voicemill_marks.watermark import CHANGE_AT_MEAN, LARGEST_CHANGE

Matrix = NDArray[np.float64]
_RANGE = 70.0
"""In dB below the loudest cell, where levels end."""
_TREND_FRAMES = 125
_LARGEST_LEVEL = 25.0
"""In dB, of a cell above or below the mean of a second."""
_LARGEST_DEVIATION = 1.7
"""Of a whitened level, in standard deviations."""
_AROUND = (2, 5)
"""Bands and frames each way that the whitening filter covers."""
_PULSE_IN_TIME = np.array([0, 0.1, 0.4, 0.85, 1, 1, 1, 0.85, 0.4, 0.1, 0])
_PULSE_IN_FREQUENCY = np.array([0, 0.15, 1, 0.15, 0])
"""How the change of one cell appears in the frames of the analysis and in the bands beside it."""
_RIDGE = 0.1
_TRANSFORM = 32
"""Frames by whose multiples the filter's transforms are long, because lengths with small factors are faster."""
_NOISE_QUANTILE = 0.1
_SMOOTH_FRAMES = 9


@dataclass(frozen=True)
class Spectrogram:
    """Powers of a recording, one frame every `FRAME` seconds.

    Attributes:
        power: shape (frames, bins).
        window: samples of a frame.
        rate: in Hz.
    """

    power: NDArray[np.float32]
    window: int
    rate: int

    @classmethod
    def of(cls, samples: NDArray[np.float32], rate: int) -> Spectrogram:
        """The spectrogram of mono samples, shape (samples,); shorter ones are filled up to one frame."""
        window = FRAMES_PER_WINDOW * max(1, round(FRAME * rate))
        if len(samples) < window:
            samples = np.pad(samples, (0, window - len(samples)))
        hop = FRAME * rate
        starts = np.round(np.arange(1 + int((len(samples) - window) / hop)) * hop).astype(np.int64)
        taper = np.sqrt(np.hanning(window + 1)[:-1]).astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(samples, window)[starts]
        spectrum = np.fft.rfft(frames * taper, axis=1)
        return cls((spectrum.real**2 + spectrum.imag**2).astype(np.float32), window, rate)

    def features(self, pitch: float = 1.0) -> Matrix:
        """The whitened and weighted level of each band in each frame, shape (BANDS, frames).

        Args:
            pitch: factor by which the recording's frequencies were changed.
        """
        membership = np.eye(BANDS + 1, dtype=np.float32)[bands_of_bins(self.window, self.rate, pitch)]
        energy = (self.power @ membership).T.astype(np.float64)
        return _whitened(_levels(energy[:BANDS])) * _weights(energy[:BANDS], energy[BANDS])


def at_tempo(features: Matrix, tempo: float) -> Matrix:
    """The features of a recording as they were before its tempo was multiplied, shape (BANDS, other frames)."""
    if tempo == 1:
        return features
    moments = np.arange(int((features.shape[1] - 1) * tempo) + 1) / tempo
    first = np.minimum(moments.astype(np.int64), max(0, features.shape[1] - 2))
    share = np.minimum(moments - first, 1.0)
    after = features[:, np.minimum(first + 1, features.shape[1] - 1)]
    restored: Matrix = features[:, first] * (1 - share) + after * share
    return restored


def _levels(energy: Matrix) -> Matrix:
    """In dB, without the mean of a second, shape (BANDS, frames)."""
    floor = energy.max() * 10 ** (-_RANGE / 10) + 1e-12
    levels = 10 * np.log10(np.maximum(energy, floor))
    clipped: Matrix = np.clip(levels - _mean_of_frames(levels, _TREND_FRAMES), -_LARGEST_LEVEL, _LARGEST_LEVEL)
    return clipped


def _whitened(levels: Matrix) -> Matrix:
    """The output of the filter that finds the pulse of a cell best in levels with this autocovariance."""
    bands, frames = _AROUND
    length = -(-(levels.shape[1] + 2 * frames) // _TRANSFORM) * _TRANSFORM
    shape = (levels.shape[0] + 2 * bands, length)
    spectrum = np.fft.rfft2(levels - levels.mean(), shape)
    covariance = np.fft.irfft2(spectrum.real**2 + spectrum.imag**2, shape)
    band, frame = (grid.reshape(-1) for grid in np.mgrid[-bands : bands + 1, -frames : frames + 1])
    matrix = covariance[band[:, None] - band, frame[:, None] - frame]
    matrix[np.diag_indices(len(matrix))] += _RIDGE * covariance[0, 0] + 1e-9
    pulse = np.outer(_PULSE_IN_FREQUENCY, _PULSE_IN_TIME).reshape(-1)
    kernel = np.zeros(shape)
    kernel[band, frame] = np.linalg.solve(matrix, pulse)
    whitened = np.fft.irfft2(spectrum * np.fft.rfft2(kernel), shape)[: levels.shape[0], : levels.shape[1]]
    limit = _LARGEST_DEVIATION * whitened.std()
    return np.clip(whitened, -limit, limit)


def _weights(energy: Matrix, rest: NDArray[np.float64]) -> Matrix:
    """How much the level of each cell says about the mark, shape (BANDS, frames).

    Args:
        energy: of the bands, shape (BANDS, frames).
        rest: of all other frequencies, shape (frames,).
    """
    smooth = _mean_of_frames(energy, _SMOOTH_FRAMES)
    wide = _mean_of_bands(smooth, 5)
    noise = np.quantile(wide, _NOISE_QUANTILE, axis=1, keepdims=True)
    speech = np.clip(1 - noise / np.maximum(wide, 1e-12), 0, 1)
    own = _mean_of_bands(smooth, 3)
    own = np.maximum(own - noise, 0.01 * own) + 1e-12
    total = np.maximum(energy - noise, 0).sum(axis=0) + rest
    mean = _mean_of_frames(total[None], _SMOOTH_FRAMES) / BANDS
    change = np.minimum(LARGEST_CHANGE, CHANGE_AT_MEAN * np.sqrt(mean / own))
    return speech * np.sqrt(change)


def _mean_of_bands(values: Matrix, width: int) -> Matrix:
    """The mean over `width` bands around each one; beyond the ends the last one is repeated."""
    half = width // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    mean: Matrix = np.mean([padded[start : start + len(values)] for start in range(width)], axis=0)
    return mean


def _mean_of_frames(values: Matrix, width: int) -> Matrix:
    """The mean over `width` frames around each one, fewer at the ends."""
    sums = np.concatenate((np.zeros((len(values), 1)), np.cumsum(values, axis=1)), axis=1)
    columns = np.arange(values.shape[1])
    first, last = np.maximum(columns - width // 2, 0), np.minimum(columns + width - width // 2, values.shape[1])
    mean: Matrix = (sums[:, last] - sums[:, first]) / (last - first)
    return mean
