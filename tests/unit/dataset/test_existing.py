"""A training finds the dataset that a person prepared and reviewed: by name, or from the same source."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import threading
from pathlib import Path

import pytest

from voicemill.audio.segmentation import Segmentation
from voicemill.dataset import edits
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import (
    INHERITABLE,
    PreparationRequest,
    PreparedVoiceSource,
    recording_source,
)
from voicemill.errors import DatasetError, RefusedError, UsageError, VoicemillError
from voicemill.progress import SilentObserver
from voicemill.voices import registry
from voicemill.workspace import Workspace

pytestmark = pytest.mark.slow


class Notes(SilentObserver):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def home(prepared: PreparedDataset, workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace with the dataset `demo`, which was prepared with seed 3, and with none of its sources on record."""
    made = Workspace(work=tmp_path / "work", cache=workspace.cache)
    shutil.copytree(prepared.root, made.dataset("demo"))
    shutil.rmtree(workspace.cache / "sources", ignore_errors=True)
    return made


@pytest.fixture
def by_name() -> PreparationRequest:
    """The request of `voice-train-prod --voice demo`."""
    request = PreparationRequest(voice="demo", source=PreparedVoiceSource("demo"), inherited=INHERITABLE, workers=1)
    return request.for_training(22_050, 1, QualityLimits())


@pytest.fixture
def from_source(piece_audio: Path, piece_script: Path, by_name: PreparationRequest) -> PreparationRequest:
    """The request of `voice-train-prod --voice demo --audio … --script …`."""
    return dataclasses.replace(by_name, source=recording_source(piece_audio, piece_script))


def _drop(prepared: PreparedDataset, index: int = 1) -> ClipEdit:
    entry = prepared.entries[index]
    return ClipEdit(
        source=entry.source,
        source_sha256=edits.recordings(prepared.description.inputs)[entry.source],
        start=entry.start,
        end=entry.end,
        was=entry.text,
        verdict="drop",
    )


def test_a_prepared_voice_is_taken_as_it_is(
    prepared: PreparedDataset, home: Workspace, by_name: PreparationRequest
) -> None:
    notes = Notes()
    taken = prepare(by_name, home, notes)
    assert (taken.sha256, taken.cache_hit) == (prepared.sha256, True)
    assert notes.notes == [f"dataset of demo: unchanged, taken from the last run ({len(prepared.entries)} clips)"]


def test_the_same_source_is_the_same_dataset_whatever_the_defaults_are(
    prepared: PreparedDataset, home: Workspace, from_source: PreparationRequest
) -> None:
    """Seed 3 was prepared; the training's seed 1 is a default and does not draw another validation split."""
    notes = Notes()
    taken = prepare(from_source, home, notes)
    assert (taken.sha256, taken.cache_hit) == (prepared.sha256, True)
    assert "unchanged, taken from the last run" in notes.notes[-1]
    explicit = dataclasses.replace(from_source, seed=5, inherited=INHERITABLE - {"seed"})
    other = prepare(explicit, home)
    assert other.description.settings.seed == 5


def test_settings_and_lexicon_of_a_preparation_survive_a_training(
    home: Workspace, from_source: PreparationRequest, tmp_path: Path
) -> None:
    lexicon = tmp_path / "names.dict"
    lexicon.write_text("voicemill V OY S M IH L\n")
    own = dataclasses.replace(
        from_source,
        voice="own",
        lexicon=lexicon,
        segmentation=Segmentation(max_duration=9.0),
        quality=QualityLimits(min_snr_db=11.0),
        target_lufs=-20.0,
        seed=9,
        keep_rejected=True,
        inherited=frozenset(),
    )
    made = prepare(own, home)
    trained = prepare(dataclasses.replace(from_source, voice="own"), home)
    assert (trained.sha256, trained.cache_hit) == (made.sha256, True)
    assert trained.description.settings == made.description.settings
    edits.write(home.dataset("own"), [_drop(made)])
    edited = prepare(dataclasses.replace(from_source, voice="own"), home)
    assert len(edited.entries) == len(made.entries) - 1
    assert [row.role for row in edited.description.inputs] == ["recording", "text", "lexicon", "edits"]
    lexicon.unlink()
    edits.write(home.dataset("own"), [_drop(made, 2)])
    with pytest.raises(DatasetError) as caught:
        prepare(dataclasses.replace(from_source, voice="own"), home)
    assert caught.value.reason == "lexicon_missing:names.dict"


