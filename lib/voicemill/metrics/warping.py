"""Dynamic time warping: the pairing of the frames of two utterances (Sakoe and Chiba, 1978)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError

MAX_CELLS = 64_000_000
"""Largest cost matrix, about half a gigabyte: two utterances of 90 s at 86 frames a second."""


def warping_path(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.intp]:
    """The cheapest monotonic pairing of two feature sequences, first frame with first and last with last.

    The local cost is the Euclidean distance; the steps (1, 1), (1, 0) and (0, 1) have equal weight (symmetric1), as is
    usual for mel-cepstral distortion.

    Args:
        first: features, (frames, coefficients).
        second: features, (other frames, the same coefficients).

    Returns:
        (steps, 2) pairs of frame indices, increasing.

    Raises:
        NotMeasurableError: one is empty, the two do not match, or they are too long to compare.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise NotMeasurableError(f"Feature shapes {first.shape} and {second.shape} cannot be compared.")
    if not len(first) or not len(second):
        raise NotMeasurableError("There is no frame to compare.")
    if len(first) * len(second) > MAX_CELLS:
        raise NotMeasurableError(
            f"{len(first)} and {len(second)} frames are too many to align.",
            hint="Compare single sentences instead of whole recordings.",
        )
    return _trace_back(_accumulate(_distances(first, second)))


def _distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean distance of every pair, (frames, other frames), without a (frames, frames, coefficients) array."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float64)


def _accumulate(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost of the cheapest path to each cell, with a border of infinity; one vector operation per anti-diagonal."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        predecessors = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j])
        total[i + 1, j + 1] = cost[i, j] + predecessors
    return total


def _trace_back(total: NDArray[np.float64]) -> NDArray[np.intp]:
    i, j = total.shape[0] - 1, total.shape[1] - 1
    pairs = [(i - 1, j - 1)]
    while i > 1 or j > 1:
        # Ties go to the diagonal, so that equal sequences pair frame by frame.
        _, i, j = min(
            (total[i - 1, j - 1], i - 1, j - 1),
            (total[i - 1, j], i - 1, j),
            (total[i, j - 1], i, j - 1),
            key=lambda step: step[0],
        )
        pairs.append((i - 1, j - 1))
    return np.array(pairs[::-1], dtype=np.intp)
