"""The code of the watermark: which cells of time and frequency carry which symbol, and with which sign.

The signal is divided into bands of 125 Hz and chips of 40 ms. A period has 60 bands and 72 chips; a key assigns each
of its 4320 cells to the pilot or to one of five symbols. A symbol is a byte: seven bits choose a row of a Hadamard
matrix and one bit its sign (a biorthogonal code), so a receiver compares all 256 values at once. Four bytes are the
payload and the fifth is its checksum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FRAME = 0.008
"""Seconds between two frames of the analysis."""
FRAMES_PER_WINDOW = 4
CHIP_FRAMES = 5
CHIPS = 72
CHIPS_PER_SECOND = 25
PERIOD_FRAMES = CHIPS * CHIP_FRAMES
"""Frames after which the code repeats: 2.88 s."""
LOWEST_BAND = 250.0
BAND_WIDTH = 125.0
BANDS = 60
"""From 250 to 7750 Hz. A recording at 8 kHz keeps the lower 30."""
SYMBOLS = 5
PAYLOAD_BYTES = SYMBOLS - 1
PUBLIC_KEY = b"voicemill watermark 1"
"""The key of every voice unless its operator chooses another, so that anyone can detect the mark."""
_ORDER = 128
_PILOT_SHARE = 4


@dataclass(frozen=True, eq=False)
class Code:
    """The cells of a key.

    Attributes:
        signs: -1 or 1, shape (BANDS * CHIPS,).
        symbol: index of the symbol of each cell, -1 for the pilot; same shape.
        element: column of the Hadamard matrix of each cell; same shape.
    """

    signs: NDArray[np.float64]
    symbol: NDArray[np.int64]
    element: NDArray[np.int64]

    def pattern(self, payload: bytes) -> NDArray[np.float64]:
        """The sign of every cell for a payload of four bytes, shape (BANDS, CHIPS)."""
        signs = self.signs.copy()
        for index, value in enumerate(payload + checksum(payload)):
            cells = self.symbol == index
            signs[cells] *= hadamard()[value & 127, self.element[cells]] * (1 if value < _ORDER else -1)
        return signs.reshape(BANDS, CHIPS)

    def pilot(self) -> NDArray[np.float64]:
        """The signs of the pilot's cells and zero elsewhere, shape (BANDS, CHIPS)."""
        return np.where(self.symbol < 0, self.signs, 0.0).reshape(BANDS, CHIPS)

    def symbol_scores(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """How well each value of each symbol fits the cells of one period.

        Args:
            cells: shape (BANDS, CHIPS), of mean zero.

        Returns:
            shape (SYMBOLS, 256), of variance 1 without a mark.
        """
        signed = cells.reshape(-1) * self.signs
        place = (self.symbol + 1) * _ORDER + self.element
        elements = np.bincount(place, weights=signed, minlength=(SYMBOLS + 1) * _ORDER).reshape(-1, _ORDER)[1:]
        energy = np.bincount(self.symbol + 1, weights=signed**2, minlength=SYMBOLS + 1)[1:]
        rows = elements @ hadamard() / (np.sqrt(energy)[:, None] + 1e-9)
        return np.concatenate((rows, -rows), axis=1)

    def pilot_spectra(self) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """For a correlation over all offsets: of the pilot's signs and of its cells, shape (BANDS, frequencies)."""
        return _pilot_spectra(self)


@lru_cache(maxsize=32)
def code_of(key: bytes) -> Code:
    """The cells that a key assigns."""
    seed = int.from_bytes(hashlib.sha256(key).digest()[:16], "big")
    random = np.random.Generator(np.random.PCG64(seed))
    count = BANDS * CHIPS
    shuffled = random.permutation(count)
    signs = np.where(random.integers(0, 2, count) == 1, 1.0, -1.0)
    symbol, element = np.full(count, -1), np.zeros(count, dtype=np.int64)
    carriers = shuffled[count // _PILOT_SHARE :]
    symbol[carriers] = np.arange(carriers.size) % SYMBOLS
    element[carriers] = np.arange(carriers.size) // SYMBOLS % _ORDER
    return Code(signs, symbol, element)


@lru_cache(maxsize=32)
def _pilot_spectra(code: Code) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    frames = np.zeros((BANDS, PERIOD_FRAMES))
    frames[:, CHIP_FRAMES // 2 :: CHIP_FRAMES] = code.pilot()
    return np.fft.rfft(frames, axis=1).conj(), np.fft.rfft(np.abs(frames), axis=1).conj()


@lru_cache(maxsize=1)
def hadamard() -> NDArray[np.float64]:
    """Sylvester's Hadamard matrix, shape (128, 128)."""
    matrix = np.ones((1, 1))
    while len(matrix) < _ORDER:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def bands_of_bins(window: int, rate: int, pitch: float = 1.0) -> NDArray[np.int64]:
    """The band of each bin of a spectrum, shape (window // 2 + 1,); `BANDS` for bins outside all bands.

    Args:
        window: samples of the window.
        rate: in Hz.
        pitch: factor by which the frequencies were changed.
    """
    frequencies = np.arange(window // 2 + 1) * rate / window / pitch
    bands = np.floor((frequencies - LOWEST_BAND) / BAND_WIDTH).astype(np.int64)
    return np.where((bands < 0) | (bands >= BANDS), BANDS, bands)


def checksum(payload: bytes) -> bytes:
    """One byte by which the detector rejects a payload that it read by chance."""
    return hashlib.sha256(payload).digest()[:1]
