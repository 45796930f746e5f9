"""Edges that a person moved and pronunciations that a person gave: saved, prepared, undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from voicemill.dataset import edits
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import ClipFolderSource, PreparationRequest
from voicemill.errors import UsageError
from voicemill.review.session import Decision, ReviewSession
from voicemill.workspace import Workspace

PEOPLE = Path(__file__).parents[2] / "data" / "people"
TEXTS = {
    "arctic_b0208": "You read the quotations in today's paper.",
    "arctic_a0144": "But there was something even more startling about this resemblance.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("clips")
    for name, text in TEXTS.items():
        (found / f"{name}.flac").write_bytes((PEOPLE / f"kathleen/{name}.flac").read_bytes())
        (found / f"{name}.txt").write_text(text, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    base = tmp_path_factory.mktemp("edges")
    return Workspace(base / "work", base / "cache")


def prepared(folder: Path, workspace: Workspace) -> PreparedDataset:
    request = PreparationRequest("ann", ClipFolderSource(folder), workers=1, check_words=False, separate="never")
    return prepare(request, workspace)


def decide(session: ReviewSession, clip: str, **decision: object) -> object:
    return session.decide(Decision(dataset=session.dataset.sha256, clip=clip, **decision))


def test_the_next_preparation_has_the_edges_and_the_phones(folder: Path, workspace: Workspace) -> None:
    before = prepared(folder, workspace)
    entry = next(one for one in before.entries if one.source == "arctic_b0208.flac")
    other = next(one for one in before.entries if one is not entry)
    session = ReviewSession(before)
    edges = [round(entry.start + 0.03, 3), round(entry.end - 0.02, 3)]
    decide(session, entry.id, edges=edges)
    state = decide(session, entry.id, pronunciations={"read": "R IY D", "today's": "T AH D EY Z"})
    assert state.edges == tuple(edges)
    assert state.stood == (entry.start, entry.end)
    assert state.pronunciations["read"] == "R IY D"
    assert state.waiting
    after = prepared(folder, workspace)
    assert not after.cache_hit
    changed = next(one for one in after.entries if one.source == entry.source)
    assert (changed.start, changed.end) == pytest.approx(edges, abs=0.002)
    assert changed.duration == pytest.approx(edges[1] - edges[0], abs=0.002)
    phones = {word: [phone for phone, _, _ in rows] for word, _, _, rows in changed.alignment}
    assert phones["read"] == ["R", "IY", "D"]
    assert phones["today's"] == ["T", "AH", "D", "EY", "Z"]
    assert next(one for one in after.entries if one.source == other.source).sha256 == other.sha256
    again = ReviewSession(after)
    state = next(row for row in again.states() if row.clip == changed.id)
    assert (state.edges, state.stood) == (tuple(edges), (entry.start, entry.end))
    assert not state.waiting
    # Taken back, the dataset is as it was.
    decide(again, changed.id, edges=list(state.stood))
    state = decide(again, changed.id, pronunciations={})
    assert edits.read(after.root) == ()
    assert prepared(folder, workspace).sha256 == before.sha256


@pytest.mark.parametrize(
    "decision",
    [
        {"edges": [0.0, 60.0]},
        {"edges": [1.0, 1.1]},
        {"edges": [1.0, 0.5]},
        {"pronunciations": {"read": "R II D"}},
        {"pronunciations": {"read": ""}},
        {"pronunciations": {"<b>": "R"}},
        {"pronunciations": {"read": "R " * 300}},
    ],
)
def test_what_cannot_be_saved(folder: Path, workspace: Workspace, decision: dict[str, object]) -> None:
    dataset = prepared(folder, workspace)
    session = ReviewSession(dataset)
    with pytest.raises(UsageError) as refused:
        decide(session, dataset.entries[0].id, **decision)
    assert refused.value.code == "invalid_edit"
    assert edits.read(dataset.root) == ()


def test_one_decision_at_a_time() -> None:
    for fields in ({"edges": [0.0, 1.0], "text": "x"}, {"edges": [0.0]}, {}):
        with pytest.raises(ValidationError):
            Decision(dataset="x", clip="a", **fields)
    with pytest.raises(ValidationError):
        Decision(dataset="x", rejected=1, pronunciations={"a": "AH"})


def test_lines_of_earlier_versions_are_read_and_written_unchanged() -> None:
    line = (
        '{"end": 2.5, "source": "a.wav", "source_sha256": "'
        + "0" * 64
        + '", "start": 0.5, "text": "New.", "was": "Old."}'
    )
    edit = ClipEdit.model_validate_json(line)
    assert edit.line() == line
    assert edit.stretch == (0.5, 2.5)
