from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from voicemill.errors import ConfigError
from voicemill.metrics.catalogue import BY_NAME
from voicemill.metrics.figure_limits import FigureLimits, Limit
from voicemill.training.config import load_config

BASE = Path("configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml")


def test_every_limit_names_a_figure_that_is_measured() -> None:
    every = FigureLimits.model_validate(dict.fromkeys(FigureLimits.model_fields, 0.5))
    assert {limit.figure for limit in every.limits()} <= set(BY_NAME)
    assert [limit.name for limit in every.limits()] == list(FigureLimits.model_fields)


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("max_mcd", 4.9, True),
        ("max_mcd", 5.0, True),
        ("max_mcd", 5.1, False),
        ("min_speed", 4.9, False),
        ("min_speed", 5.0, True),
        ("max_mcd", None, False),
    ],
)
def test_bounds_are_inclusive(name: str, value: float | None, holds: bool) -> None:
    assert Limit(name, name[4:], 5.0).holds(value) is holds


@pytest.mark.parametrize("wrong", [{"max_mdc": 5}, {"max_mcd": -1}, {"max_voicing_error": 2}, {"max_mcd": "much"}])
def test_unknown_names_and_values_without_sense_are_errors(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FigureLimits.model_validate(wrong)


@pytest.mark.parametrize("preset", ["cpu", "fine", "gpu", "finetune", "scratch"])
def test_presets_of_voices_that_ship_have_limits(repository: Path, preset: str) -> None:
    settings = load_config(repository / BASE, preset).evaluation
    assert settings.long_sentences
    assert settings.numbers
    assert {limit.figure for limit in settings.limits.limits()} >= {"cer_excess", "mcd", "long_cer_excess"}
    assert all(limit.figure not in ("speed", "real_time_factor") for limit in settings.limits.limits())


def test_the_smoke_preset_has_none(repository: Path) -> None:
    assert list(load_config(repository / BASE, "smoke").evaluation.limits.limits()) == []


def test_a_limit_that_does_not_exist_blocks_the_lane(repository: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(repository / BASE, "smoke", {"evaluation": {"limits": {"max_mdc": 5}}})
    assert caught.value.reason == "config_invalid:evaluation.limits.max_mdc"
