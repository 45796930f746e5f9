"""Which dataset belongs to a request: what it was made of, what it hands on, and what it protects."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from voicemill import files
from voicemill.audio.channels import ChannelSelection
from voicemill.dataset import description, edits, resolution
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.description_parts import SourceFile
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.request import (
    INHERITABLE,
    PreparationRequest,
    RecordingSource,
    WebRecordingSource,
)
from voicemill.errors import DatasetError, RefusedError, UsageError
from voicemill.workspace import Workspace

DICTIONARY = SourceFile(name="own.dict", role="lexicon", bytes=9, sha256="d" * 64)
EDITS = SourceFile(name="edits.jsonl", role="edits", bytes=9, sha256="e" * 64)


@pytest.fixture(scope="module")
def before() -> DatasetDescription:
    """As a preparation of the demo's first seven sentences wrote it."""
    return DatasetDescription.model_validate_json(Path(__file__).with_name("description.json").read_text("utf-8"))


@pytest.fixture
def request_of(tmp_path: Path) -> PreparationRequest:
    audio, script = tmp_path / "piece.flac", tmp_path / "script.txt"
    for path in (audio, script):
        path.write_text("x")
    return PreparationRequest(voice="demo", source=RecordingSource(audio, script), seed=3)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(work=tmp_path / "work", cache=tmp_path / "cache")


def described(before: DatasetDescription, **changes: object) -> DatasetDescription:
    return before.model_copy(update=changes)


def timed(before: DatasetDescription, **changes: object) -> DatasetDescription:
    return described(before, settings=before.settings.model_copy(update=changes))


def other(row: SourceFile, digit: str) -> SourceFile:
    return row.model_copy(update={"sha256": digit * 64})


def test_the_same_source_is_the_same_recordings_part_and_text(
    before: DatasetDescription, request_of: PreparationRequest
) -> None:
    same, inputs = resolution.same_source, before.inputs
    assert [row.role for row in inputs] == ["recording", "text"]
    assert same(before, request_of, inputs)
    assert same(before, request_of, (*inputs, DICTIONARY, EDITS)), "a dictionary and edits are no source"
    assert same(described(before, inputs=(*inputs, EDITS)), request_of, inputs)
    for index in range(2):
        for digit in "0f":
            changed = [other(row, digit) if number == index else row for number, row in enumerate(inputs)]
            assert not same(before, request_of, changed)
        assert not same(before, request_of, inputs[:index] + inputs[index + 1 :])
    assert not same(before, request_of, (*inputs, inputs[0]))
    for name, values in {"start": (0.5, 0.6), "end": (5.0, 6.0), "tier": ("a", "b")}.items():
        low, high = (timed(before, **{name: value}) for value in values)
        for known in (low, high):
            assert not same(known, request_of, inputs)
        source = dataclasses.replace(request_of.source, **{name: values[0]})
        asked = dataclasses.replace(request_of, source=source)
        assert same(low, asked, inputs)
        assert not same(high, asked, inputs)
        assert not same(before, asked, inputs)


def test_changed_settings_are_named_without_the_voice(before: DatasetDescription) -> None:
    settings = before.settings
    renamed = settings.model_copy(update={"voice": "another", "seed": 9, "target_lufs": -20.0})
    assert sorted(resolution._changes(settings, renamed)) == ["seed", "target_lufs"]
    assert resolution._changes(settings, settings) == []


def test_a_reviewed_dataset_is_protected_and_the_differences_are_named(
    before: DatasetDescription, request_of: PreparationRequest, tmp_path: Path
) -> None:
    asked = dataclasses.replace(request_of, inherited=INHERITABLE).inheriting(before)
    root, inputs = tmp_path / "demo", before.inputs
    reviewed = described(before, inputs=(*inputs, EDITS))

    def refused(request: PreparationRequest, rows: tuple[SourceFile, ...], known: DatasetDescription = reviewed) -> str:
        with pytest.raises(UsageError) as caught:
            resolution.require_replaceable(request, rows, known, root)
        assert caught.value.reason == "dataset_reviewed:demo"
        return str(caught.value).rpartition("differs in: ")[2]

    resolution.require_replaceable(asked, inputs, reviewed, root)
    seed = dataclasses.replace(asked, seed=asked.seed + 1)
    assert refused(seed, inputs) == "seed."
    assert refused(asked, (other(inputs[0], "0"), inputs[1])) == "recordings."
    assert refused(asked, (inputs[0], other(inputs[1], "f"))) == "text."
    assert refused(asked, (*inputs, DICTIONARY)) == "lexicon."
    with_dictionary = described(reviewed, inputs=(*reviewed.inputs, DICTIONARY))
    assert refused(asked, inputs, with_dictionary) == "lexicon."
    resolution.require_replaceable(asked, (*inputs, DICTIONARY), with_dictionary, root)
    left = dataclasses.replace(asked, channel="left")
    assert refused(left, inputs) == "track or channel."
    taken = described(reviewed, tools=before.tools | ChannelSelection(None, "left").record)
    resolution.require_replaceable(left, inputs, taken, root)
    assert refused(dataclasses.replace(left, seed=asked.seed + 1), (), reviewed) == (
        "seed, track or channel, recordings, text."
    )

    resolution.require_replaceable(seed, inputs, before, root)  # it was not reviewed
    resolution.require_replaceable(seed, inputs, None, root)  # there is none
    resolution.require_replaceable(dataclasses.replace(seed, force=True), inputs, reviewed, root)
    resolution.require_replaceable(dataclasses.replace(seed, replace_reviewed=True), inputs, reviewed, root)
    root.mkdir()
    edits.write(root, [edit_of(before)])  # edits that wait protect it too
    assert refused(seed, inputs, before) == "seed."


