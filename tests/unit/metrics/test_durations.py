from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import NotMeasurableError
from voicemill.metrics.durations import duration_error


@given(st.floats(0.1, 100.0), st.floats(0.1, 10.0))
def test_a_stretch_by_a_known_factor_gives_the_known_error(seconds: float, factor: float) -> None:
    assert duration_error(seconds, seconds * factor) == pytest.approx(abs(factor - 1.0), abs=1e-9)


def test_too_fast_does_not_make_up_for_too_slow() -> None:
    assert (duration_error(2.0, 1.0) + duration_error(2.0, 3.0)) / 2 == 0.5


def test_no_length_is_no_reference() -> None:
    with pytest.raises(NotMeasurableError):
        duration_error(0.0, 1.0)
