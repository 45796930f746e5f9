"""Waveforms: recordings that are read in parts, so that memory does not grow with their length."""

from __future__ import annotations

import bisect
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from voicemill.audio import decode

Samples = npt.NDArray[np.float32]

BLOCK_SECONDS = 10.0
"""Length of the blocks that `blocks` yields."""


class Waveform(Protocol):
    """Mono samples at `rate` Hz, in memory or in files."""

    @property
    def rate(self) -> int:
        """Sample rate (Hz)."""

    @property
    def seconds(self) -> float:
        """Length (seconds)."""

    def read(self, start: float, end: float) -> Samples:
        """The samples between two times (seconds), clipped to the recording."""

    def blocks(self) -> Iterator[Samples]:
        """All samples in order, in blocks of some seconds."""


@dataclass(frozen=True, eq=False)
class MemoryWaveform:
    """Samples (n,) in memory."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def read(self, start: float, end: float) -> Samples:
        """See `Waveform.read`."""
        return self.samples[max(0, round(start * self.rate)) : max(0, round(end * self.rate))]

    def blocks(self) -> Iterator[Samples]:
        """See `Waveform.blocks`."""
        size = round(BLOCK_SECONDS * self.rate)
        for first in range(0, len(self.samples), size):
            yield self.samples[first : first + size]


@dataclass(frozen=True)
class FileWaveform:
    """Decoded mono files of one sample rate, concatenated with `gap` seconds of silence between them."""

    paths: tuple[Path, ...]
    gap: float = 0.0

    @functools.cached_property
    def _layout(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Sample rate, position of each file in samples, and its length in samples."""
        import soundfile

        rate, position, starts, lengths = 0, 0, [], []
        for path in self.paths:
            info = soundfile.info(path)
            if info.channels != 1 or (rate and info.samplerate != rate):
                raise ValueError(f"{path.name} is not mono at {rate} Hz")
            rate = int(info.samplerate)
            starts.append(position)
            lengths.append(int(info.frames))
            position += int(info.frames) + round(self.gap * rate)
        return rate, tuple(starts), tuple(lengths)

    @property
    def rate(self) -> int:
        return self._layout[0]

    @property
    def starts(self) -> list[float]:
        """Start of each file (seconds)."""
        return [start / self.rate for start in self._layout[1]]

    @property
    def seconds(self) -> float:
        _, starts, lengths = self._layout
        return (starts[-1] + lengths[-1]) / self.rate

    def read(self, start: float, end: float) -> Samples:
        """See `Waveform.read`."""
        import soundfile

        rate, starts, lengths = self._layout
        first, last = max(0, round(start * rate)), min(starts[-1] + lengths[-1], round(end * rate))
        result = np.zeros(max(0, last - first), dtype=np.float32)
        index = max(0, bisect.bisect_right(starts, first) - 1)
        for path, begin, length in zip(self.paths[index:], starts[index:], lengths[index:], strict=True):
            low, high = max(first, begin), min(last, begin + length)
            if begin >= last:
                break
            if low < high:
                with soundfile.SoundFile(path) as source:
                    source.seek(low - begin)
                    result[low - first : high - first] = source.read(high - low, dtype="float32")
        return result

    def blocks(self) -> Iterator[Samples]:
        """See `Waveform.blocks`."""
        import soundfile

        rate = self.rate
        for index, path in enumerate(self.paths):
            if index and self.gap:
                yield np.zeros(round(self.gap * rate), dtype=np.float32)
            with soundfile.SoundFile(path) as source:
                yield from source.blocks(round(BLOCK_SECONDS * rate), dtype="float32")


def excerpt(waveform: Waveform, start: float, end: float, rate: int) -> Samples:
    """The samples between two times (seconds), resampled to `rate` Hz."""
    return decode.resample(waveform.read(start, end), waveform.rate, rate)


def digest(waveform: Waveform) -> str:
    """sha256 over the sample rate and the samples, without the headers of files."""
    found = hashlib.sha256(str(waveform.rate).encode())
    for block in waveform.blocks():
        found.update(np.ascontiguousarray(block, dtype="<f4").tobytes())
    return found.hexdigest()
