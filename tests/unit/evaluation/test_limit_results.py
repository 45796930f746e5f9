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


def test_a_ratio_of_error_rates_holds_within_the_excess_that_is_chance(evaluated, figure) -> None:
    def status(ratio: float | None, excess: float) -> str:
        figures = {"wer_whisper_ratio": figure(ratio), "wer_whisper_excess": figure(excess)}
        found = evaluated[1].evaluation.model_copy(update={"figures": figures})
        return apply_limits(found, FigureLimits(max_wer_whisper_ratio=1.3)).status

    assert status(1.2, 0.05) == "ok"
    assert status(3.0, 0.02) == "ok"
    assert status(3.0, 0.021) == "blocked"


def test_a_limit_is_not_applied_where_its_judge_is_missing(evaluated) -> None:
    limits = FigureLimits(min_speaker_similarity_ratio=0.9, max_dnsmos_p808_drop=1.0)
    found = apply_limits(evaluated[1].evaluation, limits)
    assert (found.status, found.limits) == ("ok", [])
