"""Short-time RMS levels, and the level envelope of a recording, which decides where utterances are cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.audio.waveform import MemoryWaveform, Waveform

FRAME_SECONDS = 0.02
"""Analysis frame, long enough for a pitch period of 50 Hz."""
FLOOR_DB = -120.0
"""Level of digital silence (dBFS), so that all values are finite and can be written as JSON."""
STEP = 0.005
"""Seconds between two points."""
_SMOOTH = 5
"""Points averaged (25 ms), so that a zero crossing inside a word does not look like a pause."""

_SILENT = -100.0
"""dBFS; quieter points are digital silence."""


@dataclass(frozen=True, eq=False)
class LevelEnvelope:
    """Level (dBFS) of the 25 ms around each point; point i is at (i + 0.5) * step seconds.

    Attributes:
        values: (points,) dBFS.
        step: seconds from point to point, about 5 ms.
        seconds: length of the recording.
    """

    values: npt.NDArray[np.float64]
    step: float
    seconds: float

    @classmethod
    def of(cls, samples: npt.NDArray[np.float32], rate: int) -> LevelEnvelope:
        """Levels of samples (n,) at `rate` Hz."""
        return cls.of_waveform(MemoryWaveform(samples, rate))

    @classmethod
    def of_waveform(cls, waveform: Waveform) -> LevelEnvelope:
        """Levels of a recording, read block by block."""
        size = max(1, round(STEP * waveform.rate))  # whole samples: 5 ms are 110.25 of them at 22,050 Hz
        waiting, found, length = np.zeros(0, dtype=np.float32), [], 0
        for block in waveform.blocks():
            length += len(block)
            waiting = np.concatenate((waiting, block))
            whole = len(waiting) // size * size
            found.append(frame_levels(waiting[:whole], waveform.rate, STEP))
            waiting = waiting[whole:]
        found.append(frame_levels(waiting, waveform.rate, STEP))
        return cls(_smooth(np.concatenate(found)), size / waveform.rate, length / waveform.rate)

    def loud_level(self) -> float | None:
        """Level (dBFS) of the loud parts: the mean power without what is 10 dB below it; None for digital silence."""
        power = 10.0 ** (self.values[self.values > _SILENT] / 10.0)
        if power.size == 0:
            return None
        return 10.0 * math.log10(float(power[power >= 0.1 * power.mean()].mean()))

    def between(self, low: float, high: float) -> tuple[npt.NDArray[np.float64], float]:
        """The levels of the points in [low, high] seconds, and the time of the first of them."""
        first = max(0, math.ceil(low / self.step - 0.5))
        last = max(first, math.floor(high / self.step - 0.5) + 1)
        return self.values[first:last], (first + 0.5) * self.step

    def quietest(self, low: float, high: float) -> tuple[float, float] | None:
        """Time and level (dBFS) of the quietest point in [low, high]; None if there is no point."""
        window, first = self.between(low, high)
        if window.size == 0:
            return None
        index = int(np.argmin(window))
        return float(np.clip(first + index * self.step, low, high)), float(window[index])


def frame_levels(
    samples: npt.NDArray[np.float32], rate: int, seconds: float = FRAME_SECONDS
) -> npt.NDArray[np.float64]:
    """RMS level of each consecutive frame.

    Args:
        samples: mono samples (n,).
        rate: sample rate (Hz).
        seconds: frame length; frames do not overlap, and the last one may be shorter.

    Returns:
        (ceil(n / frame),) levels in dBFS, -120 for digital silence.
    """
    size = max(1, round(seconds * rate))
    count = -(-len(samples) // size)
    padded = np.zeros(count * size, dtype=np.float64)
    padded[: len(samples)] = samples
    lengths = np.full(count, size)
    if count:
        lengths[-1] = len(samples) - (count - 1) * size
    power = np.square(padded).reshape(count, size).sum(axis=1) / lengths
    levels: npt.NDArray[np.float64] = 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))
    return levels


def _smooth(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if levels.size < _SMOOTH:
        return levels
    power = np.pad(10.0 ** (levels / 10.0), _SMOOTH // 2, mode="edge")
    smoothed: npt.NDArray[np.float64] = np.convolve(power, np.full(_SMOOTH, 1.0 / _SMOOTH), mode="valid")
    return 10.0 * np.log10(smoothed)
