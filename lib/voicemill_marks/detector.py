"""The watermark's detector: compares windows of a recording with the code at every offset and, if needed, speed.

A window's score is the sum of the squares of the pilot's correlation and of each symbol's best one. Without a mark it
is about 52 with a standard deviation of about 5. docs/marking.md has the measured share of false alarms at `THRESHOLD`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.code import PUBLIC_KEY, Code, code_of
from voicemill_marks.features import Spectrogram, at_tempo
from voicemill_marks.matching import Match, match, pilot_fit, read_payload

Reader = Callable[[int, int], NDArray[np.float32]]
"""Gives the samples between two positions."""
THRESHOLD = 100.0
SEARCHED_THRESHOLD = 106.0
"""At other speeds: 52 of them are compared, so chance reaches a higher score."""
CHANCE_MEAN, CHANCE_DEVIATION = 52.2, 4.9
"""Of the scores of human speech and wrong keys, measured (docs/marking.md)."""
WINDOW_SECONDS = 6.0
STEP_SECONDS = 3.0
SHORTEST_SECONDS = 0.5
_SPEED_STEP = 0.008
_SPEED_STEPS = 13
"""Each way: from 0.896 to 1.104 of the speed."""
_SEARCHED_WINDOWS = 12
"""Windows of a long recording that are searched at other speeds."""
_CANDIDATE_SPEEDS = 3
_REFINEMENTS = (0.004, 0.002)
"""Changes of the best speed that are tried in turn."""
_GAIN_OF_REFINEMENT = 30.0
"""Of the score, at most where it is near the threshold."""


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


def detect(samples: NDArray[np.float32], rate: int, key: bytes = PUBLIC_KEY, *, speeds: bool = True) -> Detection:
    """Look for the mark of a key.

    Args:
        samples: mono, shape (samples,).
        rate: in Hz.
        key: of the mark.
        speeds: whether to search other speeds where the original one shows no mark, or one that cannot be read.
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
    found = [_scan(read(*window), rate, code, Speed()) for window in windows]
    detection = _detection(windows, found, rate, Speed(), THRESHOLD)
    if detection.payload is not None or not speeds:
        return detection
    speed = _search_speed(read, rate, code, windows)
    if speed is None:
        return detection
    found = [_scan(read(*window), rate, code, speed) for window in windows]
    searched = _detection(windows, found, rate, speed, SEARCHED_THRESHOLD)
    return detection if detection.marked and searched.payload is None else searched


def _for_windows(count: int) -> float:
    """What the threshold grows by where many windows are examined, so that a long recording is not marked by chance."""
    return 2 * math.log(max(1, count))


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


def _scan(samples: NDArray[np.float32], rate: int, code: Code, speed: Speed) -> Match:
    return match(at_tempo(Spectrogram.of(samples, rate).features(speed.pitch), speed.tempo), code)


def _search_speed(read: Reader, rate: int, code: Code, windows: Sequence[tuple[int, int]]) -> Speed | None:
    """The speed at which one of some windows, spread over the recording, has a mark; None without one."""
    chosen = _spread(windows, _SEARCHED_WINDOWS)
    searched = (best_of_speeds(Spectrogram.of(read(*window), rate), code) for window in chosen)
    speed, score = max(searched, key=lambda each: each[1], default=(Speed(), 0.0))
    return speed if score >= SEARCHED_THRESHOLD + _for_windows(len(chosen)) else None


def best_of_speeds(spectrogram: Spectrogram, code: Code) -> tuple[Speed, float]:
    """The speed from 0.9 to 1.1, with or without the pitch, at which the code fits best, and its score."""
    scores = {speed: _score(spectrogram, code, speed) for speed in _likely_speeds(spectrogram, code)}
    best = max(scores, key=lambda speed: scores[speed])
    for change in _REFINEMENTS if scores[best] > SEARCHED_THRESHOLD - _GAIN_OF_REFINEMENT else ():
        for step in (-change, change):
            near = Speed(best.tempo + step, best.pitch + step * (best.pitch != 1))
            scores[near] = _score(spectrogram, code, near)
        best = max(scores, key=lambda speed: scores[speed])
    return best, scores[best]


def _score(spectrogram: Spectrogram, code: Code, speed: Speed) -> float:
    return match(at_tempo(spectrogram.features(speed.pitch), speed.tempo), code).score


def _likely_speeds(spectrogram: Spectrogram, code: Code) -> list[Speed]:
    """The speeds at which the pilot fits best; while they are compared, two share the features of one pitch."""
    found: list[tuple[float, Speed]] = []
    original = changed = spectrogram.features()
    for step in range(-_SPEED_STEPS, _SPEED_STEPS + 1):
        if step % 2:
            changed = spectrogram.features(1 + (step + 0.5) * _SPEED_STEP)
        if step:
            tempo = 1 + step * _SPEED_STEP
            found.append((pilot_fit(at_tempo(changed, tempo), code), Speed(tempo, tempo)))
            found.append((pilot_fit(at_tempo(original, tempo), code), Speed(tempo, 1.0)))
    found.sort(key=lambda each: -each[0])
    return [speed for _, speed in found[:_CANDIDATE_SPEEDS]]


def _detection(
    windows: Sequence[tuple[int, int]], found: Sequence[Match], rate: int, speed: Speed, threshold: float
) -> Detection:
    """The spans are all windows over the threshold of one window, if any is over that of the whole recording."""
    needed = threshold + _for_windows(len(windows))
    marked = any(each.score >= needed for each in found)
    over = [each for each in zip(windows, found, strict=True) if marked and each[1].score >= threshold]
    return Detection(
        spans=tuple(MarkedSpan(start / rate, end / rate, each.score) for (start, end), each in over),
        payload=read_payload(np.sum([each.symbols for _, each in over], axis=0)) if over else None,
        score=max((each.score for each in found), default=0.0),
        speed=speed,
        threshold=needed,
    )
