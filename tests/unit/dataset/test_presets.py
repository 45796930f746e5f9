from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.audio.segmentation import Segmentation
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.presets import DEFAULT, SHIPPED, PreparationPreset, load_preset
from voicemill.errors import ConfigError
from voicemill.settings import REPOSITORY

BASE = REPOSITORY / SHIPPED


def test_the_base_states_the_defaults() -> None:
    assert load_preset(BASE, DEFAULT) == PreparationPreset(segmentation=Segmentation(), quality=QualityLimits())


@pytest.mark.parametrize("path", sorted((BASE.parent / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_preset_is_one(path: Path) -> None:
    made = load_preset(BASE, path.stem)
    assert (made != PreparationPreset()) == (path.stem != DEFAULT)


def test_a_wish_comes_before_the_preset() -> None:
    made = load_preset(BASE, "studio", {"max_duration": 8.0})
    assert (made.segmentation.max_duration, made.segmentation.min_duration) == (8.0, 1.0)
    assert made.quality.min_snr_db > QualityLimits().min_snr_db


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        ("segmentation: {longest: 3}", "config_invalid:segmentation", "there is no longest"),
        ("quality: {min_snr: 3}", "config_invalid:quality.min_snr", "Extra inputs are not permitted"),
        ("loud: 3", "config_invalid:loud", "Extra inputs are not permitted"),
        ("segmentation: {max_duration: 0.5}", "config_invalid:segmentation", "below max_duration"),
        ("quality: [", "config_invalid:mine.yaml", "not valid YAML"),
    ],
)
def test_a_wrong_preset_is_named(tmp_path: Path, text: str, reason: str, told: str) -> None:
    (tmp_path / "base.yaml").write_text("quality: {min_snr_db: 10}")
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        load_preset(tmp_path / "base.yaml", "mine")
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", ["none", "../base"])
def test_no_such_preset(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset(BASE, name)
    assert caught.value.reason == f"unknown_preset:{name}"
    assert "archive, standard, studio" in caught.value.hint
