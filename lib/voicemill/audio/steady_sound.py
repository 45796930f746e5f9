"""Steady sound at the edges of speech: tones, hum, hiss and held chords that voice activity detection takes for speech.

Speech changes all the time: over 0.4 s the levels of its bands vary by more than 3 dB, those of a tone or of noise by
less than 2 dB (docs/benchmarks.md, People). Noise is cut off only where it is about as loud as the speech: soft
consonants hide in a background that is weaker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import SAMPLE_RATE, Span
from voicemill.audio.waveform import Waveform, excerpt

_SIZE, _HOP = 1024, 256
"""Samples of an analysis window (64 ms) and from one to the next (16 ms)."""
_EDGES_HZ = (60, 160, 300, 500, 800, 1250, 2000, 3150, 5000, 8000)
_NOISE, _TONE = (0.4, 2.2), (0.2, 0.5)
"""Length of a steady stretch (seconds) and the largest variation of its bands (dB)."""
_NOISE_BELOW_DB = 15.0
"""Weaker noise, against the loud parts of the recording, is left alone."""
_COMPRESSION = 0.3
"""Exponent of a band's power in its weight: quiet bands count too, because they tell a vowel from a tone."""
_NEAR = 0.1
"""Seconds from the edge of a span within which a steady stretch belongs to the edge, and the least that is cut off."""
_BESIDE = 0.4
"""Seconds beyond the edge that are examined with it: the sound may begin before the span."""
_LOOK = 2.0
"""Seconds examined at a time."""
_LEAST = 0.1
"""Seconds; a shorter rest of a span is dropped."""


def trim(waveform: Waveform, spans: Sequence[Span], levels: LevelEnvelope) -> list[Span]:
    """Spans of speech without steady sound at their starts and ends; a span of nothing else is dropped.

    Args:
        waveform: the recording.
        spans: ascending and disjoint.
        levels: of the recording.
    """
    loud = levels.loud_level()
    if loud is None:
        return list(spans)
    least = 10.0 ** ((loud - _NOISE_BELOW_DB) / 10.0)
    found = []
    for span in spans:
        start = _speech_begins(waveform, span, least)
        if span.end - start < _LEAST:
            continue
        end = _speech_ends(waveform, Span(start, span.end), least)
        if end - start >= _LEAST:
            found.append(Span(start, end))
    return found


def _speech_begins(waveform: Waveform, span: Span, least: float) -> float:
    """The end of the steady sound at the start of a span; its start without any."""
    start = span.start
    while start < span.end:
        look = max(0.0, start - _BESIDE)
        runs = steady_runs(excerpt(waveform, look, min(span.end, start + _LOOK), SAMPLE_RATE), least)
        ends = [look + run.end for run in runs if look + run.start <= start + _NEAR]
        if not ends or ends[-1] < start + _NEAR:
            return start
        start = ends[-1]
    return span.end


def _speech_ends(waveform: Waveform, span: Span, least: float) -> float:
    """The start of the steady sound at the end of a span; its end without any."""
    end = span.end
    while end > span.start:
        look = max(span.start, end - _LOOK)
        runs = steady_runs(excerpt(waveform, look, end + _BESIDE, SAMPLE_RATE), least)
        starts = [look + run.start for run in runs if look + run.end >= end - _NEAR]
        if not starts or starts[0] > end - _NEAR:
            return end
        end = starts[0]
    return span.start


def steady_runs(samples: npt.NDArray[np.float32], least: float = 0.0) -> list[Span]:
    """Stretches of steady sound, in seconds, ascending and disjoint.

    Args:
        samples: mono samples (n,) at 16 kHz.
        least: mean square from which noise counts; tones always do.
    """
    powers = _band_powers(samples)
    steady = np.zeros(len(powers), dtype=bool)
    for (seconds, variation), floor in ((_NOISE, least), (_TONE, 0.0)):
        length = round(seconds * SAMPLE_RATE / _HOP)
        for first in np.flatnonzero(_variation(powers, length) < variation):
            part = samples[first * _HOP : (first + length - 1) * _HOP + _SIZE]
            if float(np.mean(np.square(part))) >= floor:
                steady[first : first + length] = True
    turns = np.flatnonzero(np.diff(np.concatenate(([False], steady, [False])).astype(np.int8))).tolist()
    step = _HOP / SAMPLE_RATE
    return [
        Span(first * step, ((last - 1) * _HOP + _SIZE) / SAMPLE_RATE)
        for first, last in zip(turns[::2], turns[1::2], strict=True)
    ]


def _band_powers(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(windows, bands) powers."""
    bands = len(_EDGES_HZ) - 1
    if len(samples) < _SIZE:
        return np.zeros((0, bands))
    windows = np.lib.stride_tricks.sliding_window_view(samples, _SIZE)[::_HOP] * np.hanning(_SIZE)
    power = np.square(np.abs(np.fft.rfft(windows, axis=1)))
    first = [round(edge * _SIZE / SAMPLE_RATE) for edge in _EDGES_HZ[:-1]]
    found: npt.NDArray[np.float64] = np.add.reduceat(power, first, axis=1) + 1e-9
    return found


def _variation(powers: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """Standard deviation of the bands' levels (dB) over each run of `length` windows, weighted over the bands."""
    if len(powers) < length:
        return np.zeros(0)
    view = np.lib.stride_tricks.sliding_window_view
    variances = view(10.0 * np.log10(powers), length, axis=0).var(axis=-1)
    weights = view(powers, length, axis=0).mean(axis=-1) ** _COMPRESSION
    found: npt.NDArray[np.float64] = np.sqrt((variances * weights).sum(axis=1) / weights.sum(axis=1))
    return found