def test_edits_of_a_review_are_applied_by_name(
    prepared: PreparedDataset, home: Workspace, by_name: PreparationRequest, from_source: PreparationRequest
) -> None:
    edits.write(home.dataset("demo"), [_drop(prepared)])
    with pytest.raises(DatasetError) as caught:
        prepare(by_name, home)  # nothing says where the recordings are
    assert caught.value.reason == "edits_not_applied:demo"
    made = prepare(from_source, home)
    assert (len(made.entries), made.description.settings.seed) == (len(prepared.entries) - 1, 3)
    assert prepare(by_name, home).sha256 == made.sha256

    edits.write(home.dataset("demo"), [_drop(prepared), _drop(prepared, 3)])
    again = prepare(by_name, home)
    assert (len(again.entries), again.description.settings.seed) == (len(prepared.entries) - 2, 3)


def test_a_reviewed_dataset_is_replaced_only_when_told(
    prepared: PreparedDataset, home: Workspace, from_source: PreparationRequest, piece_audio: Path, tmp_path: Path
) -> None:
    edits.write(home.dataset("demo"), [_drop(prepared)])
    made = prepare(from_source, home)
    seeded = dataclasses.replace(from_source, seed=5, inherited=INHERITABLE - {"seed"})
    with pytest.raises(UsageError) as caught:
        prepare(seeded, home)
    assert (caught.value.reason, caught.value.exit_code) == ("dataset_reviewed:demo", 1)
    assert "seed" in str(caught.value)
    other = tmp_path / "other.txt"
    other.write_text("Another text.\n")
    with pytest.raises(UsageError) as caught:
        prepare(dataclasses.replace(from_source, source=recording_source(piece_audio, other)), home)
    assert caught.value.code == "dataset_reviewed"
    assert prepare(from_source, home).sha256 == made.sha256
    replaced = prepare(dataclasses.replace(seeded, replace_reviewed=True), home)
    assert (len(replaced.entries), replaced.description.settings.seed) == (len(made.entries), 5)


def test_a_prepared_voice_that_cannot_be_trained(home: Workspace, by_name: PreparationRequest) -> None:
    with pytest.raises(UsageError) as caught:
        prepare(dataclasses.replace(by_name, sample_rate=44_100), home)
    assert caught.value.reason == "dataset_sample_rate:22050_not_44100"
    next((home.dataset("demo") / "clips").iterdir()).unlink()
    with pytest.raises(DatasetError) as damaged:
        prepare(by_name, home)
    assert damaged.value.reason == "dataset_incomplete:demo"


class DeletesWhenAnnounced(SilentObserver):
    """Another program removes the dataset between the moment it is read and the end of the preparation."""

    def __init__(self, home: Workspace) -> None:
        self.home = home
        self.refused: list[str] = []

    def note(self, text: str) -> None:
        if "taken from the last run" in text:
            try:
                registry.delete(self.home, "demo")
            except RefusedError as error:
                self.refused.append(error.reason)


def test_a_dataset_that_is_removed_once_it_was_read_is_refused(home: Workspace, by_name: PreparationRequest) -> None:
    with contextlib.ExitStack() as held:
        observer = DeletesWhenAnnounced(home)
        with pytest.raises(RefusedError) as caught:
            prepare(by_name, home, observer, held)
        assert caught.value.reason == "lane_busy:demo"
        assert observer.refused == []
    assert not home.dataset("demo").exists()


def test_a_dataset_found_by_its_source_is_kept_before_it_is_announced(
    home: Workspace, from_source: PreparationRequest
) -> None:
    with contextlib.ExitStack() as held:
        observer = DeletesWhenAnnounced(home)
        found = prepare(from_source, home, observer, held)
        assert observer.refused == ["lane_busy:demo"]
        with pytest.raises(RefusedError, match="is using the dataset"):
            registry.delete(home, "demo")
        assert found.manifest.is_file()
    registry.delete(home, "demo")


def test_a_dataset_is_kept_from_the_moment_at_which_it_is_in_place(
    home: Workspace, from_source: PreparationRequest
) -> None:
    """Deletions without pause: each comes before the dataset is in place, or is refused."""
    shutil.rmtree(home.dataset("demo"))
    ended, tried, refusals = threading.Event(), threading.Event(), []

    def delete() -> None:
        while not ended.is_set():
            before = made is not None
            try:
                registry.delete(home, "demo")
            except VoicemillError as error:
                refusals.append(error.reason)
            if before:
                tried.set()

    made = None
    deleting = threading.Thread(target=delete)
    deleting.start()
    try:
        with contextlib.ExitStack() as held:
            made = prepare(from_source, home, None, held)
            assert tried.wait(60)
            assert made.manifest.is_file()
    finally:
        ended.set()
        deleting.join()
    assert set(refusals) == {"voice_not_found:demo", "lane_busy:demo"}
