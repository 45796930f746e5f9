from __future__ import annotations

import json

import pytest

from voicemill import files
from voicemill.errors import TrainingError
from voicemill_musicgen.status import VoiceTrainStatusFile, check_outputs


@pytest.fixture
def outputs(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"adapter")
    status = VoiceTrainStatusFile(tmp_path / "s.json", "tts_voice_train")
    digest = files.sha256_file(tmp_path / "a.pt")
    status.complete(loss=2.5, checkpoint="a.pt", checkpoint_sha256=digest)
    return tmp_path / "s.json", tmp_path / "a.pt"


def test_it_runs_then_ends(tmp_path):
    status = VoiceTrainStatusFile(tmp_path / "s.json", "tts_voice_train")
    assert files.read_json(tmp_path / "s.json")["state"] == "running"
    status.update(state="blocked", reason="non_finite_loss:step=3")
    found = files.read_json(tmp_path / "s.json")
    assert (found["state"], found["status"], found["loss"], found["checkpoint"]) == ("blocked", "blocked", None, None)
    assert found["promotable"] is False


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_no_training_is_completed_without_a_finite_loss(tmp_path, loss):
    status = VoiceTrainStatusFile(tmp_path / "s.json", "tts_voice_train")
    with pytest.raises(ValueError, match="not completed"):
        status.complete(loss=loss, checkpoint="a.pt", checkpoint_sha256="0" * 64)
    assert files.read_json(tmp_path / "s.json")["state"] == "running"


def test_outputs_of_a_finished_training(outputs):
    check_outputs(*outputs)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": float("nan")},
        {"loss": float("inf")},
        {"loss": None},
        {"loss": "2.5"},
        {"loss": True},
        {"status": "running"},
        {"state": "blocked"},
        {"checkpoint_sha256": "0" * 64},
        {"checkpoint_sha256": None},
    ],
)
def test_a_status_that_claims_too_much_is_a_regression(outputs, changes):
    status, checkpoint = outputs
    status.write_text(json.dumps(json.loads(status.read_text()) | changes))
    with pytest.raises(TrainingError) as caught:
        check_outputs(status, checkpoint)
    assert (caught.value.reason, caught.value.exit_code) == ("training_incomplete", 2)


def test_a_missing_checkpoint_or_status(outputs):
    status, checkpoint = outputs
    checkpoint.unlink()
    with pytest.raises(TrainingError):
        check_outputs(status, checkpoint)
    status.unlink()
    with pytest.raises(TrainingError):
        check_outputs(status, checkpoint)
