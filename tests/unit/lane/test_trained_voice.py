from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.lane.trained_voice import TrainingRecord


@pytest.fixture
def record(tmp_path: Path) -> TrainingRecord:
    from voicemill import files

    (tmp_path / "fastpitch.nemo").write_bytes(b"weights")
    made = TrainingRecord(
        key="k",
        nemo="fastpitch.nemo",
        nemo_sha256=files.sha256_bytes(b"weights"),
        steps=3,
        final_loss=0.5,
        average_loss=0.6,
        loss_curve=((1, 1.0, 0.9), (2, 0.7, 0.6), (3, 0.5, 0.4)),
        seconds=1.5,
        seconds_to_first_step=0.5,
        peak_memory_bytes=9,
        weights_sha256="0" * 64,
    )
    made.save(tmp_path / "record.json")
    return made


def test_found_again_under_its_key_only(tmp_path: Path, record: TrainingRecord) -> None:
    assert TrainingRecord.find(tmp_path / "record.json", "k") == record
    assert TrainingRecord.find(tmp_path / "record.json", "other") is None


def test_a_changed_or_missing_model_is_no_hit(tmp_path: Path, record: TrainingRecord) -> None:
    (tmp_path / record.nemo).write_bytes(b"changed")
    assert TrainingRecord.find(tmp_path / "record.json", "k") is None
    (tmp_path / record.nemo).unlink()
    assert TrainingRecord.find(tmp_path / "record.json", "k") is None


@pytest.mark.parametrize("content", ["", "{", '{"key": "k"}', "[]"])
def test_a_damaged_record_means_the_run_is_done_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "record.json").write_text(content)
    assert TrainingRecord.find(tmp_path / "record.json", "k") is None
