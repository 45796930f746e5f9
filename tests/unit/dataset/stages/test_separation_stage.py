from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemill import files
from voicemill.audio import decode
from voicemill.audio.background_level import background_level
from voicemill.audio.separation_model import SeparationModel
from voicemill.audio.waveform import MemoryWaveform
from voicemill.dataset.context import PreparationContext
from voicemill.dataset.description_parts import SeparationFigures
from voicemill.dataset.models import SeparatorChoice, choose_separator
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.recordings import DecodedRecording, DecodedRecordings, Recording
from voicemill.dataset.request import DEFAULT_SEPARATOR, PreparationRequest, recording_source
from voicemill.dataset.stages import separation, voice_activity
from voicemill.dataset.stages.separation import LIMIT_DB
from voicemill.dataset.utterances import Utterance
from voicemill.errors import DatasetError, DependencyError, GateError
from voicemill.progress import SilentObserver
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

Samples = NDArray[np.float32]


class Notes(SilentObserver):
    def __init__(self) -> None:
        self.separation: list[str] = []

    def note(self, text: str) -> None:
        if text.startswith("separation"):
            self.separation.append(text)


PART = 19.75  # seconds: in the pause after the fifth of seven sentences


@pytest.fixture(scope="session")
def noisy_audio(piece_audio: Path, chords: Callable[..., Samples], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seven sentences of the demo in two recordings; there is music behind the second."""
    samples, rate = soundfile.read(piece_audio, dtype="float32", always_2d=True)
    first, second = samples[: round(PART * rate)], samples[round(PART * rate) :]
    folder = tmp_path_factory.mktemp("noisy")
    soundfile.write(folder / "1.flac", first, rate, subtype="PCM_16")
    music = chords(len(second) / rate + 1.0, rate, seed=5)[: len(second)]
    soundfile.write(folder / "2.flac", second + 0.3 * music[:, None], rate, subtype="PCM_16")
    return folder


@pytest.fixture
def listed(separator_package: Path, shelve: Callable[..., Path]) -> Callable[..., Path]:
    """An allowlist that lets the tiny separator through; its file lies in the cache."""

    return functools.partial(shelve, DEFAULT_SEPARATOR, separator_package, kind="separation")


@pytest.fixture
def wanted(noisy_audio: Path, piece_script: Path) -> PreparationRequest:
    return PreparationRequest(voice="demo", source=recording_source(noisy_audio, piece_script), seed=3, workers=1)


def _figures(dataset: PreparedDataset) -> SeparationFigures:
    assert dataset.description.separation is not None
    return dataset.description.separation


@pytest.mark.slow
def test_music_is_taken_out_where_it_is_and_only_there(
    wanted: PreparationRequest, listed: Callable[..., Path], place: Workspace, sentences: tuple[str, ...]
) -> None:
    request = dataclasses.replace(wanted, allowlist=listed())
    dataset, notes = prepare(request, place, notes := Notes()), notes
    figures = _figures(dataset)
    assert (figures.mode, figures.weights_id, figures.unavailable) == ("auto", DEFAULT_SEPARATOR, None)
    clean, noisy = figures.recordings
    assert (clean.source, clean.separated, noisy.source, noisy.separated) == ("1.flac", 0, "2.flac", noisy.windows)
    assert clean.background_db < LIMIT_DB < noisy.background_db
    assert 7.0 < noisy.separated_seconds <= 8.02
    assert dataset.description.settings.separate == "auto"
    assert dataset.description.tools[DEFAULT_SEPARATOR] == figures.sha256
    # the tiny model spoils what it separates: those clips may be left out as noisy or misheard
    assert [entry.text for entry in dataset.entries][:5] == list(sentences[:5])
    assert {entry.source: entry.separated for entry in dataset.entries}.items() <= {
        "1.flac": None,
        "2.flac": True,
    }.items()
    assert notes.separation == ["separation: 1 windows, 8 s"]

    louder, again = prepare(dataclasses.replace(request, target_lufs=-20.0), place, again := Notes()), again
    assert again.separation == [*notes.separation, "separation: 1 of 1 windows from the cache"]
    assert _figures(louder) == figures
    assert prepare(dataclasses.replace(request, target_lufs=-20.0), place).cache_hit


@pytest.mark.slow
def test_the_background_falls_and_the_rest_of_the_recording_stays(
    noisy_audio: Path, separator_package: Path, make_context: Callable[..., PreparationContext], tmp_path: Path
) -> None:
    """The stage alone, on one recording of which only the second half has music."""
    rate, target = 22_050, tmp_path / "work/.decoded/0.wav"
    parts = [decode.read_mono(noisy_audio / name) for name in ("1.flac", "2.flac")]
    both = [decode.resample(samples, source, rate) for samples, source in parts]
    target.parent.mkdir(parents=True)
    silence = np.zeros(5 * rate, dtype=np.float32)
    soundfile.write(target, np.concatenate([both[0], silence, both[1]]), rate, subtype="FLOAT")
    before = soundfile.read(target, dtype="float32")[0]
    model = SeparationModel(separator_package, DEFAULT_SEPARATOR, files.sha256_file(separator_package))
    with ClipPool(1) as pool:
        context = make_context(pool=pool, staging=tmp_path / "work", separator=SeparatorChoice("auto", model))
        recording = DecodedRecording(Recording(noisy_audio, "both.flac"), target, len(before) / rate)
        decoded = voice_activity.run(context, DecodedRecordings((recording,), (), recording.seconds))
        done, figures = separation.run(context, decoded)
    (voice,) = done.usable
    after = soundfile.read(voice.path, dtype="float32")[0]
    (window,) = voice.separated
    assert figures.recordings[0].windows == 2
    assert window.start > PART
    edge = round(window.start * rate)
    assert np.array_equal(after[:edge], before[:edge])
    assert len(after) == len(before)
    assert voice.digest != decoded.usable[0].digest
    levels = [
        background_level(MemoryWaveform(samples, rate), window, decoded.usable[0].spans).level_db
        for samples in (before, after)
    ]
    assert levels[0] > LIMIT_DB
    assert levels[1] < levels[0] - 6.0
    assert Utterance(voice, window.start, window.end, "a", "a").separated
    assert not Utterance(voice, 0.0, PART, "a", "a").separated


@pytest.mark.slow
def test_a_clean_recording_is_left_alone(
    wanted: PreparationRequest,
    listed: Callable[..., Path],
    place: Workspace,
    piece_audio: Path,
    prepared: PreparedDataset,
) -> None:
    request = dataclasses.replace(
        wanted, source=dataclasses.replace(wanted.source, audio=piece_audio), allowlist=listed()
    )
    dataset, notes = prepare(request, place, notes := Notes()), notes
    assert notes.separation == []
    figures = _figures(dataset)
    assert figures.recordings[0].separated == 0
    assert figures.recordings[0].background_db < LIMIT_DB
    assert dataset.sha256 == prepared.sha256


@pytest.mark.slow
def test_without_weights_auto_goes_on_and_says_so_once(wanted: PreparationRequest, place: Workspace) -> None:
    dataset, notes = prepare(wanted, place, notes := Notes()), notes
    (told,) = notes.separation
    assert "stays there" in told
    assert "may not be used" in told
    figures = _figures(dataset)
    assert figures.unavailable == "allowlist_commercial_rejected"
    assert [one.separated for one in figures.recordings] == [0, 0]
    assert len(dataset.entries) == 6
    assert [one.reason for one in dataset.report.rejected] == ["noisy"]  # the loudest music stays beside its clip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"file": {"sha256": None}}, f"weights_unavailable:{DEFAULT_SEPARATOR}"),
        ({"file": {"path": "elsewhere.th"}}, f"weights_unavailable:{DEFAULT_SEPARATOR}"),
        ({"file": {"sha256": "0" * 64}}, f"weights_checksum_mismatch:{DEFAULT_SEPARATOR}"),
        ({"kind": "asr"}, "allowlist_rejected:kind_is_asr"),
        ({"weights_license": "CC-BY-NC-4.0"}, "allowlist_commercial_rejected"),
    ],
)
def test_always_needs_weights_that_may_be_used(
    wanted: PreparationRequest, listed: Callable[..., Path], place: Workspace, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(GateError) as caught:
        prepare(dataclasses.replace(wanted, separate="always", allowlist=listed(**changes)), place)
    assert (caught.value.reason, caught.value.exit_code) == (reason, 2)
    assert not place.dataset("demo").exists()


def test_changed_weights_stop_auto_too(
    wanted: PreparationRequest, listed: Callable[..., Path], place: Workspace
) -> None:
    with pytest.raises(GateError) as caught:
        prepare(dataclasses.replace(wanted, allowlist=listed(file={"sha256": "0" * 64})), place)
    assert caught.value.code == "weights_checksum_mismatch"


def test_without_demucs_only_always_stops(
    listed: Callable[..., Path], place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "demucs" else find(name, *rest)
    )
    registry = WeightsRegistry(listed(), place.weights_cache, place.work)
    with pytest.raises(DependencyError) as caught:
        choose_separator("always", DEFAULT_SEPARATOR, registry)
    assert caught.value.reason == "extra_missing:demucs"
    assert "demucs" in str(choose_separator("auto", DEFAULT_SEPARATOR, registry).missing)
    assert choose_separator("never", DEFAULT_SEPARATOR, registry) == SeparatorChoice("never")


@pytest.mark.slow
def test_always_separates_every_window(
    wanted: PreparationRequest, listed: Callable[..., Path], place: Workspace, noisy_audio: Path, piece_audio: Path
) -> None:
    """What one tiny model leaves of seven sentences is nothing to train on; that it was asked for all of them counts."""
    request = dataclasses.replace(
        wanted, separate="always", allowlist=listed(), source=dataclasses.replace(wanted.source, audio=piece_audio)
    )
    notes = Notes()
    with pytest.raises(DatasetError) as caught:
        prepare(request, place, notes)
    assert caught.value.reason == "script_mismatch"
    assert len(notes.separation) == 1
    assert notes.separation[0].endswith(": 1 windows, 27 s")
