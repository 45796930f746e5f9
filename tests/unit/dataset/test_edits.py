from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from voicemill import files
from voicemill.dataset import description, edits
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset, load
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.dataset.rights import Rights
from voicemill.errors import DatasetError
from voicemill.workspace import Workspace

Make = Callable[..., ClipEdit]


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, name: str, total: int | None = None) -> None: ...

    def advance(self, done: int, note: str = "") -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def edit() -> Make:
    def make(**changes: object) -> ClipEdit:
        values = {"source": "take.flac", "source_sha256": "a" * 64, "start": 10.0, "end": 14.0, "was": "Old words."}
        return ClipEdit.model_validate(values | {"verdict": "drop"} | changes)

    return make


@pytest.mark.parametrize(
    ("start", "end", "same"),
    [
        (10.0, 14.0, True),
        (10.1, 13.9, True),
        (9.8, 14.2, True),
        (10.0, 12.0, False),
        (8.0, 14.0, False),
        (14.0, 18.0, False),
    ],
)
def test_a_stretch_is_found_again_when_only_its_padding_moved(edit: Make, start: float, end: float, same: bool) -> None:
    assert edit().is_about("a" * 64, start, end) is same
    assert not edit().is_about("b" * 64, start, end)


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": None},
        {"text": " \n"},
        {"text": "a\x07b"},
        {"text": "x" * 2001},
        {"end": 10.0},
        {"verdict": "perhaps"},
        {"source_sha256": "missing"},
        {"unknown": 1},
        {"start": float("nan")},
    ],
)
def test_edits_that_make_no_sense(edit: Make, changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        edit(**changes)


def test_written_and_read_again(edit: Make, tmp_path: Path) -> None:
    some = [edit(start=20.0, end=24.0, text="Ännchen sagt “hi”.  Twice.", verdict=None), edit()]
    edits.write(tmp_path, some)
    first = (tmp_path / edits.NAME).read_bytes()
    assert edits.read(tmp_path) == (some[1], some[0].model_copy(update={"text": "Ännchen sagt “hi”. Twice."}))
    edits.write(tmp_path, reversed(some))
    assert (tmp_path / edits.NAME).read_bytes() == first
    assert edits.source_file(some)[0].sha256 == files.sha256_bytes(first)
    assert edits.source_file(()) == ()
    assert edits.read(tmp_path / "nowhere") == ()


def test_a_broken_line_is_named(edit: Make, tmp_path: Path) -> None:
    (tmp_path / edits.NAME).write_text(edit().line() + "\n{}\n", "utf-8")
    with pytest.raises(DatasetError) as caught:
        edits.read(tmp_path)
    assert caught.value.reason == "edits_invalid:2"


@pytest.fixture
def request_of(piece_audio: Path, piece_script: Path) -> PreparationRequest:
    return PreparationRequest(voice="demo", source=recording_source(piece_audio, piece_script), seed=3, workers=1)


def _about(prepared: PreparedDataset, index: int, **changes: object) -> ClipEdit:
    entry = prepared.entries[index]
    digest = edits.recordings(prepared.description.inputs)[entry.source]
    values = {
        "source": entry.source,
        "source_sha256": digest,
        "start": entry.start,
        "end": entry.end,
        "was": entry.text,
    }
    return ClipEdit.model_validate(values | changes)


@pytest.mark.slow
def test_a_preparation_applies_edits_and_keeps_them(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    other = Workspace(work=tmp_path, cache=workspace.cache)
    root = other.dataset("demo")
    dropped, changed = prepared.entries[1], prepared.entries[4]
    text = changed.text.split()[0] + " the " + " ".join(changed.text.split()[1:])
    stale = _about(prepared, 2, verdict="drop").model_copy(update={"source_sha256": "0" * 64})
    some = [_about(prepared, 1, verdict="drop"), _about(prepared, 4, text=text), stale]
    edits.write(root, some)
    lines = (root / edits.NAME).read_bytes()

    notes = Notes()
    made = prepare(request_of, other, notes)
    assert "review: 2 of 3 edits applied" in notes.notes
    assert any("fit no utterance" in note for note in notes.notes)
    assert made.description.content_key != prepared.description.content_key
    assert [entry.id for entry in made.entries] == [entry.id for entry in prepared.entries if entry != dropped]
    said = next(entry for entry in made.entries if entry.id == changed.id)
    assert said.text == text
    assert [row[0] for row in said.alignment] == [row[0] for row in changed.alignment[:1]] + ["the"] + [
        row[0] for row in changed.alignment[1:]
    ]
    assert said.sha256 == changed.sha256  # the sound is the same, only its words moved
    left_out = [row for row in made.report.rejected if row.reason == "dropped_in_review"]
    assert [(row.text, row.start) for row in left_out] == [(dropped.text, round(dropped.start, 3))]
    report = made.report
    assert report.seconds_in == pytest.approx(
        report.seconds_kept + report.seconds_pause + sum(total.seconds for total in report.by_reason.values()), abs=0.01
    )

    assert (root / edits.NAME).read_bytes() == lines
    assert prepare(request_of, other).cache_hit
    forced = prepare(dataclasses.replace(request_of, force=True), other)
    assert (forced.sha256, (root / edits.NAME).read_bytes()) == (made.sha256, lines)

    edits.write(root, [edit for edit in some if edit.verdict is None])  # restored
    again = prepare(request_of, other)
    assert not again.cache_hit
    assert dropped in again.entries


def test_edits_and_report_do_not_disturb_the_digests(prepared: PreparedDataset, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(prepared.root, root)
    edits.write(root, [_about(prepared, 0, verdict="drop")])
    files.write_text(root / description.REPORT, "<!doctype html>")
    assert load(root) is not None
    files.write_text(root / "other.html", "<!doctype html>")
    assert load(root) is None


@pytest.mark.slow
def test_a_clip_that_measures_badly_is_kept_by_hand(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    """A wrong text is rejected by its alignment score; with `keep` it stays."""
    other = Workspace(work=tmp_path, cache=workspace.cache)
    wrong = "Quite another sentence stands here about ships in the evening harbour."
    edits.write(other.dataset("demo"), [_about(prepared, 0, text=wrong)])
    made = prepare(request_of, other)
    assert [row.reason for row in made.report.rejected] == ["text_mismatch"]
    edits.write(other.dataset("demo"), [_about(prepared, 0, text=wrong, verdict="keep")])
    kept = prepare(request_of, other)
    assert [row.reason for row in kept.report.rejected] == []
    assert kept.entries[0].text == wrong


def test_everything_dropped(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    other = Workspace(work=tmp_path, cache=workspace.cache)
    all_of_them = tuple(_about(prepared, index, verdict="drop") for index in range(len(prepared.entries)))
    with pytest.raises(DatasetError) as caught:
        prepare(dataclasses.replace(request_of, edits=all_of_them), other)
    assert caught.value.reason == "dataset_no_valid_audio"
    assert "review" in caught.value.hint


def test_rights_are_recorded_without_another_preparation(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    import shutil

    other = Workspace(work=tmp_path, cache=workspace.cache)
    shutil.copytree(prepared.root, other.dataset("demo"))
    said = Rights(consent="I agree.", consent_sha256="0" * 64, licence="CC-BY-4.0")
    made = prepare(dataclasses.replace(request_of, rights=said), other)
    assert made.cache_hit
    recordings = tuple(edits.recordings(made.description.inputs).values())
    assert made.description.rights == said.model_copy(update={"recordings": recordings})
    assert load(other.dataset("demo")) == made
    assert prepare(request_of, other).description.rights == made.description.rights
