from __future__ import annotations

import shutil
from pathlib import Path

from voicemill.dataset import description
from voicemill.dataset.prepared import PreparedDataset


def test_pitch_stands_at_the_top_where_training_reads_it(prepared: PreparedDataset) -> None:
    described = prepared.description
    assert (described.pitch_mean, described.pitch_fmax) == (prepared.stats.pitch_mean, prepared.stats.pitch_fmax)
    assert described.settings.seed == 3
    assert [(source.name, source.role) for source in described.inputs] == [
        ("piece.flac", "recording"),
        ("script.txt", "text"),
    ]


def test_every_difference_is_named(prepared: PreparedDataset, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(prepared.root, root)
    described = description.read(root)
    assert described == prepared.description
    assert description.differences(root, described) == []
    (root / "train.jsonl").write_text("")
    (root / "lexicon.dict").unlink()
    (root / "clips" / "more.wav").write_bytes(b"")
    assert description.differences(root, described) == [
        "unlisted clips/more.wav",
        "missing lexicon.dict",
        "changed train.jsonl",
    ]


def test_what_is_no_description_is_none(tmp_path: Path) -> None:
    assert description.read(tmp_path) is None
    for text in ("{", '{"version": "voicemill_dataset/0"}'):
        (tmp_path / "dataset.json").write_text(text)
        assert description.read(tmp_path) is None
