from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from voicemill.dataset.manifest import ManifestEntry, read_entries, read_manifest, write_manifest
from voicemill.errors import DatasetError

Make = Callable[..., ManifestEntry]


def test_an_evaluation_written_is_read_back(tmp_path: Path, entry: Make) -> None:
    entries = [entry(), entry(id="v_0002", text="Größe\u2028x", split="validation", speaker=3)]
    write_manifest(tmp_path / "m.jsonl", entries)
    assert read_entries(tmp_path / "m.jsonl") == entries


def test_an_entry_is_one_line_to_every_reader(entry: Make) -> None:
    line = entry(text="One\u2028two\x85three\nfour").line()
    assert line.splitlines() == [line]
    assert json.loads(line)["text"] == "One\u2028two\x85three\nfour"


def test_lines_are_nemo_manifest_lines(tmp_path: Path, entry: Make) -> None:
    write_manifest(tmp_path / "m.jsonl", [entry()])
    line = json.loads((tmp_path / "m.jsonl").read_text("utf-8"))
    assert {"audio_filepath", "text", "duration", "normalized_text", "sha256"} <= set(line)
    assert "speaker" not in line
    assert list(line) == sorted(line)


def test_foreign_manifest_may_lack_what_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_text(
        '{"audio_filepath": "/a/b.wav", "text": "Hi.", "lang": "en"}\n\n'
        '{"audio_filepath": "c.wav", "text": "Yes.", "duration": 2}\n'
    )
    first, second = read_manifest(path)
    assert (first.duration, second.duration) == (None, 2.0)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"text": "no path"}',
        '{"audio_filepath": "a.wav"}',
        '{"audio_filepath": "a.wav", "text": "  "}',
        '{"audio_filepath": "a.wav", "text": "Hi.", "duration": 0}',
        '{"audio_filepath": "a.wav", "text": "Hi.", "duration": NaN}',
        '{"audio_filepath": "a.wav", "text": "Hi.", "text": "Ho."}',
        '{"audio_filepath": "a.wav", "text": "Hi.", "split": "test"}',
    ],
)
def test_a_bad_line_is_named_not_skipped(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "text": "Fine."}\n' + line + "\n")
    with pytest.raises(DatasetError, match=r"m\.jsonl:2") as caught:
        read_manifest(path)
    assert caught.value.reason == "dataset_manifest_invalid:m.jsonl:2"


def test_missing_and_empty_manifests(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read_manifest(tmp_path / "none.jsonl")
    assert caught.value.code == "dataset_manifest_missing"
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DatasetError) as caught:
        read_manifest(tmp_path / "empty.jsonl")
    assert caught.value.reason == "dataset_no_valid_audio"


@pytest.mark.parametrize("path", ["../x.wav", "/x.wav", "a//b.wav", "a\\b.wav"])
def test_our_paths_stay_below_the_manifest(path: str, entry: Make) -> None:
    with pytest.raises(ValidationError):
        entry(audio_filepath=path)


def test_our_own_lines_are_strict(tmp_path: Path, entry: Make) -> None:
    line = json.loads(entry().line()) | {"extra": 1}
    (tmp_path / "m.jsonl").write_text(json.dumps(line))
    with pytest.raises(DatasetError, match="extra"):
        read_entries(tmp_path / "m.jsonl")
