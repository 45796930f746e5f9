from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from voicemill.errors import NotMeasurableError
from voicemill.metrics.pitch_errors import pitch_errors

DIAGONAL = np.stack([np.arange(4), np.arange(4)], axis=1)


def test_equal_contours_have_no_error() -> None:
    contour = np.array([0.0, 100.0, 110.0, 0.0])
    found = pitch_errors(contour, contour, DIAGONAL)
    assert (found.gross_pitch_error, found.voicing_decision_error) == (0, 0)
    assert (found.f0_frame_error, found.f0_rmse_cents) == (0, 0)


def test_a_semitone_off_is_a_hundred_cents_and_no_gross_error() -> None:
    contour = np.array([100.0, 120.0, 140.0, 0.0])
    found = pitch_errors(contour, contour * 2 ** (1 / 12), DIAGONAL)
    assert found.f0_rmse_cents == pytest.approx(100.0)
    assert found.gross_pitch_error == 0.0


def test_octave_errors_are_gross_and_do_not_enter_the_cents() -> None:
    found = pitch_errors(np.array([100.0, 100.0, 100.0, 0.0]), np.array([100.0, 200.0, 0.0, 0.0]), DIAGONAL)
    assert found.gross_pitch_error == 0.5
    assert found.voicing_decision_error == 0.25
    assert found.f0_frame_error == 0.5
    assert found.f0_rmse_cents == 0.0


def test_no_frame_voiced_in_both_means_no_figure() -> None:
    found = pitch_errors(np.array([100.0, 0.0, 0.0, 0.0]), np.array([0.0, 100.0, np.nan, 0.0]), DIAGONAL)
    assert found.gross_pitch_error is None
    assert found.f0_rmse_cents is None
    assert found.voicing_decision_error == 0.5


def test_pairs_beyond_a_contour_are_left_out() -> None:
    assert pitch_errors(np.array([100.0, 100.0, 100.0]), np.full(4, 100.0), DIAGONAL).frames == 3
    with pytest.raises(NotMeasurableError):
        pitch_errors(np.zeros(0), np.zeros(4), DIAGONAL)


voiced = st.floats(60.0, 400.0)
contours = st.lists(st.one_of(st.just(0.0), voiced), min_size=1, max_size=80)


def diagonal(length: int) -> np.ndarray:
    return np.stack([np.arange(length)] * 2, axis=1)


@given(st.lists(voiced, min_size=20, max_size=80), st.floats(0.5, 2.0))
def test_a_shift_by_a_known_factor_gives_the_known_errors(hertz: list[float], factor: float) -> None:
    contour = np.array(hertz)
    found = pitch_errors(contour, contour * factor, diagonal(len(contour)))
    assert found.voicing_decision_error == 0.0
    if abs(factor - 1) < 0.199:
        assert found.gross_pitch_error == 0.0
        assert found.f0_rmse_cents == pytest.approx(abs(1200 * np.log2(factor)), abs=1e-6)
    elif abs(factor - 1) > 0.201:
        assert found.gross_pitch_error == 1.0
        assert found.f0_rmse_cents is None
    if np.ptp(contour) > 1e-3:
        assert found.f0_correlation == pytest.approx(1.0, abs=1e-6)


@given(contours, st.data())
def test_figures_are_those_of_the_textbook_loop(reference: list[float], data: st.DataObject) -> None:
    """The definitions, frame by frame, and scipy's correlation."""
    other = data.draw(
        st.lists(st.one_of(st.just(0.0), voiced), min_size=len(reference), max_size=len(reference)), label="other"
    )
    found = pitch_errors(np.array(reference), np.array(other), diagonal(len(reference)))
    pairs = list(zip(reference, other, strict=True))
    both = [(a, b) for a, b in pairs if a and b]
    gross = [abs(b / a - 1) > 0.2 for a, b in both]
    decisions = [bool(a) != bool(b) for a, b in pairs]
    assert found.voicing_decision_error == pytest.approx(sum(decisions) / len(pairs))
    assert found.f0_frame_error == pytest.approx((sum(decisions) + sum(gross)) / len(pairs))
    assert found.gross_pitch_error == (pytest.approx(sum(gross) / len(both)) if both else None)
    fine = [1200 * math.log2(b / a) for (a, b), bad in zip(both, gross, strict=True) if not bad]
    expected = math.sqrt(sum(each * each for each in fine) / len(fine)) if fine else None
    assert found.f0_rmse_cents == (pytest.approx(expected, abs=1e-9) if fine else None)
    if len(both) < 10:
        assert found.f0_correlation is None
    elif found.f0_correlation is not None and min(np.ptp(np.array(both), axis=0)) > 1e-3:
        assert found.f0_correlation == pytest.approx(stats.pearsonr(*zip(*both, strict=True)).statistic, abs=1e-6)


def test_a_melody_upside_down_and_a_voice_that_does_not_move() -> None:
    melody = 150.0 + 30.0 * np.sin(np.arange(40) / 3)
    assert pitch_errors(melody, 300.0 - melody, diagonal(40)).f0_correlation == pytest.approx(-1.0)
    assert pitch_errors(melody, np.full(40, 150.0), diagonal(40)).f0_correlation is None
