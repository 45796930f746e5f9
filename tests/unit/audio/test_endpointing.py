"""Edges of speech go to where the sound begins and ends, and nowhere else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemill.audio.endpointing import refine
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span

RATE = 16_000


def levels_of(sounds: list[tuple[float, float]], length: float, noise: float = 1e-3) -> LevelEnvelope:
    """Loud noise where there is sound, quiet noise elsewhere."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, noise, round(length * RATE))
    for start, end in sounds:
        part = slice(round(start * RATE), round(end * RATE))
        samples[part] = rng.normal(0, 0.2, len(samples[part]))
    return LevelEnvelope.of(samples.astype(np.float32), RATE)


@pytest.mark.parametrize(("late", "hold"), [(0.0, 0.0), (0.23, 0.1), (0.03, 0.12), (-0.04, -0.01)])
def test_a_late_start_and_a_late_end_are_corrected(late: float, hold: float) -> None:
    (found,) = refine([Span(1.0 + late, 2.5 + hold)], levels_of([(1.0, 2.5)], 4.0))
    assert found.start == pytest.approx(1.0, abs=0.02)
    assert found.end == pytest.approx(2.5, abs=0.02)


def test_the_burst_after_a_closure_stays_with_its_word() -> None:
    (found,) = refine([Span(1.0, 2.6)], levels_of([(1.0, 2.4), (2.49, 2.52)], 4.0))
    assert found.end == pytest.approx(2.52, abs=0.02)


def test_another_sound_before_the_speech_is_excluded() -> None:
    (found,) = refine([Span(1.02, 2.5)], levels_of([(0.7, 0.85), (1.0, 2.5)], 4.0))
    assert found.start == pytest.approx(1.0, abs=0.02)


def test_edges_stay_without_a_clear_level_difference() -> None:
    span = Span(1.1, 2.6)
    assert refine([span], levels_of([(1.0, 2.5)], 4.0, noise=0.1)) == [span]


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.3, 2.0), st.floats(0.06, 1.0)), min_size=1, max_size=6), st.floats(-0.03, 0.03))
def test_spans_stay_in_order_and_apart(parts: list[tuple[float, float]], shift: float) -> None:
    sounds, now = [], 0.5
    for length, pause in parts:
        sounds.append((now, now + length))
        now += length + pause
    found = refine([Span(start + shift, end + shift) for start, end in sounds], levels_of(sounds, now + 1.0))
    assert len(found) == len(sounds)
    assert all(0.0 <= span.start < span.end for span in found)
    assert all(one.end <= two.start for one, two in pairwise(found))
