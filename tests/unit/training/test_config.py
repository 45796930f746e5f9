from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from voicemill.errors import ConfigError
from voicemill.layers import merge
from voicemill.training.config import TrainingConfig, load_config

BASE = Path("configs", "voice", "prod_tts", "nemo_fastpitch_hifigan.yaml")


@pytest.mark.parametrize("preset", ["smoke", "cpu", "fine", "gpu", "finetune", "scratch"])
def test_presets_load(repository: Path, preset: str) -> None:
    config = load_config(repository / BASE, preset)
    assert config.preset == preset
    assert config.audio.frames_per_second == pytest.approx(86.13, abs=0.01)


def test_a_preset_that_extends_another_says_only_what_is_different(repository: Path) -> None:
    cpu, fine = (load_config(repository / BASE, preset) for preset in ("cpu", "fine"))
    assert fine.acoustic.max_steps > cpu.acoustic.max_steps
    assert fine.runtime_vocoder.max_steps > cpu.runtime_vocoder.max_steps
    assert fine.acoustic.batch_size == cpu.acoustic.batch_size == 4
    assert fine.acoustic.base_weights == cpu.acoustic.base_weights
    assert fine.evaluation == cpu.evaluation


@pytest.mark.parametrize("parent", ["p", "q", "[cpu]", "3"])
def test_a_preset_that_extends_itself_or_no_preset_is_refused(tmp_path: Path, parent: str) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "p.yaml").write_text(f"extends: {parent}\n")
    (tmp_path / "presets" / "q.yaml").write_text("extends: p\n")
    (tmp_path / "base.yaml").write_text("seed: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "base.yaml", "p")
    assert caught.value.reason == "config_invalid:extends"


def test_overrides_win_over_preset_and_base(repository: Path) -> None:
    config = load_config(repository / BASE, "smoke", {"seed": 9, "acoustic": {"max_steps": 3}})
    assert (config.seed, config.acoustic.max_steps) == (9, 3)
    assert config.acoustic.width == load_config(repository / BASE, "smoke").acoustic.width


def test_merge_replaces_lists_and_keeps_the_inputs() -> None:
    base: dict[str, object] = {"a": {"b": [1, 2], "c": 1}}
    assert merge(base, {"a": {"b": [3]}}) == {"a": {"b": [3], "c": 1}}
    assert base == {"a": {"b": [1, 2], "c": 1}}


@pytest.mark.parametrize("name", ["nosuch", "../nemo_fastpitch_hifigan", ""])
def test_unknown_preset_names_the_known_ones(repository: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(repository / BASE, name)
    assert caught.value.code == "unknown_preset"
    assert "smoke" in caught.value.hint


def test_unknown_key_is_an_error_with_its_place(repository: Path) -> None:
    with pytest.raises(ConfigError, match=r"acoustic\.encoder\.layer\b") as caught:
        load_config(repository / BASE, "smoke", {"acoustic": {"encoder": {"layer": 2}}})
    assert caught.value.reason == "config_invalid:acoustic.encoder.layer"


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "1: x"])
def test_broken_base(tmp_path: Path, content: str) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "p.yaml").write_text("seed: 1\n")
    (tmp_path / "base.yaml").write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "base.yaml", "p")
    assert caught.value.reason == "config_invalid:base.yaml"


def test_settings_are_frozen_and_checked() -> None:
    config = TrainingConfig(preset="x")
    with pytest.raises(ValidationError):
        config.seed = 2  # type: ignore[misc]
    with pytest.raises(ValidationError, match="fmax"):
        TrainingConfig.model_validate({"preset": "x", "audio": {"fmax": 12000}})


def test_steps_follow_the_minutes_of_audio(repository: Path) -> None:
    base = repository / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml"
    finetune = load_config(base, "finetune")
    assert [finetune.for_audio(60 * minutes).acoustic.max_steps for minutes in (0.0, 0.5, 3, 30)] == [
        1,
        500,
        3000,
        20000,
    ]
    assert finetune.for_audio(180).vocoder.max_steps == 1500
    capped = finetune.model_copy(update={"acoustic": finetune.acoustic.model_copy(update={"max_steps": 100})})
    assert capped.for_audio(180).acoustic.max_steps == 100
    smoke, cpu = load_config(base, "smoke"), load_config(base, "cpu")
    assert smoke.for_audio(180) == smoke
    assert [cpu.for_audio(60 * minutes).acoustic.max_steps for minutes in (1, 3, 30)] == [120, 360, 500]


def test_the_quick_presets_have_no_validation(repository: Path) -> None:
    base = repository / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml"
    intervals = {
        preset: load_config(base, preset).acoustic.validation.interval for preset in ("smoke", "cpu", "finetune")
    }
    assert intervals == {"smoke": 0, "cpu": 0, "finetune": 500}
