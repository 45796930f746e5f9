"""A producer's material in three forms, prepared as it is: clips from an editor, a long take with its script, prompts
with numbers. No word may be lost.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.audio import decode
from voicemill.audio.segmentation import Segmentation
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.text import normalise
from voicemill.workspace import Workspace

pytestmark = pytest.mark.slow

PEOPLE = Path(__file__).parents[2] / "data" / "people"
LJ = {
    line.split("|")[0]: line.split("|")[2]
    for line in (PEOPLE / "lj/metadata.csv").read_text(encoding="utf-8").splitlines()
}
PROMPTS = {
    "arctic_b0236": "Oolong was 250 miles from the nearest land.",
    "arctic_b0208": "You read the quotations in today's paper.",
}
Samples = npt.NDArray[np.float32]


def prepared(folder: Path, audio: Path, **settings: object) -> PreparedDataset:
    request = PreparationRequest(
        voice="session",
        source=settings.pop("source", None) or recording_source(audio),  # type: ignore[arg-type]
        workers=1,
        separate="never",
        **settings,  # type: ignore[arg-type]
    )
    return prepare(request, Workspace(work=folder / "work", cache=folder / "cache"))


def spoken(dataset: PreparedDataset) -> list[str]:
    """The words of the kept clips, in the order of the recording."""
    entries = sorted(dataset.entries, key=lambda entry: (entry.source, entry.start))
    return [row[0] for entry in entries for row in entry.alignment]


def words(*texts: str) -> list[str]:
    return [word for text in texts for word in normalise.words(normalise.normalise(text))]


def test_clips_of_an_editor(tmp_path: Path) -> None:
    """Stereo, 24 bits, 48 kHz, names with spaces, text files with a byte order mark, and what macOS leaves behind."""
    clips = tmp_path / "Session 1 (final)"
    clips.mkdir()
    for number, (name, text) in enumerate(LJ.items()):
        samples = decode.resample(*decode.read_mono(PEOPLE / f"lj/{name}.flac"), 48_000)
        path = clips / f"Take {number} – ann.wav"
        soundfile.write(path, np.stack([samples, samples], axis=1), 48_000, subtype="PCM_24")
        path.with_suffix(".txt").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
    (clips / "._Take 0 – ann.wav").write_bytes(bytes(200))
    dataset = prepared(tmp_path, clips)
    assert not dataset.report.rejected
    assert spoken(dataset) == words(*LJ.values())


def test_a_long_take_with_its_script(tmp_path: Path) -> None:
    """A script with a title, a page number and a stage direction; the first sentence was begun twice."""
    random = np.random.default_rng(0)
    parts: list[Samples] = []
    for index, name in enumerate(LJ):
        samples = decode.resample(*decode.read_mono(PEOPLE / f"lj/{name}.flac"), 44_100)
        gap = (3e-4 * random.standard_normal(round(0.8 * 44_100))).astype(np.float32)
        parts += [gap, samples[: round(1.1 * 44_100)], gap, samples] if index == 0 else [gap, samples]
    soundfile.write(tmp_path / "take.wav", np.concatenate(parts), 44_100)
    coded = ["ffmpeg", "-v", "error", "-i", tmp_path / "take.wav", "-b:a", "128k", tmp_path / "take.mp3"]
    subprocess.run(coded, check=True)
    lines = ["# The printed book", *LJ.values()]
    lines.insert(3, "[pause]")
    lines.insert(5, "12")
    script = tmp_path / "script.txt"
    script.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    dataset = prepared(tmp_path, tmp_path / "take.mp3", source=recording_source(tmp_path / "take.mp3", script))
    kept = spoken(dataset)
    for text in LJ.values():
        wanted = words(text)
        assert any(kept[at : at + len(wanted)] == wanted for at in range(len(kept))), text


def test_prompts_with_numbers(tmp_path: Path) -> None:
    """Digits are read as the person read them."""
    clips = tmp_path / "prompts"
    clips.mkdir()
    for name, text in PROMPTS.items():
        samples, rate = decode.read_mono(PEOPLE / f"kathleen/{name}.flac")
        soundfile.write(clips / f"{name}.wav", samples, rate)
        (clips / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    dataset = prepared(tmp_path, clips, sample_rate=16_000)
    assert not dataset.report.rejected
    assert spoken(dataset) == [
        *words(PROMPTS["arctic_b0208"]),
        *words("Oolong was two hundred and fifty miles from the nearest land."),
    ]


def test_a_clip_that_is_too_long_with_the_silence_at_its_ends_is_parted_in_a_pause(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    name, text = next((name, text) for name, text in LJ.items() if len(text) > 90)
    samples, rate = decode.read_mono(PEOPLE / f"lj/{name}.flac")
    for number in range(2):
        soundfile.write(clips / f"{number}.wav", samples, rate)
        (clips / f"{number}.txt").write_text(text + "\n", encoding="utf-8")
    longest = len(samples) / rate + 0.02
    dataset = prepared(tmp_path, clips, segmentation=Segmentation(max_duration=longest))
    assert "too_long" not in {one.reason for one in dataset.report.rejected}
    assert spoken(dataset)[: len(words(text))] == words(text)
    assert all(entry.duration <= longest for entry in dataset.entries)
