from __future__ import annotations

import numpy as np
import pytest

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
