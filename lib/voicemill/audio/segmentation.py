"""Speech to utterances: stretches of 1 to 12 s, cut in the quietest point of a pause, never inside a word."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from voicemill.audio.quality import frame_levels
from voicemill.audio.vad import Span

_STEP = 0.005
"""Seconds between the levels that a cut is chosen from."""
_DIP_DB, _DIP_SECONDS = 25.0, 0.08
"""A pause inside what the voice activity model took for one stretch: so far below its loud parts, for so long. The
closure of a stop consonant is shorter, a weak fricative louder."""
_SMOOTH = 5
"""Levels averaged around each point (25 ms), so that a zero crossing inside a word does not look like a pause."""


@dataclass(frozen=True)
class Segmentation:
    """Limits of an utterance, all in seconds.

    Attributes:
        min_duration: shorter ones are joined with a neighbour, or left out.
        max_duration: longer ones are split at their longest pause, or left out when they have none.
        min_pause: a pause from here on separates two utterances.
        max_joined_pause: a pause above this is never kept inside an utterance.
        min_padding: silence kept at both ends where the pause has it.
        max_padding: no more silence than this is kept.
    """

    min_duration: float = 1.0
    max_duration: float = 12.0
    min_pause: float = 0.3
    max_joined_pause: float = 1.0
    min_padding: float = 0.05
    max_padding: float = 0.15

    def __post_init__(self) -> None:
        if not 0.0 < self.min_duration < self.max_duration:
            raise ValueError("min_duration must be above zero and below max_duration")
        if not 0.0 <= self.min_padding <= self.max_padding:
            raise ValueError("min_padding must not be above max_padding")
        if not 0.0 < self.min_pause <= self.max_joined_pause:
            raise ValueError("min_pause must be above zero and not above max_joined_pause")


@dataclass(frozen=True)
class Dropped:
    """Speech that became no utterance: `too_short` with no neighbour near, or `no_pause` in more than the maximum."""

    span: Span
    reason: Literal["too_short", "no_pause"]


@dataclass(frozen=True)
class Plan:
    """Utterances and the speech that was left out, each in ascending order."""

    kept: list[Span]
    dropped: list[Dropped]


def segment(
    spans: list[Span], samples: npt.NDArray[np.float32], rate: int, limits: Segmentation | None = None
) -> list[Span]:
    """Utterances of a recording.

    Args:
        spans: speech from `vad.speech_spans`, ascending and disjoint.
        samples: the recording (n,), at any rate.
        rate: its rate (Hz).
        limits: see `Segmentation`.

    Returns:
        Disjoint spans in ascending order, each within the limits; `plan` also tells what was left out.
    """
    return plan(spans, samples, rate, limits).kept


def plan(spans: list[Span], samples: npt.NDArray[np.float32], rate: int, limits: Segmentation | None = None) -> Plan:
    """As `segment`, with the speech that fits into no utterance and why."""
    limits = limits or Segmentation()
    levels = _Levels.of(samples, rate)
    length = len(samples) / rate
    kept: list[Span] = []
    dropped: list[Dropped] = []
    groups = [part for group in _group(spans, limits) for part in _split(group, levels, limits)]
    groups = _join_short(groups, limits)
    borders = [*(group[0].start for group in groups[1:]), length][: len(groups)]
    before = 0.0
    for group, following in zip(groups, borders, strict=True):
        voiced = Span(group[0].start, group[-1].end)
        padded = Span(_edge(levels, voiced.start, before, -1, limits), _edge(levels, voiced.end, following, 1, limits))
        before = max(voiced.end, padded.end)
        if padded.duration < limits.min_duration:
            dropped.append(Dropped(voiced, "too_short"))
        elif padded.duration > limits.max_duration:
            dropped.append(Dropped(voiced, "no_pause"))
        else:
            kept.append(padded)
    return Plan(kept, dropped)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Level (dBFS) of the 25 ms around each point; point i stands for the second (i + 0.5) * step."""

    values: npt.NDArray[np.float64]
    step: float

    @classmethod
    def of(cls, samples: npt.NDArray[np.float32], rate: int) -> _Levels:
        step = max(1, round(_STEP * rate)) / rate  # a whole number of samples: 5 ms are 110.25 of them at 22,050 Hz
        levels = frame_levels(samples, rate, _STEP)
        if levels.size < _SMOOTH:
            return cls(levels, step)
        power = np.pad(10.0 ** (levels / 10.0), _SMOOTH // 2, mode="edge")
        return cls(10.0 * np.log10(np.convolve(power, np.full(_SMOOTH, 1.0 / _SMOOTH), mode="valid")), step)

    def between(self, low: float, high: float) -> tuple[npt.NDArray[np.float64], float]:
        """The levels of the points in [low, high] seconds, and the second of the first of them."""
        first = max(0, math.ceil(low / self.step - 0.5))
        last = max(first, math.floor(high / self.step - 0.5) + 1)
        return self.values[first:last], (first + 0.5) * self.step


def _group(spans: list[Span], limits: Segmentation) -> list[list[Span]]:
    """Speech spans with less than `min_pause` between them belong together."""
    groups: list[list[Span]] = []
    for span in spans:
        if groups and span.start - groups[-1][-1].end < limits.min_pause:
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _room(limits: Segmentation) -> float:
    """Longest speech that still fits after padding."""
    return limits.max_duration - 2 * limits.max_padding


def _split(group: list[Span], levels: _Levels, limits: Segmentation) -> list[list[Span]]:
    """Split an over-long group at its longest pause that leaves both parts long enough, again and again."""
    parts: list[list[Span]] = []
    pending = [group]  # the next part in time comes last
    while pending:
        part = pending.pop()
        if part[-1].end - part[0].start <= _room(limits):
            parts.append(part)
            continue
        start, end = part[0].start, part[-1].end
        cuts = [
            (right.start - left.end, index)
            for index, (left, right) in enumerate(itertools.pairwise(part), start=1)
            if left.end - start >= limits.min_duration and end - right.start >= limits.min_duration
        ]
        if cuts:
            _, index = max(cuts)
            pending += [part[index:], part[:index]]
            continue
        finer = _find_pauses(part, levels)
        (parts if finer == part else pending).append(finer)
    return parts


def _find_pauses(group: list[Span], levels: _Levels) -> list[Span]:
    """Pauses that the voice activity model did not separate: 80 ms or more that are 25 dB below the loud parts."""
    found: list[Span] = []
    for span in group:
        inside, beginning = levels.between(span.start, span.end)
        if inside.size == 0:
            found.append(span)
            continue
        quiet = inside < np.percentile(inside, 90.0) - _DIP_DB
        edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
        start = span.start
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            left, right = beginning + (begin - 0.5) * levels.step, beginning + (end - 0.5) * levels.step
            if right - left >= _DIP_SECONDS and left > start and right < span.end:
                found.append(Span(start, left))
                start = right
        found.append(Span(start, span.end))
    return found


def _join_short(groups: list[list[Span]], limits: Segmentation) -> list[list[Span]]:
    """Join what is shorter than the minimum with the nearer neighbour, where the pause and the sum allow it."""
    groups = [list(group) for group in groups]
    index = 0
    while index < len(groups):
        group = groups[index]
        if group[-1].end - group[0].start + 2 * limits.min_padding >= limits.min_duration:
            index += 1
            continue
        options = []
        for left in (index - 1, index):
            if left < 0 or left + 1 >= len(groups):
                continue
            pause = groups[left + 1][0].start - groups[left][-1].end
            total = groups[left + 1][-1].end - groups[left][0].start
            if pause <= limits.max_joined_pause and total <= _room(limits):
                options.append((pause, left))
        if not options:
            index += 1
            continue
        _, left = min(options)
        groups[left : left + 2] = [groups[left] + groups[left + 1]]
        index = left
    return groups


def _edge(levels: _Levels, speech: float, border: float, direction: Literal[-1, 1], limits: Segmentation) -> float:
    """The quietest point of the pause beside `speech`, between the minimal and the maximal padding.

    `border` is where the neighbour ends or starts; of a pause too short for both paddings each side takes at most half,
    so that two utterances never share a sample.
    """
    pause = max(0.0, (border - speech) * direction)
    # towards the recording's own beginning and end there is no neighbour to share with; half is still more than enough
    most = min(limits.max_padding, pause / 2)
    least = min(limits.min_padding, most)
    low, high = sorted((speech + direction * least, speech + direction * most))
    window, first = levels.between(low, high)
    if window.size == 0:
        return speech + direction * most
    return float(np.clip(first + int(np.argmin(window)) * levels.step, low, high))
