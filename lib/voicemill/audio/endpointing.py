"""Where speech really begins and ends: the edges of what voice activity found, moved to where the sound rises from its
background.

The model answers every 32 ms, holds on for a while after the last sound and starts inside the first one. Measured on
three recordings of 8 to 9 minutes (scripts/construction, 224 clips of flite's slt): with its own edges clips ended 96
to 262 ms after the last phone where 50 to 150 were meant.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span

_START, _END = (0.35, 0.06), (0.12, 0.15)
"""Seconds by which a beginning may move out of its span and into it, and an end into it and out of it: the model may
start 230 ms late, and ends some 100 ms late; what would move an end further is a weak last consonant."""
_HOLD = 0.06
"""Seconds of quiet that speech may bridge: the closure of a stop consonant."""
_RISE_DB, _RISE_SHARE = 6.0, 0.1
"""Speech is what lies so far above the background, or by that share of the way up to the loud parts if that is more."""
_CLEAR_DB = 15.0
"""With less between background and speech an edge stays where it is: levels do not tell."""
_LOUD, _QUIET = 90.0, 10.0


def refine(spans: Sequence[Span], levels: LevelEnvelope) -> list[Span]:
    """Spans of speech with their edges where the sound begins and ends.

    Args:
        spans: from `vad.detect_speech`, ascending and disjoint.
        levels: of the same recording.

    Returns:
        As many spans, ascending and disjoint.
    """
    borders = [0.0, *((one.end + two.start) / 2 for one, two in itertools.pairwise(spans)), levels.seconds]
    found = []
    for span, low, high in zip(spans, borders, borders[1:], strict=False):
        inside, _ = levels.between(span.start, span.end)
        if inside.size == 0:
            found.append(span)
            continue
        loud = float(np.percentile(inside, _LOUD))
        start = _edge(levels, span.start, max(low, span.start - _START[0]), span.start + _START[1], loud, first=True)
        end = _edge(levels, span.end, span.end - _END[0], min(high, span.end + _END[1]), loud, first=False)
        found.append(Span(start, end) if start < end else span)
    return found


def _edge(levels: LevelEnvelope, edge: float, low: float, high: float, loud: float, *, first: bool) -> float:
    """The beginning (`first`) or the end of the stretch of sound that lies at `edge` or next to it within the span."""
    values, begin = levels.between(low, high)
    if values.size == 0:
        return edge
    background = float(np.percentile(values, _QUIET))
    if loud - background < _CLEAR_DB:
        return edge
    runs = _runs(values > background + max(_RISE_DB, _RISE_SHARE * (loud - background)), round(_HOLD / levels.step))
    times = [(begin + (one - 0.5) * levels.step, begin + (two - 0.5) * levels.step) for one, two in runs]
    if first:
        return next((max(low, start) for start, end in times if end > edge), edge)
    return next((min(high, end) for start, end in reversed(times) if start < edge), low)


def _runs(above: npt.NDArray[np.bool_], hold: int) -> list[tuple[int, int]]:
    """First and one past the last index of each run of true values; shorter gaps than `hold` are bridged."""
    turns = np.flatnonzero(np.diff(np.concatenate(([False], above, [False])).astype(np.int8))).tolist()
    runs: list[tuple[int, int]] = []
    for start, end in zip(turns[::2], turns[1::2], strict=True):
        if runs and start - runs[-1][1] < hold:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs
