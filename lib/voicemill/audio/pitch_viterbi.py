"""The Viterbi search of `pitch`: the best path through voiced and unvoiced pitch states, exact, in a band.

States 0 to n-1 are voiced pitch bins, n to 2n-1 unvoiced ones. Values are log probabilities. `TINY` is the logarithm of
the smallest normal float, which librosa adds to every probability, so a forbidden transition costs about 708 and not
infinity.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).tiny)
TINY = float(np.log(_EPSILON))
SWITCH = 0.01
"""Probability of changing between voiced and unvoiced from one frame to the next (librosa's default)."""
_MARGIN = 1.0
"""Added to bounds, far above the rounding of sums of this size."""
_BLOCK = 2048
"""Frames whose values are kept at a time (24 s at a hop of 256 samples); longer recordings take two passes."""


@dataclass(frozen=True, eq=False)
class Observation:
    """The non-zero observation probabilities of a recording.

    Attributes:
        frame: frame of each candidate, ascending, shape (c,).
        bin: its pitch bin, ascending within a frame, shape (c,).
        probability: shape (c,).
        unvoiced: probability of each of the unvoiced states of a frame, shape (frames,).
    """

    frame: npt.NDArray[np.intp]
    bin: npt.NDArray[np.intp]
    probability: Floats
    unvoiced: Floats

    @classmethod
    def join(cls, parts: list[Observation], bins: int) -> Observation:
        """Blocks of frames, one after the other."""
        offsets = np.cumsum([0] + [len(part.unvoiced) for part in parts])
        return cls(
            frame=np.concatenate([part.frame + offset for part, offset in zip(parts, offsets, strict=False)]),
            bin=np.concatenate([part.bin for part in parts]),
            probability=np.concatenate([part.probability for part in parts]),
            unvoiced=np.concatenate([part.unvoiced for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class Transitions:
    """Log probabilities of transitions by at most `half` bins; -inf outside the range of bins.

    Attributes:
        bins: number of pitch bins n.
        half: half the width of the band.
        into: [same or other voicing, d, j]: from bin j + d - half into bin j. Shape (2, 2 half + 1, n).
        out_of: [k, d]: from voiced bin k into unvoiced bin k + d - half, or the other way round. Shape (n, 2 half + 1).
        arriving: [voicing of the target, j, voicing of the source, d]: `into`, laid out so that all transitions into
            one state are adjacent, in the order of the source states. Shape (2, n, 2, 2 half + 1).
        floor: the smallest centre of the band: no state is harder to reach than this from its own bin.
    """

    bins: int
    half: int
    into: Floats
    out_of: Floats
    arriving: Floats
    floor: float


@functools.lru_cache(maxsize=4)
def transitions(bins: int, width: int) -> Transitions:
    """Triangular transitions within `width` bins, normalised per source bin, times 0.99 for the same voicing.

    Args:
        bins: number of pitch bins, at least 2.
        width: an odd number of bins.
    """
    half = width // 2
    triangle = (half + 1 - np.abs(np.arange(-half, half + 1))) / (half + 1)
    target = np.arange(bins)[:, None] + np.arange(-half, half + 1)
    inside = (target >= 0) & (target < bins)
    # sums over whole rows, because the order of additions decides the last bit
    whole = np.zeros((bins, bins))
    whole[np.nonzero(inside)[0], target[inside]] = np.broadcast_to(triangle, target.shape)[inside]
    local = np.where(inside, triangle, 0.0) / whole.sum(axis=1, keepdims=True)
    out_of = np.stack([np.log(factor * local + _EPSILON) for factor in (1 - SWITCH, 1 - (1 - SWITCH))])
    out_of[:, ~inside] = -np.inf
    into = np.full((2, 2 * half + 1, bins), -np.inf)
    for step in range(2 * half + 1):
        source = np.arange(bins) + step - half
        there = (source >= 0) & (source < bins)
        into[:, step, there] = out_of[:, source[there], 2 * half - step]
    same, other = into[0].T, into[1].T
    arriving = np.stack([np.stack([same, other], axis=1), np.stack([other, same], axis=1)])
    return Transitions(
        bins=bins, half=half, into=into, out_of=out_of[1], arriving=arriving, floor=float(out_of[:, :, half].min())
    )


def decode(observation: Observation, moves: Transitions) -> npt.NDArray[np.intp]:
    """The most probable state of each frame, ties broken towards the lower state, as a dense search would.

    Args:
        observation: of t frames.
        moves: transition probabilities.

    Returns:
        (t,) states.
    """
    frames = len(observation.unvoiced)
    firsts = range(0, frames, _BLOCK)
    search = _Search(observation, moves, min(_BLOCK, frames))
    entries: list[Floats] = []
    for first in firsts:
        search.forward(first, min(first + _BLOCK, frames), entries[-1] if entries else None)
        entries.append(search.values[min(_BLOCK, frames - first)].copy())
    states = np.empty(frames, dtype=np.intp)
    states[-1] = search.final(frames - firsts[-1])
    for index in reversed(range(len(firsts))):
        first, last = firsts[index], min(firsts[index] + _BLOCK, frames)
        if last < frames:  # the next block has overwritten the values of this one
            search.forward(first, last, entries[index - 1] if index else None)
            states[last - 1] = search.predecessor(last - first, int(states[last]))
        for frame in range(last - 2, first - 1, -1):
            states[frame] = search.predecessor(frame - first + 1, int(states[frame + 1]))
    return states


class _Search:
    """Forward values of a block of frames, row 0 being the frame before the block.

    `values[row, voicing]` has `half` entries of -inf on both sides, so that the band of every state is a plain window.
    """

    def __init__(self, observation: Observation, moves: Transitions, rows: int) -> None:
        n, half = moves.bins, moves.half
        width = 2 * half + 1
        self.moves = moves
        self.bins = observation.bin
        self.starts = np.searchsorted(observation.frame, np.arange(len(observation.unvoiced) + 1)).tolist()
        self.log_candidates = np.log(observation.probability + _EPSILON)
        self.log_unvoiced = np.log(observation.unvoiced + _EPSILON).tolist()
        self.values = np.full((rows + 1, 2, n + 2 * half), -np.inf)
        row, voicing, one = self.values.strides
        view = np.lib.stride_tricks.as_strided
        self.windows = view(self.values, (rows + 1, 2, width, n), (row, voicing, one, one))  # [row, voicing, d, j]
        self.bands = view(self.values, (rows + 1, n, 2, width), (row, one, voicing, one))  # [row, j, voicing, d]
        self.complete = [False] * (rows + 1)
        self.buffer = np.empty((width, n))
        self.band = np.arange(width)

    def forward(self, first: int, last: int, before: Floats | None) -> None:
        """Compute the values of frames `first` to `last`, given those of the frame before (None at the start)."""
        n, half = self.moves.bins, self.moves.half
        inner = self.values[:, :, half : half + n]
        row = 1
        if before is None:
            start = np.log(np.ones(2 * n) / (2 * n) + _EPSILON)
            inner[1, 0] = self._voiced_observation(first) + start[:n]
            inner[1, 1] = self.log_unvoiced[first] + start[n:]
            self.complete[1] = True
            row = 2
        else:
            self.values[0] = before
            self.complete[0] = bool(np.isfinite(inner[0, 0]).all())
        for index in range(row, last - first + 1):
            self._step(index, first + index - 1, inner[index, 0], inner[index, 1])

    def _step(self, row: int, frame: int, voiced: Floats, unvoiced: Floats) -> None:
        moves = self.moves
        best = float(self.values[row - 1].max())
        anywhere = best + TINY
        np.add(self.windows[row - 1, 1], moves.into[0], out=self.buffer)
        np.maximum.reduce(self.buffer, axis=0, out=unvoiced)
        if self.complete[row - 1]:
            np.add(self.windows[row - 1, 0], moves.into[1], out=self.buffer)
            np.maximum(unvoiced, self.buffer.max(axis=0), out=unvoiced)
        else:
            self._raise_by_candidates(row, frame - 1)
        np.maximum(unvoiced, anywhere, out=unvoiced)
        unvoiced += self.log_unvoiced[frame]

        # The value of a voiced state without a candidate is at most best + TINY. If every unvoiced state, one step
        # later, still gives its own bin a higher value, such a state is on no best path and stays -inf.
        self.complete[row] = not best + TINY + _MARGIN < float(unvoiced.min()) + moves.floor
        if self.complete[row]:
            np.add(self.windows[row - 1, 1], moves.into[1], out=self.buffer)
            np.maximum.reduce(self.buffer, axis=0, out=voiced)
            np.add(self.windows[row - 1, 0], moves.into[0], out=self.buffer)
            np.maximum(voiced, self.buffer.max(axis=0), out=voiced)
            np.maximum(voiced, anywhere, out=voiced)
            voiced += self._voiced_observation(frame)
            return
        voiced.fill(-np.inf)
        part = slice(self.starts[frame], self.starts[frame + 1])
        bins = self.bins[part]
        if len(bins):
            reached = (self.bands[row - 1][bins] + moves.arriving[0][bins]).reshape(len(bins), -1).max(axis=1)
            voiced[bins] = np.maximum(reached, anywhere) + self.log_candidates[part]

    def _raise_by_candidates(self, row: int, frame_before: int) -> None:
        """Raise the unvoiced values of `row` to those reached from the voiced candidates of the frame before."""
        half = self.moves.half
        sources = self.bins[self.starts[frame_before] : self.starts[frame_before + 1]]
        if not len(sources):
            return
        reached = self.values[row - 1, 0, half + sources, None] + self.moves.out_of[sources]
        padded = self.values[row, 1]
        # the padding stays -inf, because no transition leaves the range
        np.maximum.at(padded, sources[:, None] + self.band, reached)

    def _voiced_observation(self, frame: int) -> Floats:
        dense = np.full(self.moves.bins, TINY)
        part = slice(self.starts[frame], self.starts[frame + 1])
        dense[self.bins[part]] = self.log_candidates[part]
        return dense

    def final(self, row: int) -> int:
        """The best state of a row."""
        n, half = self.moves.bins, self.moves.half
        return int(np.argmax(self.values[row, :, half : half + n]))

    def predecessor(self, row: int, state: int) -> int:
        """The lowest of the best predecessors in `row` of `state` in the next row."""
        n, half = self.moves.bins, self.moves.half
        voicing, target = divmod(state, n)
        reached = self.bands[row, target] + self.moves.arriving[voicing, target]
        index = int(np.argmax(reached))
        source, step = divmod(index, 2 * half + 1)
        anywhere = float(self.values[row].max()) + TINY
        if reached[source, step] > anywhere:
            return source * n + target + step - half
        everything = self.values[row, :, half : half + n] + TINY
        low, high = max(0, target - half), min(n, target + half + 1)
        everything[:, low:high] = reached[:, low - target + half : high - target + half]
        return int(np.argmax(everything))
