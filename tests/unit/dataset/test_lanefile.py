from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicemill import files
from voicemill.dataset.lanefile import LaneDataset, write_dry_lane_manifest, write_lane_manifest
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import DatasetError
from voicemill.workspace import Workspace


def test_what_a_lane_learned_from(prepared: PreparedDataset, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "dataset_manifest.tts_prod_train.json"
    write_lane_manifest(path, prepared)
    lane = LaneDataset.model_validate(files.read_json(path))
    assert lane.mode == "voice_dataset"
    assert lane.counts.entries == lane.counts.train + lane.counts.validation == 7
    assert lane.dataset_sha256 == files.sha256_file(workspace.work / lane.dataset_manifest)
    for entry in lane.entries:
        assert files.sha256_file(workspace.work / entry.path) == entry.sha256
    assert lane.total_seconds == prepared.report.seconds_kept
    assert path.read_text("utf-8") == files.dump_json(json.loads(path.read_text("utf-8")))


def test_a_dry_run_lists_the_manifest_as_it_stands(tmp_path: Path) -> None:
    manifest = tmp_path / "dry.jsonl"
    manifest.write_text('{"audio_filepath": "dry_run.wav", "duration": 1.5, "text": "A line."}\n')
    write_dry_lane_manifest(tmp_path / "lane.json", manifest)
    lane = LaneDataset.model_validate(files.read_json(tmp_path / "lane.json"))
    assert lane.dry_run
    assert [entry.path for entry in lane.entries] == ["dry_run.wav"]
    assert (lane.total_seconds, lane.dataset_sha256) == (1.5, files.sha256_file(manifest))


def test_a_dry_run_refuses_a_bad_manifest(tmp_path: Path) -> None:
    (tmp_path / "dry.jsonl").write_text("{\n")
    with pytest.raises(DatasetError):
        write_dry_lane_manifest(tmp_path / "lane.json", tmp_path / "dry.jsonl")
    assert not (tmp_path / "lane.json").exists()
