"""F0 by the probabilistic YIN of Mauch and Dixon, frame for frame what `librosa.pyin` returns, many times faster.

NeMo's `TTSDataset` computes pitch with `librosa.pyin(y, fmin=, fmax=, frame_length=, sr=, fill_na=0)` at about the
speed of the recording. It spends the time in a dense Viterbi search over some 1200 states (pitch bins of a tenth of a
semitone, voiced and unvoiced). Here the same search is exact, with less work:

- Transitions outside a band of some 50 bins all have the same probability (librosa adds the smallest float, not zero),
  so one global candidate represents all of them.
- Most voiced states of a frame have the observation probability 0. They are skipped if a bound proves that none of
  them can be on a best path (`pitch_viterbi`).
- Values are kept instead of back pointers; the arg max is computed only along the best path.

The arithmetic keeps librosa's order of operations and its float32, so the frames are identical; a test compares the
two. It is vectorised numpy: numba's compilation would cost more time than it saves on a recording of some minutes.

Sources: M. Mauch, S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold distributions",
ICASSP 2014; A. de Cheveigné, H. Kawahara, "YIN", JASA 111(4), 2002; the parameters are librosa's defaults.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.audio import device, pitch_viterbi

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]

FRAME_LENGTH = 1024
"""Default analysis frame (samples): NeMo's window at 22,050 Hz, 46 ms."""

_THRESHOLDS = 100
_BOLTZMANN = 2.0
_NO_TROUGH = 0.01
_BINS_PER_SEMITONE = 10
_MAX_TRANSITION_RATE = 35.92  # octaves per second
_SURELY_VOICED = 0.2
_BLOCK = 512
"""Frames per block of the difference function, which bounds the memory; a block fits the processor's cache."""


@dataclass(frozen=True, eq=False)
class Pitch:
    """One value per frame; frame i is centred on sample i * hop_length.

    Attributes:
        f0: Hz, shape (frames,), float64; 0 where unvoiced.
        voiced: shape (frames,), bool.
        probability: probability that the frame is voiced, shape (frames,), float64.
    """

    f0: Floats
    voiced: npt.NDArray[np.bool_]
    probability: Floats


