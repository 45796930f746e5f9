"""The watermark's detector: compares windows of a recording with the code at every offset and, if needed, speed.

A window's score is the sum of the squares of the pilot's correlation and of each symbol's best one. Without a mark it
is about 51 with a standard deviation of about 5. docs/marking.md has the measured share of false alarms at `THRESHOLD`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.code import (
    BANDS,
    CHIP_FRAMES,
    FRAME,
    FRAMES_PER_WINDOW,
    PAYLOAD_BYTES,
    PERIOD_FRAMES,
    PUBLIC_KEY,
    SYMBOLS,
    Code,
    bands_of_bins,
    checksum,
    code_of,
)

Reader = Callable[[int, int], NDArray[np.float32]]
"""Gives the samples between two positions."""
THRESHOLD = 90.0
SEARCHED_THRESHOLD = 97.0
"""At other speeds: 52 of them are compared, so chance reaches a higher score."""
CHANCE_MEAN, CHANCE_DEVIATION = 51.6, 5.0
"""Of the scores of human speech and wrong keys, measured (docs/marking.md)."""
WINDOW_SECONDS = 6.0
STEP_SECONDS = 3.0
SHORTEST_SECONDS = 0.5
_SPEED_STEP = 0.008
_SPEED_STEPS = 13
"""Each way: from 0.896 to 1.104 of the speed."""
_SEARCHED_WINDOWS = 12
"""Windows of a long recording that are searched at other speeds."""
_CANDIDATE_OFFSETS = 4
_CLIP = 6.0
"""In dB, of the difference of a cell and its surroundings."""


@dataclass(frozen=True)
class Speed:
    """How a recording was played: `tempo` changes the times, `pitch` the frequencies; both are 1 in the original."""

    tempo: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True)
class MarkedSpan:
    """A window that carries the mark, in seconds."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Detection:
    """The result of the detector for a recording.

    Attributes:
        spans: the windows over the threshold, in order.
        payload: four bytes, or None where the mark is too weak to be read.
        score: of the best window.
        speed: at which the mark was found.
        threshold: that the score of a window with the mark reaches.
    """

    spans: tuple[MarkedSpan, ...]
    payload: bytes | None
    score: float
    speed: Speed
    threshold: float = THRESHOLD

    @property
    def deviations(self) -> float:
        """How many standard deviations the best score is above the mean score without a mark."""
        return (self.score - CHANCE_MEAN) / CHANCE_DEVIATION

    @property
    def marked(self) -> bool:
        """Whether any window carries the mark."""
        return bool(self.spans)


@dataclass(frozen=True)
class _Match:
    score: float
    symbols: NDArray[np.float64]


def detect(samples: NDArray[np.float32], rate: int, key: bytes = PUBLIC_KEY, *, speeds: bool = True) -> Detection:
    """Look for the mark of a key.

    Args:
        samples: mono, shape (samples,).
        rate: in Hz.
        key: of the mark.
        speeds: whether to search other speeds where the original one shows no mark.
    """
    return _detect(lambda start, end: samples[start:end], len(samples), rate, key, speeds=speeds)


def detect_in_file(path: Path, key: bytes = PUBLIC_KEY, *, speeds: bool = True, most: int | None = None) -> Detection:
    """`detect` on a mono sound file that libsndfile reads, of any length, one window in memory at a time.

    Args:
        path: the file.
        key: of the mark.
        speeds: see `detect`.
        most: windows to look at, spread over the file; by default all.
    """
    import soundfile

    with soundfile.SoundFile(path) as file:

        def read(start: int, end: int) -> NDArray[np.float32]:
            file.seek(start)
            samples: NDArray[np.float32] = file.read(end - start, dtype="float32", always_2d=True)[:, 0]
            return samples

        return _detect(read, file.frames, file.samplerate, key, speeds=speeds, most=most)


def _detect(read: Reader, count: int, rate: int, key: bytes, *, speeds: bool, most: int | None = None) -> Detection:
    code = code_of(key)
    windows = list(_windows(count, rate))
    if most is not None:
        windows = _spread(windows, most)
    found = _scan(read, rate, code, windows, Speed())
    if speeds and not any(match.score >= THRESHOLD for match in found):
        speed = _search_speed(read, rate, code, windows)
        if speed != Speed():
            found = _scan(read, rate, code, windows, speed)
            return _detection(windows, found, rate, speed, SEARCHED_THRESHOLD)
    return _detection(windows, found, rate, Speed(), THRESHOLD)


def _windows(count: int, rate: int) -> Iterator[tuple[int, int]]:
    """First and last sample of each window; one window for a recording shorter than that."""
    length, step = round(WINDOW_SECONDS * rate), round(STEP_SECONDS * rate)
    if count < SHORTEST_SECONDS * rate:
        return
    for start in range(0, max(1, count - length + step), step):
        yield start, min(count, start + length)


