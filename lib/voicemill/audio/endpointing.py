"""Endpointing: the start and end of speech spans, moved to where the level rises above the background.

Voice activity detection answers every 32 ms, starts inside the first phone and continues after the last one.
docs/benchmarks.md has the errors with and without this step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span

_START, _END = (0.35, 0.06), (0.12, 0.15)
"""Seconds by which the start of a span may move outwards and inwards, and its end inwards and outwards: the model can
start 230 ms late and ends about 100 ms late."""
_HOLD = 0.06
"""Longest gap (seconds) inside speech: the closure of a stop consonant."""
_RISE_DB, _RISE_SHARE = 6.0, 0.1
"""Speech is this much louder than the background: dB, or a share of the range up to the loud parts if that is more."""
_CLEAR_DB = 15.0
"""Smallest range (dB) between background and speech with which an edge is moved."""
_LOUD, _QUIET = 90.0, 10.0
_AROUND, _AROUND_QUIET = 2.0, 5.0
"""Seconds on both sides of an edge in which the background is looked for, too, and its percentile of the levels."""


def refine(spans: Sequence[Span], levels: LevelEnvelope) -> list[Span]:
    """Move the edges of speech spans to the start and end of the sound.

    Args:
        spans: from `vad.detect_speech`, ascending and disjoint.
        levels: of the same recording.

    Returns:
        The same number of spans, ascending and disjoint.
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
    """The start (if `first`) or the end of the run of loud points at `edge`, or of the next one inside the span."""
    values, begin = levels.between(low, high)
    if values.size == 0:
        return edge
    around, _ = levels.between(edge - _AROUND, edge + _AROUND)
    # where the recording begins or ends on a sound, or a room still sounds, only pauses further away are background
    background = min(float(np.percentile(values, _QUIET)), float(np.percentile(around, _AROUND_QUIET)))
    if loud - background < _CLEAR_DB:
        return edge
    runs = _runs(values > background + max(_RISE_DB, _RISE_SHARE * (loud - background)), round(_HOLD / levels.step))
    times = [(begin + (one - 0.5) * levels.step, begin + (two - 0.5) * levels.step) for one, two in runs]
    if first:
        return next((max(low, start) for start, end in times if end > edge), edge)
    return next((min(high, end) for start, end in reversed(times) if start < edge), low)


def _runs(above: npt.NDArray[np.bool_], hold: int) -> list[tuple[int, int]]:
    """First index and index after the last of each run of true values; gaps shorter than `hold` are bridged."""
    turns = np.flatnonzero(np.diff(np.concatenate(([False], above, [False])).astype(np.int8))).tolist()
    runs: list[tuple[int, int]] = []
    for start, end in zip(turns[::2], turns[1::2], strict=True):
        if runs and start - runs[-1][1] < hold:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs
