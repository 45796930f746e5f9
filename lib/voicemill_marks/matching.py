"""Compares the features of a window with a code: the offset of the code, the fit of each symbol, the payload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.code import BANDS, CHIP_FRAMES, PAYLOAD_BYTES, PERIOD_FRAMES, SYMBOLS, Code, checksum

_OFFSETS = 4
"""Number of best offsets of the pilot at which all symbols are compared."""


@dataclass(frozen=True)
class Match:
    """The best fit of a code.

    Attributes:
        score: sum of the squares of the correlations of the pilot and of each symbol's best value.
        symbols: the correlation of each value of each symbol, shape (SYMBOLS, 256).
    """

    score: float
    symbols: NDArray[np.float64]


def match(features: NDArray[np.float64], code: Code) -> Match:
    """The best fit of the code over all offsets.

    Args:
        features: shape (BANDS, frames).
        code: of the key.
    """
    folded, correlation = _correlate(features, code)
    best = Match(0.0, np.zeros((SYMBOLS, 256)))
    for offset in np.argsort(-correlation)[:_OFFSETS]:
        scores = code.symbol_scores(np.roll(folded, -offset, axis=1)[:, CHIP_FRAMES // 2 :: CHIP_FRAMES])
        score = float(max(correlation[offset], 0.0) ** 2 + (scores.max(axis=1) ** 2).sum())
        if score > best.score:
            best = Match(score, scores)
    return best


def pilot_fit(features: NDArray[np.float64], code: Code) -> float:
    """The largest correlation of the pilot over all offsets."""
    return float(_correlate(features, code)[1].max())


def read_payload(symbols: NDArray[np.float64]) -> bytes | None:
    """The payload with the best fit whose checksum is right, where at most one symbol is not at its best value.

    Args:
        symbols: as of a match, or a sum of them.
    """
    order = np.argsort(-symbols, axis=1)[:, :2]
    readings = [(0.0, order[:, 0])]
    for index in range(SYMBOLS):
        values = order[:, 0].copy()
        values[index] = order[index, 1]
        readings.append((float(symbols[index, order[index, 0]] - symbols[index, order[index, 1]]), values))
    for _, values in sorted(readings, key=lambda reading: reading[0]):
        data = bytes(int(value) for value in values)
        if checksum(data[:PAYLOAD_BYTES]) == data[PAYLOAD_BYTES:]:
            return data[:PAYLOAD_BYTES]
    return None


def _correlate(features: NDArray[np.float64], code: Code) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The features of all periods added, shape (BANDS, PERIOD_FRAMES), and the pilot's correlation at each offset."""
    folded = np.zeros((BANDS, PERIOD_FRAMES))
    for start in range(0, features.shape[1], PERIOD_FRAMES):
        part = features[:, start : start + PERIOD_FRAMES]
        folded[:, : part.shape[1]] += part
    signs, cells = code.pilot_spectra()
    sums = np.fft.irfft((np.fft.rfft(folded, axis=1) * signs).sum(axis=0), n=PERIOD_FRAMES)
    energy = np.fft.irfft((np.fft.rfft(folded**2, axis=1) * cells).sum(axis=0), n=PERIOD_FRAMES)
    return folded, sums / np.sqrt(np.maximum(energy, 1e-9))