def _spread(windows: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most `most` of the windows, at equal distances."""
    return list(windows[:: max(1, -(-len(windows) // most))])


def _scan(read: Reader, rate: int, code: Code, windows: Sequence[tuple[int, int]], speed: Speed) -> list[_Match]:
    return [match(features(read(start, end), rate, speed), code) for start, end in windows]


def _search_speed(read: Reader, rate: int, code: Code, windows: Sequence[tuple[int, int]]) -> Speed:
    """The speed at which some windows, spread over the recording, fit best."""
    chosen = _spread(windows, _SEARCHED_WINDOWS)
    best, best_score = Speed(), 0.0
    for step in range(-_SPEED_STEPS, _SPEED_STEPS + 1):
        tempo = 1 + step * _SPEED_STEP
        for speed in (Speed(tempo, tempo), Speed(tempo, 1.0)) if step else ():
            score = max((m.score for m in _scan(read, rate, code, chosen, speed)), default=0.0)
            if score > best_score:
                best, best_score = speed, score
    return best


def _detection(
    windows: Sequence[tuple[int, int]], found: Sequence[_Match], rate: int, speed: Speed, threshold: float
) -> Detection:
    spans = tuple(
        MarkedSpan(start / rate, end / rate, match.score)
        for (start, end), match in zip(windows, found, strict=True)
        if match.score >= threshold
    )
    payload = None
    if spans:
        total = sum(match.symbols for match in found if match.score >= threshold)
        values = bytes(int(value) for value in np.argmax(total, axis=1))
        if checksum(values[:PAYLOAD_BYTES]) == values[PAYLOAD_BYTES:]:
            payload = values[:PAYLOAD_BYTES]
    return Detection(spans, payload, max((match.score for match in found), default=0.0), speed, threshold)


def features(samples: NDArray[np.float32], rate: int, speed: Speed | None = None) -> NDArray[np.float64]:
    """How far each band differs from its surroundings in time and frequency, shape (BANDS, frames), of variance 1."""
    speed = speed or Speed()
    window = FRAMES_PER_WINDOW * max(1, round(FRAME * rate))
    if len(samples) < window:
        samples = np.pad(samples, (0, window - len(samples)))
    hop = FRAME * rate / speed.tempo
    starts = np.round(np.arange(1 + int((len(samples) - window) / hop)) * hop).astype(np.int64)
    taper = np.sqrt(np.hanning(window + 1)[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[starts]
    power = np.abs(np.fft.rfft(frames * taper, axis=1)) ** 2
    membership = np.eye(BANDS + 1)[bands_of_bins(window, rate, speed.pitch), :BANDS]
    return _whiten(10 * np.log10(np.maximum((power @ membership).T, 1e-12)))


def _whiten(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels in dB, shape (BANDS, frames), without their noise floor, envelope and shared changes."""
    floor = np.maximum(np.percentile(levels, 10, axis=1, keepdims=True), levels.max() - 70)
    levels = 10 * np.log10(10 ** (levels / 10) + 10 ** (floor / 10))
    local = _moving_mean(levels, CHIP_FRAMES) - _moving_mean(levels, 5 * CHIP_FRAMES)
    local -= _moving_mean(np.pad(local, ((3, 3), (0, 0)), mode="edge").T, 7).T[3:-3]
    local = np.clip(local, -_CLIP, _CLIP)
    whitened: NDArray[np.float64] = local / (local.std() + 1e-9)
    return whitened


def _moving_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The mean over `width` columns around each one, fewer at the ends."""
    sums = np.concatenate((np.zeros((len(values), 1)), np.cumsum(values, axis=1)), axis=1)
    columns = np.arange(values.shape[1])
    first, last = np.maximum(columns - width // 2, 0), np.minimum(columns + width - width // 2, values.shape[1])
    mean: NDArray[np.float64] = (sums[:, last] - sums[:, first]) / (last - first)
    return mean


def match(whitened: NDArray[np.float64], code: Code) -> _Match:
    """The best fit of the code over all offsets: its score, and the scores of all values of the symbols."""
    folded = np.zeros((BANDS, PERIOD_FRAMES))
    for start in range(0, whitened.shape[1], PERIOD_FRAMES):
        part = whitened[:, start : start + PERIOD_FRAMES]
        folded[:, : part.shape[1]] += part
    pilot = np.zeros((BANDS, PERIOD_FRAMES))
    pilot[:, CHIP_FRAMES // 2 :: CHIP_FRAMES] = code.pilot()
    spectra = np.fft.rfft(pilot, axis=1).conj(), np.fft.rfft(np.abs(pilot), axis=1).conj()
    sums = np.fft.irfft((np.fft.rfft(folded, axis=1) * spectra[0]).sum(axis=0), n=PERIOD_FRAMES)
    energy = np.fft.irfft((np.fft.rfft(folded**2, axis=1) * spectra[1]).sum(axis=0), n=PERIOD_FRAMES)
    correlation = sums / np.sqrt(np.maximum(energy, 1e-9))
    best = _Match(0.0, np.zeros((SYMBOLS, 256)))
    for offset in np.argsort(-correlation)[:_CANDIDATE_OFFSETS]:
        scores = code.symbol_scores(np.roll(folded, -offset, axis=1)[:, CHIP_FRAMES // 2 :: CHIP_FRAMES])
        score = float(correlation[offset] ** 2 + (scores.max(axis=1) ** 2).sum())
        if score > best.score:
            best = _Match(score, scores)
    return best