def edit_of(before: DatasetDescription) -> ClipEdit:
    row = before.inputs[0]
    return ClipEdit(source=row.name, source_sha256=row.sha256, start=0.0, end=1.0, was="One.", verdict="drop")


def test_a_dataset_of_another_key_stays(before: DatasetDescription, tmp_path: Path) -> None:
    root = tmp_path / "demo"
    resolution.require_unchanged(root, None, "key")
    resolution.require_unchanged(root, before, "key")
    root.mkdir()
    (root / description.NAME).write_text(json.dumps(description.dump(before)))
    resolution.require_unchanged(root, before, "key")
    resolution.require_unchanged(root, None, before.content_key)
    for known in (None, described(before, content_key="0" * 64)):
        with pytest.raises(RefusedError) as caught:
            resolution.require_unchanged(root, known, "key")
        assert caught.value.reason == "lane_busy:demo"


def test_the_inputs_name_the_address_and_the_dictionary(request_of: PreparationRequest, tmp_path: Path) -> None:
    rows = (
        SourceFile(name="a.mp3", role="recording", bytes=1, sha256="a" * 64),
        SourceFile(name="a.txt", role="text", bytes=1, sha256="b" * 64),
    )
    assert resolution._with_lexicon(request_of, rows) == rows
    address = "https://example.org/a.mp3"
    web = dataclasses.replace(request_of, source=WebRecordingSource(address, None))
    recording, text = resolution._with_lexicon(web, rows)
    assert (recording.url, text.url) == (address, None)
    own = tmp_path / "own.dict"
    asked = dataclasses.replace(request_of, lexicon=own)
    with pytest.raises(DatasetError) as caught:
        resolution._with_lexicon(asked, rows)
    assert caught.value.reason == f"lexicon_missing:{own}"
    own.write_bytes(b"a AH0\n")
    expected = SourceFile(name="own.dict", role="lexicon", bytes=6, sha256=files.sha256_bytes(b"a AH0\n"))
    assert resolution._with_lexicon(asked, rows) == (*rows, expected)


def test_a_dictionary_must_still_be_there(request_of: PreparationRequest, tmp_path: Path) -> None:
    resolution.require_lexicon(request_of, ())
    resolution.require_lexicon(dataclasses.replace(request_of, lexicon=tmp_path / "own.dict"), (DICTIONARY,))
    with pytest.raises(DatasetError) as caught:
        resolution.require_lexicon(request_of, (DICTIONARY,))
    assert caught.value.reason == "lexicon_missing:own.dict"
    assert "in own.dict, which" in str(caught.value)


def test_the_source_of_a_dataset_is_found_again(before: DatasetDescription, place: Workspace, tmp_path: Path) -> None:
    audio, script, own = (tmp_path / name for name in ("a.wav", "a.txt", "own.dict"))
    for path in (audio, script, own):
        path.write_text("x")
    source = RecordingSource(audio, script, start=1.5)
    request = PreparationRequest(voice="demo", source=source, lexicon=own)
    assert resolution._recorded(place, before) is None
    resolution.record(request, place, before.content_key)
    path = place.cache / f"sources/{before.content_key}.json"
    assert path.is_file()
    assert resolution._recorded(place, before) == (source, own)
    resolution.record(dataclasses.replace(request, lexicon=None), place, before.content_key)
    assert resolution._recorded(place, before) == (source, None)
    script.unlink()
    assert resolution._recorded(place, before) is None
    script.write_text("x")
    whole = path.read_text()
    for text in (
        "{",
        "{}",
        whole.replace("RecordingSource", "PreparedVoiceSource"),
        whole.replace('"audio"', '"sound"'),
    ):
        path.write_text(text)
        assert resolution._recorded(place, before) is None, text
    path.unlink()
    path.mkdir()
    assert resolution._recorded(place, before) is None


def test_settings_and_dictionary_are_inherited(
    before: DatasetDescription, request_of: PreparationRequest, place: Workspace, tmp_path: Path
) -> None:
    own = tmp_path / "own.dict"
    own.write_text("a AH0\n")
    row = DICTIONARY.model_copy(update={"sha256": files.sha256_file(own)})
    known = described(timed(before, target_lufs=-18.0), inputs=(*before.inputs, row))
    asked = dataclasses.replace(request_of, inherited=INHERITABLE)
    found, inputs = resolution.inherit(asked, before.inputs, known, place)
    assert (found.target_lufs, found.lexicon) == (-18.0, None), "nothing says where the dictionary is"
    assert inputs == (*before.inputs, row)
    resolution.record(dataclasses.replace(request_of, lexicon=own), place, known.content_key)
    found, inputs = resolution.inherit(asked, before.inputs, known, place)
    assert (found.lexicon, inputs) == (own, (*before.inputs, row))
    own.write_text("a AA0\n")
    found, inputs = resolution.inherit(asked, before.inputs, known, place)
    assert (found.lexicon, inputs) == (None, (*before.inputs, row)), "it is another one now"
    mine = dataclasses.replace(asked, lexicon=tmp_path / "mine.dict")
    assert resolution.inherit(mine, before.inputs, known, place)[1] == before.inputs
    without = dataclasses.replace(asked, inherited=INHERITABLE - {"lexicon"})
    assert resolution.inherit(without, before.inputs, known, place)[1] == before.inputs
    assert resolution.inherit(asked, before.inputs, before, place)[1] == before.inputs