def pyin(
    samples: Samples,
    *,
    sample_rate: int,
    fmin: float,
    fmax: float,
    frame_length: int = FRAME_LENGTH,
    hop_length: int | None = None,
    on: str = device.CPU,
) -> Pitch:
    """Pitch of a mono recording.

    Args:
        samples: finite samples (n,), n at least 1.
        sample_rate: Hz.
        fmin: lowest pitch (Hz); two periods of it must fit into a frame.
        fmax: highest pitch (Hz), at most half the sample rate.
        frame_length: analysis frame (samples).
        hop_length: samples from frame to frame; a quarter of the frame by default.
        on: torch device for the difference function; numpy computes it on the CPU.

    Returns:
        n // hop_length + 1 frames.

    Raises:
        ValueError: the range is invalid for this rate and frame length, or there are no samples.
    """
    hop = hop_length or frame_length // 4
    _check(samples, sample_rate, fmin, fmax, frame_length, hop)
    bins = math.floor(12 * _BINS_PER_SEMITONE * np.log2(fmax / fmin)) + 1
    min_period = math.floor(sample_rate / fmax)
    max_period = min(math.ceil(sample_rate / fmin), frame_length - 1)
    padded = np.pad(samples, frame_length // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length)[::hop]

    blocks = (frames[first : first + _BLOCK] for first in range(0, len(frames), _BLOCK))
    differences: Iterator[npt.NDArray[np.floating]]
    if on == device.CPU:
        differences = (difference(block, min_period, max_period) for block in blocks)
    else:
        differences = iter((device.difference(frames, min_period, max_period, on),))
    found = [_observe(yin, sample_rate, fmin, min_period, bins) for yin in differences]
    observation = pitch_viterbi.Observation.join([part for part, _ in found], bins)
    probability = np.concatenate([part for _, part in found])
    width = round(_MAX_TRANSITION_RATE * 12 * hop / sample_rate) * _BINS_PER_SEMITONE + 1
    states = pitch_viterbi.decode(observation, pitch_viterbi.transitions(bins, width))
    voiced = states < bins
    f0 = (fmin * 2 ** (np.arange(bins) / (12 * _BINS_PER_SEMITONE)))[states % bins]
    f0[~voiced] = 0.0
    return Pitch(f0=f0, voiced=voiced, probability=probability)


@dataclass(frozen=True, eq=False)
class RangePart:
    """Samples (n,) at `rate` Hz, a part of what a speaker's pitch range is taken from."""

    samples: Samples
    rate: int

    @property
    def frame(self) -> int:
        """Length of a frame (samples), about 46 ms."""
        return 1 << max(6, round(math.log2(self.rate * 0.046)))

    @property
    def widest(self) -> tuple[float, float]:
        """Lowest and highest pitch (Hz) that is looked for."""
        return max(50.0, math.ceil(2 * self.rate / self.frame) + 1.0), min(800.0, self.rate / 2)

    def voiced(self) -> Floats:
        """Pitch (Hz) of the frames that are certainly voiced, every 23 ms."""
        low, high = self.widest
        found = pyin(
            self.samples,
            sample_rate=self.rate,
            fmin=low,
            fmax=high,
            frame_length=self.frame,
            hop_length=self.frame // 2,
        )
        return found.f0[found.voiced & (found.probability > _SURELY_VOICED)]


def _in_order(function: Callable[[RangePart], Floats], parts: Sequence[RangePart]) -> list[Floats]:
    return [function(part) for part in parts]


def range_of(
    samples: Samples,
    rate: int,
    *,
    seconds: float = 60.0,
    run: Callable[[Callable[[RangePart], Floats], Sequence[RangePart]], Sequence[Floats]] = _in_order,
) -> tuple[float, float]:
    """A speaker's own pitch range, from a first pass over a wide one.

    A narrow range avoids octave errors and is faster. The rule is three quarters of the first quartile to one and a
    half times the third (D. Hirst, "The analysis by synthesis of speech melody", 2011), widened to contain 98% of the
    frames that are certainly voiced. (Room noise counts as voiced too, at the lowest pitch with a probability of 0.01.)

    Args:
        samples: recording or joined clips (n,).
        rate: Hz.
        seconds: at most this much is analysed, in ten parts spread evenly.
        run: applies a function to the parts; here one after the other, in a pool side by side.

    Returns:
        (fmin, fmax) in whole Hz; (65, 600) if less than half a second is voiced.
    """
    whole = RangePart(samples, rate)
    lowest, highest = whole.widest
    stretch = int(rate * seconds / 10)
    starts = [0] if len(samples) <= 10 * stretch else np.linspace(0, len(samples) - stretch, 10).astype(int).tolist()
    size = len(samples) if len(starts) == 1 else stretch
    parts = [RangePart(samples[start : start + size], rate) for start in starts if len(samples) > start]
    voiced = run(RangePart.voiced, parts)
    f0 = np.concatenate(voiced) if parts else np.zeros(0)
    if f0.size * (whole.frame // 2) < rate / 2:
        return 65.0, min(600.0, rate / 2)
    low, first, third, high = np.percentile(f0, (1.0, 25.0, 75.0, 99.0)).tolist()
    return (
        float(math.floor(max(lowest, min(0.75 * first, 0.95 * low)))),
        float(math.ceil(min(highest, max(1.5 * third, 1.05 * high)))),
    )


def _check(samples: Samples, rate: int, fmin: float, fmax: float, frame_length: int, hop: int) -> None:
    if samples.ndim != 1 or not len(samples):
        raise ValueError("pitch needs mono samples of shape (n,), n > 0")
    if not np.isfinite(samples).all():
        raise ValueError("pitch needs finite samples")
    if not 0 < fmin < fmax <= rate / 2:
        raise ValueError(f"fmin {fmin} and fmax {fmax} must be ascending and at most half the sample rate {rate}")
    if rate / fmin >= frame_length - 1 or hop < 1:
        raise ValueError(f"a frame of {frame_length} samples at {rate} Hz cannot hold a period of {fmin} Hz")


def difference(frames: npt.NDArray[np.floating], min_period: int, max_period: int) -> npt.NDArray[np.floating]:
    """YIN's cumulative mean normalised difference function (its equation 8).

    Args:
        frames: (t, frame_length).
        min_period: shortest period (samples).
        max_period: longest period (samples).

    Returns:
        (t, max_period - min_period + 1), of the type of the samples.
    """
    from scipy import fft

    size = fft.next_fast_len(2 * frames.shape[1] - 1, real=True)
    spectrum = fft.rfft(frames, n=size, axis=1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    correlation = fft.irfft(power, n=size, axis=1)[:, : max_period + 1]
    energy = np.cumsum(np.square(frames[:, :max_period]), axis=1)
    energy[:, 0] = 0  # as in librosa: the first lag is not reduced by the first sample's energy
    difference = 2 * (correlation[:, :1] - correlation[:, 1:]) - energy
    mean = np.cumsum(difference, axis=1) / np.arange(1, max_period + 1)
    denominator = mean[:, min_period - 1 : max_period]
    result: npt.NDArray[np.floating] = difference[:, min_period - 1 :] / (
        denominator + np.finfo(denominator.dtype).tiny
    )
    return result


def _observe(
    yin: npt.NDArray[np.floating], rate: int, fmin: float, min_period: int, bins: int
) -> tuple[pitch_viterbi.Observation, Floats]:
    """Candidates of each frame: the troughs of its difference function, with their probabilities.

    Args:
        yin: (t, periods).
        rate: Hz.
        fmin: Hz of bin 0.
        min_period: period (samples) of column 0.
        bins: number of pitch bins.

    Returns:
        The non-zero observation probabilities, and the voiced probability (t,).
    """
    count = len(yin)
    trough = np.zeros(yin.shape, dtype=bool)
    trough[:, 1:] = yin[:, 1:] < yin[:, :-1]
    trough[:, :-1] &= yin[:, :-1] <= yin[:, 1:]
    trough[:, 0] = yin[:, 0] < yin[:, 1]
    frame, period = np.nonzero(trough)
    height = yin[frame, period]
    probability = _trough_probabilities(frame, height, count)
    chosen = probability != 0
    frame, period, probability = frame[chosen], period[chosen], probability[chosen]
    refined = (min_period + period) + _parabolic_shift(yin, frame, period)
    position = np.round(12 * _BINS_PER_SEMITONE * np.log2((rate / refined) / fmin))
    pitch_bin = np.clip(position, 0, bins).astype(np.int64)

    # of two candidates in one bin librosa keeps the longer period, and drops candidates above the last bin
    dense = np.zeros((count, bins + 1))
    dense[frame, pitch_bin] = probability
    frame, pitch_bin = np.nonzero(dense[:, :bins])
    probability = dense[frame, pitch_bin]
    voiced: Floats = np.clip(np.bincount(frame, weights=probability, minlength=count), 0.0, 1.0)
    unvoiced = (1 - voiced) / bins
    return pitch_viterbi.Observation(frame=frame, bin=pitch_bin, probability=probability, unvoiced=unvoiced), voiced


def _trough_probabilities(frame: npt.NDArray[np.intp], height: npt.NDArray[np.floating], count: int) -> Floats:
    """Probability of each trough: for every threshold the troughs below it share the threshold's weight, short periods
    first.

    Args:
        frame: frame of each trough, ascending; within a frame the periods ascend.
        height: value of the difference function at each trough.
        count: number of frames.
    """
    if not len(frame):
        return np.zeros(0)
    tables = _tables()
    level = np.searchsorted(tables.thresholds, height, side="right")  # how many thresholds the trough is not below
    result = _shares(frame, level, count)

    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    lowest = np.minimum.reduceat(height, starts)
    minima = np.flatnonzero(height == np.repeat(lowest, np.diff(np.append(starts, len(frame)))))
    minima = minima[np.flatnonzero(np.diff(frame[minima], prepend=-1))]  # the first, where two are equal
    result[minima] += _NO_TROUGH * tables.weight_below[level[minima]]
    return result


def _shares(frame: npt.NDArray[np.intp], level: npt.NDArray[np.intp], count: int) -> Floats:
    """The sum over thresholds of each trough's Boltzmann share of the threshold's weight.

    Troughs are processed by rank (all first ones, all second ones, ...), with a table (frames, thresholds) of the share
    for a trough of this rank; a trough below a threshold leaves exp(-2) of the share to the next.
    """
    tables = _tables()
    result = np.zeros(len(frame))
    below = np.flatnonzero(level < _THRESHOLDS)
    if not len(below):
        return result
    number = np.bincount(frame[below], minlength=count)
    order = np.argsort(-number, kind="stable")  # frames with many troughs first, so that each rank is a prefix
    rank = np.empty(count, dtype=np.intp)
    rank[order] = np.arange(count)
    row = rank[frame[below]]
    first = np.concatenate(([0], np.cumsum(number)))[frame[below]]
    place = np.arange(len(below)) - first
    used = int(np.count_nonzero(number))
    reached = np.bincount(row * (_THRESHOLDS + 1) + level[below], minlength=used * (_THRESHOLDS + 1))
    troughs = np.cumsum(reached.reshape(used, -1)[:, :_THRESHOLDS], axis=1)
    table = tables.weights * tables.normaliser.take(troughs, mode="clip")
    by_place = np.lexsort((row, place))
    ends = np.cumsum(np.bincount(place))
    for begin, end in zip(np.concatenate(([0], ends[:-1])).tolist(), ends.tolist(), strict=True):
        chosen = below[by_place[begin:end]]
        active = table[: end - begin]
        result[chosen] = np.einsum("ij,ij->i", active, tables.under[level[chosen]])
        active *= tables.remaining[level[chosen]]
    return result


def _parabolic_shift(
    yin: npt.NDArray[np.floating], frame: npt.NDArray[np.intp], period: npt.NDArray[np.intp]
) -> Floats:
    """Offset (samples) of the parabola through a trough and its neighbours; 0 at the borders and beyond one sample."""
    last = yin.shape[1] - 1
    inner = (period > 0) & (period < last)
    left, middle, right = (yin[frame, np.clip(period + step, 0, last)] for step in (-1, 0, 1))
    bend = right + left - 2 * middle
    slope = (right - left) / 2
    usable = inner & (np.abs(slope) < np.abs(bend))
    shift = np.zeros(len(frame), dtype=yin.dtype)
    shift[usable] = -slope[usable] / bend[usable]
    return shift


@dataclass(frozen=True, eq=False)
class _Tables:
    thresholds: Floats  # (100,)
    weights: Floats  # (100,) of the thresholds, from the beta(2, 18) distribution
    weight_below: Floats  # (101,) sum of the first weights
    normaliser: Floats  # (400,) of the Boltzmann distribution over this many troughs
    under: Floats  # (101, 100) 1 for the thresholds above a trough of this level
    remaining: Floats  # (101, 100) share that such a trough leaves to the next


@functools.cache
def _tables() -> _Tables:
    edges = np.linspace(0, 1, _THRESHOLDS + 1)
    # the regularised incomplete beta function for whole numbers: I_x(2, 18) = 1 - (1-x)^19 - 19 x (1-x)^18
    weights = np.diff(1 - (1 - edges) ** 19 - 19 * edges * (1 - edges) ** 18)
    number = np.arange(1.0, 400.0)  # 1 - exp(-2 n) is 1 in float64 long before
    normaliser = np.concatenate(([0.0], (1 - np.exp(-_BOLTZMANN)) / (1 - np.exp(-_BOLTZMANN * number))))
    under = (np.arange(_THRESHOLDS + 1)[:, None] <= np.arange(_THRESHOLDS)).astype(np.float64)
    return _Tables(
        thresholds=edges[1:],
        weights=weights,
        weight_below=np.concatenate(([0.0], np.cumsum(weights))),
        normaliser=normaliser,
        under=under,
        remaining=np.where(under > 0, np.exp(-_BOLTZMANN), 1.0),
    )
