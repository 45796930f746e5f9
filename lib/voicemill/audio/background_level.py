"""Background level: windows of a recording around its speech, and how loud music or noise is in each of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from voicemill.audio.quality import frame_levels
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
"""Fewest frames of pauses (0.2 s) that are a sample of the background; with fewer, the quietest frames are used."""
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


def background_level_db(waveform: Waveform, window: Span, spans: Sequence[Span]) -> float:
    """Level of the background relative to the speech, in dB: about -60 in a quiet room, 0 if both are equally loud.

    The background level is the median over the 20 ms frames in the window's pauses, so it includes music and noise. In
    a window without pauses it is the 5th percentile of all frames. The speech level is the 90th percentile over the
    frames inside speech.

    Args:
        waveform: the recording.
        window: the part of it to measure.
        spans: all speech of the recording.
    """
    samples = waveform.read(window.start, window.end)
    levels = frame_levels(samples, waveform.rate, _FRAME)
    if levels.size == 0:
        return -math.inf
    centres = window.start + (np.arange(levels.size) + 0.5) * _FRAME
    speech, near = np.zeros(levels.size, dtype=bool), np.zeros(levels.size, dtype=bool)
    for span in spans:
        if span.end > window.start - _AWAY and span.start < window.end + _AWAY:
            speech |= (centres >= span.start) & (centres < span.end)
            near |= (centres >= span.start - _AWAY) & (centres < span.end + _AWAY)
    loud = float(np.percentile(levels[speech] if speech.any() else levels, 90.0))
    pause = levels[~near & (levels > _PASTED)]
    quiet = float(np.median(pause) if pause.size >= _FEW else np.percentile(levels, 5.0))
    return quiet - loud
