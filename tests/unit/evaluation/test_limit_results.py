from __future__ import annotations

import pytest

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.limit_results import apply_limits, require_limits
from voicemill.metrics.figure_limits import FigureLimits


def test_inside_its_limits_a_voice_goes_on(evaluated) -> None:
    found = apply_limits(evaluated[1].evaluation, FigureLimits(max_mcd=100, min_speed=0))
    assert (found.status, found.root_cause) == ("ok", "none")
    assert [(each.name, each.holds) for each in found.limits] == [("max_mcd", True), ("min_speed", True)]
    require_limits(found)


def test_outside_figure_and_limit_are_named_and_the_figures_stay(evaluated) -> None:
    before = evaluated[1].evaluation
    found = apply_limits(before, FigureLimits(max_mcd=0.001, max_cer_excess=1, min_speed=1e9))
    assert (found.status, found.root_cause) == ("blocked", "quality_outside_limits:mcd,speed")
    assert found.figures == before.figures
    with pytest.raises(NotAcceptableError, match=r"mcd \d.*at most 0.001; speed .*at least 1e\+09") as caught:
        require_limits(found)
    assert (caught.value.reason, caught.value.exit_code) == (found.root_cause, 3)
    assert caught.value.line == "quality_outside_limits:mcd,speed max_mcd=0.001 min_speed=1e+09"


def test_an_unmeasured_figure_with_a_limit_counts_as_outside(evaluated) -> None:
    found = apply_limits(evaluated[1].evaluation, FigureLimits(max_long_cer_excess=1, min_speaker_similarity=0))
    assert found.root_cause == "quality_outside_limits:speaker_similarity,long_cer_excess"
    with pytest.raises(NotAcceptableError, match="speaker_similarity not measured, at least 0"):
        require_limits(found)
