"""Background level: windows of a recording around its speech, and how loud music or noise is in each of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voicemill.audio.level_envelope import frame_levels
from voicemill.audio.vad import Span
from voicemill.audio.waveform import Waveform

MAX_WINDOW = 30.0
"""Seconds; longest window, which bounds the memory of a window's task."""
MARGIN = 1.0
"""Seconds before and after the speech of a window; utterances take their padding from there."""
_FAR = 2.0
"""Shortest pause (seconds) between two windows."""
_AWAY = 0.1
"""Seconds from speech at which a pause begins, because words fade slowly."""
_FRAME = 0.02
_FEW = 10
"""Fewest frames of pauses (0.2 s) that are a sample of the background."""
_PASTED = -100.0
"""dBFS; quieter frames are digital silence that was inserted, not background."""


def speech_windows(spans: Sequence[Span], seconds: float) -> list[Span]:
    """Disjoint windows of at most `MAX_WINDOW` that contain all speech with its surroundings, in ascending order.

    Args:
        spans: speech, ascending and disjoint.
        seconds: length of the recording.
    """
    groups: list[list[Span]] = []
    for span in spans:
        if groups and span.start - groups[-1][-1].end < _FAR and span.end - groups[-1][0].start <= MAX_WINDOW - 2:
            groups[-1].append(span)
        else:
            groups.append([span])
    if not groups:
        return []
    middles = [(one[-1].end + two[0].start) / 2 for one, two in itertools.pairwise(groups)]
    found = []
    for group, low, high in zip(groups, [0.0, *middles], [*middles, seconds], strict=True):
        start, end = max(low, group[0].start - MARGIN), min(high, group[-1].end + MARGIN)
        parts = max(1, math.ceil((end - start) / MAX_WINDOW))  # one speech span can be longer than a window
        edges = [start + (end - start) * index / parts for index in range(parts)] + [end]
        found += [Span(first, last) for first, last in itertools.pairwise(edges)]
    return found


@dataclass(frozen=True)
class BackgroundLevel:
    """Background of a window.

    Attributes:
        level_db: level relative to the loud parts of the speech, in dB: about -60 in a quiet room, 0
            if both are equally loud.
        measured: False if the window has too few pauses; `level_db` is then an upper bound.
    """

    level_db: float
    measured: bool


def background_level(waveform: Waveform, window: Span, spans: Sequence[Span]) -> BackgroundLevel:
    """The background of a window against its speech.

    The background is the median over the 20 ms frames in the window's pauses, so it includes music and noise. In a
    window without pauses it is at most the 5th percentile of all frames, which can be a soft consonant. The loud
    parts are the 90th percentile over the frames inside speech.

    Args:
        waveform: the recording.
        window: the part of it to measure.
        spans: all speech of the recording.
    """
    samples = waveform.read(window.start, window.end)
    levels = frame_levels(samples, waveform.rate, _FRAME)
    if levels.size == 0:
        return BackgroundLevel(-math.inf, measured=False)
    centres = window.start + (np.arange(levels.size) + 0.5) * _FRAME
    speech, near = np.zeros(levels.size, dtype=bool), np.zeros(levels.size, dtype=bool)
    for span in spans:
        if span.end > window.start - _AWAY and span.start < window.end + _AWAY:
            speech |= (centres >= span.start) & (centres < span.end)
            near |= (centres >= span.start - _AWAY) & (centres < span.end + _AWAY)
    pause = levels[~near & (levels > _PASTED)]
    measured = pause.size >= _FEW
    quiet = float(np.median(pause) if measured else np.percentile(levels, 5.0))
    loud = float(np.percentile(levels[speech] if speech.any() else levels, 90.0))
    return BackgroundLevel(quiet - loud, measured)


def pooled(levels: Sequence[BackgroundLevel]) -> list[float | None]:
    """Level of the background of each window in dB; None where it cannot be known.

    Clips without pauses share a room with the others: their background is not taken to be louder than the median of all
    windows. One window alone, without pauses, is not measured.
    """
    if len(levels) == 1:
        return [level.level_db if level.measured else None for level in levels]
    typical = float(np.median([level.level_db for level in levels])) if levels else 0.0
    return [level.level_db if level.measured else min(level.level_db, typical) for level in levels]
