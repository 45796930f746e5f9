from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import UsageError
from voicemill.git import head_commit
from voicemill.settings import Settings
from voicemill.workspace import Workspace, profile_id


def test_defaults_follow_the_contract(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, repository=tmp_path)
    assert settings.launch.backend == "local_docker"
    assert settings.launch.lane == "tts_prod_train"
    assert settings.commit == "unknown"
    assert not settings.dry_run
    assert settings.workspace.work == tmp_path / "work"
    assert settings.training.config == tmp_path / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml"


def test_empty_counts_as_not_set_and_values_are_read(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"WORK_DIR": "", "PROD_TTS_MAX_STEPS": "20", "PROD_TTS_DRY_RUN": "1", "PROD_TTS_COMMIT": "abc"},
        repository=tmp_path,
    )
    assert (settings.workspace.work, settings.training.max_steps, settings.dry_run, settings.commit) == (
        tmp_path / "work",
        20,
        True,
        "abc",
    )


def test_paths_follow_the_workspace_unless_a_variable_names_another(tmp_path: Path) -> None:
    default = Settings.from_environment({"WORK_DIR": "w"}, repository=tmp_path).paths
    assert default.training_status == Path("w/artifacts/prod_tts_train_status.json")
    assert default.evaluation == Path("w/artifacts/prod_tts_eval.json")
    assert default.lane_status("job") == Path("w/artifacts/train_status.job.json")
    assert default.promoted("anna") == Path("w/bundles/anna/voice_bundle")
    given = {
        "WORK_DIR": "w",
        "PROD_TTS_ARTIFACTS_DIR": "a",
        "PROD_TTS_EVAL_PATH": "e.json",
        "TRAIN_STATUS_PATH": "s.json",
        "PROMOTED_BUNDLE_ROOT": "voices",
    }
    named = Settings.from_environment(given, repository=tmp_path).paths
    assert named.training_status == Path("a/prod_tts_train_status.json")
    assert (named.evaluation, named.lane_status("job")) == (Path("e.json"), Path("s.json"))
    assert named.promoted("anna") == Path("voices/anna/voice_bundle")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROD_TTS_DRY_RUN", "yes"),
        ("PROD_TTS_MAX_STEPS", "0"),
        ("PROD_TTS_MAX_STEPS", "-3"),
        ("PROD_TTS_NODES", "two"),
        ("PROD_TTS_MAX_STEPS", "9" * 5000),
    ],
)
def test_values_without_sense_are_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        Settings.from_environment({name: value}, repository=tmp_path)


def test_head_is_the_checkouts_else_the_images(repository: Path, tmp_path: Path) -> None:
    assert head_commit(tmp_path, "cafe") == "cafe"
    assert head_commit(tmp_path) == "unknown"
    assert head_commit(repository) == "unknown" or len(head_commit(repository)) == 40


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "-x", ".hidden", "a..b", "x" * 65, "é"])
def test_profile_ids_that_are_no_folder_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_id(name)
    assert caught.value.reason == "invalid_voice_profile_id"


def test_workspace_names(tmp_path: Path) -> None:
    workspace = Workspace(work=tmp_path / "work", cache=tmp_path / "cache")
    assert workspace.lane_status("tts_prod_train") == tmp_path / "work/artifacts/train_status.tts_prod_train.json"
    assert workspace.promoted("anna") == tmp_path / "work/bundles/anna/voice_bundle"


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines", "bell\x07"])
def test_a_reason_against_marks_is_one_short_line(reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.from_environment({"VOICEMILL_UNMARKED": reason})
    assert caught.value.code == "unmarked_reason_invalid"
    assert Settings.from_environment({"VOICEMILL_UNMARKED": "a test"}).voice.unmarked == "a test"
    assert Settings.from_environment({}).voice.unmarked is None
