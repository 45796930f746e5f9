from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import UsageError


def test_defaults(settings, tmp_path):
    found = settings()
    assert (found.git_sync, found.clear_previous, found.reset_outputs) == (False, True, True)
    assert (found.run_prepare, found.run_train, found.source_dir) == (True, True, None)
    assert found.manifest == tmp_path / "datasets/tts_voice_train/voice_dataset_manifest.json"
    assert found.status_path == tmp_path / "artifacts/train_status.tts_voice_train.json"
    assert found.checkpoint == tmp_path / "checkpoints/tts_voice_train_musicgen_small.pt"


def test_every_variable_is_read(settings):
    found = settings(
        RUN_GIT_SYNC=1,
        CLEAR_PREVIOUS_ARTIFACTS=0,
        RESET_TRAIN_OUTPUTS=0,
        RUN_PREPARE=0,
        RUN_TRAIN=0,
        KNOWLEDGE_SOURCE_DIR="in",
        KNOWLEDGE_AUDIO_DIR="out",
        AUDIO_PATH="a.flac",
        EXPECTED_HEAD="abcdef1",
        EFFICIENT_ATTENTION_BACKEND="torch",
    )
    assert (found.git_sync, found.clear_previous, found.reset_outputs) == (True, False, False)
    assert (found.run_prepare, found.run_train) == (False, False)
    assert (found.source_dir, found.manifest) == (Path("in"), Path("out/voice_dataset_manifest.json"))
    assert (found.common.source.audio, found.common.launch.expected_head) == (Path("a.flac"), "abcdef1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("EFFICIENT_ATTENTION_BACKEND", "xformers"), ("RUN_TRAIN", "yes"), ("RUN_GIT_SYNC", "2"), ("RUN_PREPARE", "x")],
)
def test_values_that_make_no_sense(settings, name, value):
    with pytest.raises(UsageError, match=name):
        settings(**{name: value})


def test_an_empty_variable_is_not_set(settings):
    assert settings(CLEAR_PREVIOUS_ARTIFACTS="", EFFICIENT_ATTENTION_BACKEND=" ").clear_previous is True
