from __future__ import annotations

from pathlib import Path

import pytest

from voicemill import files
from voicemill.bundle.build import attribution_text
from voicemill.dataset import description
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.rights import Rights
from voicemill.lane.bundling import recordings_notice
from voicemill.settings import REPOSITORY
from voicemill.training_status import Ancestor, TrainingStatus

HELD = Rights(consent="I, Ann, agree.", consent_sha256="ab" * 32, licence="CC-BY-4.0")


@pytest.fixture
def status(prepared: PreparedDataset, tmp_path: Path) -> TrainingStatus:
    """Of a training on a dataset whose rights were stated."""
    stating = prepared.description.model_copy(update={"rights": HELD})
    files.write_json(tmp_path / "datasets/ann" / description.NAME, description.dump(stating))
    return TrainingStatus.model_construct(
        dataset_manifest="datasets/ann/manifest.jsonl", dataset_sha256=prepared.sha256, demo_recording=True
    )


def test_consent_and_licence_reach_the_attribution(status: TrainingStatus, tmp_path: Path) -> None:
    text = attribution_text([], recordings_notice(status, REPOSITORY, tmp_path))
    wanted = ("Training recordings", "Carnegie Mellon", "CC-BY-4.0", "ab" * 32, "I, Ann, agree.")
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)
    text = recordings_notice(status, REPOSITORY, tmp_path, "Another notice.\n")
    assert text.startswith("Another notice.\n\nLicence of the recordings: CC-BY-4.0")
    assert "Carnegie Mellon" not in text


def test_the_notices_of_the_earlier_voice_are_inherited(status: TrainingStatus, tmp_path: Path) -> None:
    before = Ancestor(voice="old", file="fastpitch.nemo", sha256="0" * 64, notice="Thanks to Zoe.\n")
    text = recordings_notice(status.model_copy(update={"init_from": before}), REPOSITORY, tmp_path)
    assert text.endswith("Its training started from the voice old, whose notices are:\n\nThanks to Zoe.")


def test_rights_of_another_dataset_are_not_carried(status: TrainingStatus, tmp_path: Path) -> None:
    other = status.model_copy(update={"dataset_sha256": "0" * 64, "demo_recording": False})
    assert recordings_notice(other, REPOSITORY, tmp_path) == ""
    assert recordings_notice(other, REPOSITORY, tmp_path / "elsewhere") == ""
    (tmp_path / "datasets/ann" / description.NAME).write_text("{")
    assert recordings_notice(status.model_copy(update={"demo_recording": False}), REPOSITORY, tmp_path) == ""
