"""Recordings of people with their text, prepared: sound beside the words, telephones, refused clips, use of seconds."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.audio import decode
from voicemill.audio.channels import ChannelSelection
from voicemill.dataset import explain
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import ClipFolderSource, LJSpeechSource, PreparationRequest
from voicemill.progress import SilentObserver
from voicemill.workspace import Workspace

pytestmark = pytest.mark.slow

LJ = Path(__file__).parents[2] / "data/people/lj"
ROWS = [line.split("|")[:2] for line in (LJ / "metadata.csv").read_text("utf-8").splitlines()]
RATE = 22_050
Samples = npt.NDArray[np.float32]


class Notes(SilentObserver):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def clips() -> dict[str, Samples]:
    return {name: decode.read_mono(LJ / f"{name}.flac")[0] for name, _ in ROWS}


def prepared_from(folder: Path, sounds: dict[str, Samples], texts: dict[str, str], rate: int = RATE) -> PreparedDataset:
    (folder / "wavs").mkdir(parents=True)
    for name, samples in sounds.items():
        soundfile.write(folder / "wavs" / f"{name}.wav", samples, rate)
    lines = "".join(f"{name}|{text}|{text}\n" for name, text in texts.items())
    (folder / "metadata.csv").write_text(lines, "utf-8")
    request = PreparationRequest("ann", LJSpeechSource(folder / "metadata.csv"), separate="never", workers=1)
    return prepare(request, Workspace(folder / "work", folder / "cache"), OBSERVER)


OBSERVER = Notes()


def every_second_once(prepared: PreparedDataset, seconds: dict[str, float]) -> None:
    """Kept and rejected stretches do not overlap, and what is left is what the report calls a pause."""
    report = prepared.report
    used: dict[str, list[tuple[float, float]]] = {name: [] for name in seconds}
    for entry in prepared.entries:
        used[entry.source].append((entry.start, entry.end))
    for row in report.rejected:
        used[row.source].append((row.start, row.end))
    for name, parts in used.items():
        parts.sort()
        assert all(0 <= start < end <= seconds[name] + 0.01 for start, end in parts), name
        assert all(one[1] <= two[0] + 0.002 for one, two in itertools.pairwise(parts)), name
    covered = sum(end - start for parts in used.values() for start, end in parts)
    assert report.seconds_in == pytest.approx(sum(seconds.values()), abs=0.01)
    assert report.seconds_pause == pytest.approx(report.seconds_in - covered, abs=0.02)
    assert report.seconds_pause >= -0.001


def beside(kind: str, loud: float) -> Samples:
    """A sound that is no speech, half a second at most, and the silence between it and the speech."""
    random = np.random.default_rng(3)
    times = np.arange(round(0.4 * RATE)) / RATE
    if kind == "rising tone":
        sound = np.sin(2 * np.pi * (180 + 120 * times) * times)
    elif kind == "chord that fades":
        sound = sum(np.sin(2 * np.pi * hertz * times) for hertz in (220, 277, 330)) * np.exp(-6 * times)
    elif kind == "tone":
        sound = np.sin(2 * np.pi * 220 * times)
    elif kind == "breath":
        sound = random.standard_normal(len(times)) * np.hanning(len(times)) * 0.5
    else:  # clicks
        sound = np.zeros(len(times))
        sound[[100, 4000, 7000]] = 3.0
    silence = random.standard_normal(round(0.35 * RATE)) * 0.002
    return np.concatenate((sound * loud, silence * loud)).astype(np.float32)


_ALL = pytest.mark.exhaustive


@pytest.mark.parametrize(
    "kind",
    [
        "rising tone",
        "breath",
        pytest.param("chord that fades", marks=_ALL),
        pytest.param("tone", marks=_ALL),
        pytest.param("clicks", marks=_ALL),
    ],
)
def test_sound_beside_the_words_is_in_no_clip(tmp_path: Path, kind: str) -> None:
    original = clips()
    chosen = dict(ROWS[:4])
    added = {name: beside(kind, float(np.sqrt(np.mean(np.square(original[name]))))) for name in chosen}
    sounds = {name: np.concatenate((added[name], original[name], added[name][::-1])) for name in chosen}
    found = prepared_from(tmp_path, sounds, chosen)
    assert len(found.entries) == len(chosen), found.report.rejected
    trimmed = 0
    for entry in found.entries:
        name = Path(entry.source).stem
        begin = len(added[name]) / RATE
        end = begin + len(original[name]) / RATE
        assert entry.start <= begin + 0.03
        assert end - 0.06 <= entry.end
        trimmed += (begin - 0.25 <= entry.start) + (entry.end <= end + 0.25)
        assert 0.0 <= entry.alignment[0][1] <= 0.3
        assert entry.alignment[-1][2] <= entry.duration + 0.02
        info = soundfile.info(found.root / entry.audio_filepath)
        assert info.duration == pytest.approx(entry.duration, abs=1e-6)
    every_second_once(found, {f"wavs/{name}.wav": len(samples) / RATE for name, samples in sounds.items()})
    # a word of two phones fits a voiced tone about as well as itself
    assert trimmed >= (2 * len(chosen) if kind in ("tone", "breath", "clicks") else 2 * len(chosen) - 1)
    for row in explain.read(found.cuts):
        if row["reason"] == "word_edge":
            assert "outside the words" in row["explanation"]


@pytest.mark.parametrize("rate", [8_000, pytest.param(22_050, marks=_ALL)])
def test_recordings_of_a_telephone_get_a_warning(tmp_path: Path, rate: int) -> None:
    OBSERVER.notes.clear()
    narrow = {name: decode.resample(samples, RATE, 8_000) for name, samples in clips().items()}
    if rate != 8_000:  # a telephone's sound in a file of a high sample rate
        narrow = {name: decode.resample(samples, 8_000, rate) for name, samples in narrow.items()}
    found = prepared_from(tmp_path, narrow, dict(ROWS), rate)
    assert max(entry.quality.bandwidth_hz for entry in found.entries) <= 4_200
    (warning,) = [note for note in OBSERVER.notes if "telephone" in note]
    assert warning.startswith("WARNING")
    assert ("sample rate 8000 Hz" in warning) is (rate == 8_000)


def test_good_recordings_get_no_warning_and_lose_nothing(tmp_path: Path) -> None:
    OBSERVER.notes.clear()
    sounds = clips()
    found = prepared_from(tmp_path, sounds, dict(ROWS))
    assert OBSERVER.notes == []
    assert found.report.rejected == ()
    assert len(found.entries) == len(ROWS)
    every_second_once(found, {f"wavs/{name}.wav": len(samples) / RATE for name, samples in sounds.items()})


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("the invention of movable metal letters", ("unwritten",)),
        pytest.param(
            "Seven geese flew over frozen lakes.", ("outside", "rushed", "score", "words"), marks=pytest.mark.exhaustive
        ),
    ],
)
def test_a_refused_clip_names_the_rule_that_failed(tmp_path: Path, text: str, rules: tuple[str, ...]) -> None:
    sounds, texts = clips(), dict(ROWS)
    names = list(texts)
    wrong = names[1]
    texts[wrong] = text
    found = prepared_from(tmp_path, sounds, texts)
    rows = {Path(row.source).stem: row for row in found.report.rejected}
    assert set(rows) == {wrong}
    row = rows[wrong]
    found_rule, _, rest = row.detail.partition(": ")
    assert found_rule in rules
    assert row.reason == "text_mismatch"
    assert row.figure is not None
    assert row.limit is not None
    assert f"the limit is {row.limit:g}" in rest
    every_second_once(found, {f"wavs/{name}.wav": len(samples) / RATE for name, samples in sounds.items()})


def test_silence_in_and_around_clips_is_a_pause(tmp_path: Path) -> None:
    """Leading and trailing silence of seconds, digital or with a background, belongs to no clip."""
    random = np.random.default_rng(0)
    sounds = {}
    for number, (name, samples) in enumerate(clips().items()):
        level = 0.0 if number % 2 else 3e-4
        before, after = (random.standard_normal(round(seconds * RATE)) * level for seconds in (2.5, 4.0))
        sounds[name] = np.concatenate((before, samples, after)).astype(np.float32)
    found = prepared_from(tmp_path, sounds, dict(ROWS))
    assert found.report.rejected == ()
    assert found.report.seconds_pause >= 6.0 * len(sounds)
    every_second_once(found, {f"wavs/{name}.wav": len(samples) / RATE for name, samples in sounds.items()})


def test_track_and_channel_are_in_the_request_and_in_the_dataset(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    OBSERVER.notes.clear()
    (tmp_path / "clips").mkdir()
    for name, samples in clips().items():
        other = random.standard_normal(len(samples)).astype(np.float32) * np.float32(0.05)
        soundfile.write(tmp_path / "clips" / f"{name}.wav", np.stack((other, samples), axis=1), RATE)
        (tmp_path / "clips" / f"{name}.txt").write_text(dict(ROWS)[name], "utf-8")
    request = PreparationRequest(
        "ann", ClipFolderSource(tmp_path / "clips"), separate="never", workers=1, track=1, channel="best"
    )
    found = prepare(request, Workspace(tmp_path / "work", tmp_path / "cache"), OBSERVER)
    assert len(found.entries) == len(ROWS)
    assert min(entry.quality.snr_db for entry in found.entries) > 20.0
    assert ChannelSelection.from_record(found.description.tools) == ChannelSelection(1, "best")
    assert found.description.tools["audio_channel"] == "best"
    (note,) = [note for note in OBSERVER.notes if "channel" in note]
    assert note.startswith("the right channel of ")
    with pytest.raises(ValueError, match="channel"):
        PreparationRequest("ann", ClipFolderSource(tmp_path / "clips"), channel="both")  # type: ignore[arg-type]
