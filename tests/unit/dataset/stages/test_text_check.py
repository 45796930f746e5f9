from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from voicemill.dataset import doubts
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.errors import DatasetError
from voicemill.review.dataset_view import clip_row
from voicemill.review.pictures import ClipPictures
from voicemill.review.rejections import ClipSound
from voicemill.workspace import Workspace

PEOPLE = Path(__file__).parents[3] / "data" / "people"
SENTENCES = {
    "kathleen/arctic_a0144": "But there was something even more startling than this resemblance.",
    "kathleen/arctic_b0208": "You read the quotations in today's paper.",
    "kathleen/arctic_b0236": "Oolong was 250 miles from the nearest land.",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("people")
    clips = folder / "clips"
    clips.mkdir()
    for name, text in SENTENCES.items():
        source = PEOPLE / f"{name}.flac"
        shutil.copy(source, clips / source.name)
        (clips / source.name).with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    request = PreparationRequest(voice="kathleen", source=recording_source(clips), sample_rate=16_000, workers=1)
    return prepare(request, Workspace(work=folder / "work", cache=folder / "cache"))


def test_a_clip_with_a_wrong_word_is_rejected_and_the_word_is_named(dataset: PreparedDataset) -> None:
    (row,) = [row for row in dataset.report.rejected if row.reason == "text_mismatch"]
    assert row.source == "arctic_a0144.flac"
    assert "“about” seems to be spoken instead of “than” (word 8)" in row.detail


def test_the_dataset_has_the_readings_that_were_spoken(dataset: PreparedDataset) -> None:
    entries = {entry.source: entry for entry in dataset.entries}
    number, read = entries["arctic_b0236.flac"], entries["arctic_b0208.flac"]
    assert number.text == SENTENCES["kathleen/arctic_b0236"]
    assert number.normalized_text == "Oolong was two hundred and fifty miles from the nearest land."
    assert [row[0] for row in number.alignment][2:6] == ["two", "hundred", "and", "fifty"]
    assert [phone for phone, _, _ in read.alignment[1][3]] == ["R", "EH", "D"]


def test_the_check_and_its_model_are_part_of_the_datasets_key(dataset: PreparedDataset) -> None:
    assert "openai/whisper-tiny.en" in dataset.description.tools


def test_doubtful_words_are_written_read_and_marked(dataset: PreparedDataset, tmp_path: Path) -> None:
    entry = dataset.entries[0]
    doubt = doubts.Doubt(first=1, last=2, recognised="red")
    doubts.write(tmp_path, [doubts.DoubtfulClip(id=entry.id, words=(doubt,))])
    assert doubts.read(tmp_path) == {entry.id: (doubt,)}
    pictures = ClipPictures(wave="", spectrogram="", pitch_hz=None)
    row = clip_row(entry, pictures, ClipSound("", embedded=False), (doubt,))
    words = [word[0] for word in entry.alignment]
    assert [(word.text, word.doubtful) for word in row.words] == [(word, index == 1) for index, word in enumerate(words)]
    assert row.doubts == [f"“red” seems to be spoken instead of “{words[1]}” (word 2)"]
    certain = [dataclasses.replace(word, doubtful=False) for word in row.words]
    assert dataclasses.replace(row, doubts=[], words=certain) == clip_row(entry, row.pictures, row.sound)


def test_without_doubts_there_is_no_file(tmp_path: Path) -> None:
    doubts.write(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
    assert doubts.read(tmp_path) == {}


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / doubts.NAME).write_text(json.dumps({"id": "a"}) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        doubts.read(tmp_path)
    assert caught.value.reason == "doubts_invalid:1"
