"""A recording that is read piece by piece, so that memory does not grow with its length."""

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
"""Length of what `blocks` gives at a time."""


class Waveform(Protocol):
    """Mono samples at `rate` Hz, wherever they are."""

    @property
    def rate(self) -> int:
        """Hz."""

    @property
    def seconds(self) -> float:
        """Length."""

    def read(self, start: float, end: float) -> Samples:
        """The samples between two times (seconds); what lies beyond the recording is left out."""

    def blocks(self) -> Iterator[Samples]:
        """All samples in order, some seconds at a time."""


@dataclass(frozen=True, eq=False)
class MemoryWaveform:
    """Samples (n,) that are there already."""

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
    """Decoded mono files of one rate, one after the other, with `gap` seconds of silence between them."""

    paths: tuple[Path, ...]
    gap: float = 0.0

    @functools.cached_property
    def _layout(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Rate, first sample of each file in the whole, and its length in samples."""
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
        """Second at which each file begins."""
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
    """The samples between two times (seconds), at another rate."""
    return decode.resample(waveform.read(start, end), waveform.rate, rate)


def blocks_at(waveform: Waveform, rate: int) -> Iterator[Samples]:
    """All samples in order at another rate."""
    with decode.resampler(waveform.rate, rate) as convert:
        for block in waveform.blocks():
            yield convert(block, False)
        yield convert(np.zeros(0, dtype=np.float32), True)


def digest(waveform: Waveform) -> str:
    """sha256 over rate and samples; of a file only what is heard counts, not its header."""
    found = hashlib.sha256(str(waveform.rate).encode())
    for block in waveform.blocks():
        found.update(np.ascontiguousarray(block, dtype="<f4").tobytes())
    return found.hexdigest()
