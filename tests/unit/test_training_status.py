from __future__ import annotations

import json

import pytest

from voicemill.errors import BundleError
from voicemill.training_status import TrainingStatus, is_digest, read_training_status, write_training_status

READY = TrainingStatus(
    objective_status="ready_for_bundle", status="ok", config_sha256="a" * 64, dataset_sha256="b" * 64
)


def test_what_is_written_is_read_back_and_has_the_contract_s_fields(tmp_path):
    path = tmp_path / "artifacts/status.json"
    write_training_status(path, READY)
    assert read_training_status(path) == READY
    fields = set(json.loads(path.read_text()))
    assert fields >= {"lane", "objective_status", "status", "root_cause", "dry_run", "gpu_available", "status_json"}
    assert fields >= {"selected_weights_id", "selected_weights", "config_path", "config_sha256", "dataset_manifest"}
    assert fields >= {"dataset_sha256", "metrics", "dataset_stats", "artifacts", "train_note"}
    assert fields >= {"commit", "seed", "started_at", "ended_at", "versions", "device", "peak_memory_bytes"}
    assert {"final_loss", "avg_loss", "steps"} <= set(json.loads(path.read_text())["metrics"])


def test_only_a_finished_run_with_both_digests_can_be_bundled():
    assert READY.bundleable
    for change in (
        {"config_sha256": "missing"},
        {"dataset_sha256": "A" * 64},
        {"status": "blocked"},
        {"objective_status": "blocked"},
    ):
        assert not READY.model_copy(update=change).bundleable
    assert not is_digest("a" * 63)
    assert not is_digest("a" * 64 + "\n")


@pytest.mark.parametrize("value", [None, 5, "", ["a"]])
def test_a_digest_that_is_none_counts_as_missing(value):
    assert TrainingStatus.model_validate(READY.model_dump() | {"config_sha256": value}).config_sha256 == "missing"


def test_foreign_fields_are_ignored_and_an_allowlist_entry_is_kept_whole(tmp_path):
    path = tmp_path / "status.json"
    path.write_text(
        json.dumps(
            {
                "status": "ok",
                "objective_status": "ready_for_bundle",
                "surprise": 1,
                "selected_weights": {"id": "a", "provider": "A"},
            }
        )
    )
    status = read_training_status(path)
    assert status.selected_weights.model_dump()["provider"] == "A"


@pytest.mark.parametrize("text", ["", "[]", '{"status": "ok"}', '{"status": "ok", "status": "ok"}', '{"status": NaN}'])
def test_broken_statuses(tmp_path, text):
    path = tmp_path / "status.json"
    with pytest.raises(BundleError) as caught:
        read_training_status(path)
    assert caught.value.reason == "missing_train_status"
    path.write_text(text)
    with pytest.raises(BundleError) as caught:
        read_training_status(path)
    assert caught.value.code == "train_status_invalid"


def test_a_loss_that_is_no_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        TrainingStatus.model_validate(READY.model_dump() | {"metrics": {"final_loss": float("nan")}})
