from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.audio import probing, source_blocks
from voicemill.audio.loudness import Loudness, measure, measure_all
from voicemill.errors import AudioError

PEOPLE = Path(__file__).parents[2] / "data" / "people"
CLIP = PEOPLE / "kathleen" / "arctic_a0144.flac"
KINDS = [
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
]


def blocks_of(path: Path, *, plain: bool) -> np.ndarray:
    declared = probing.inspect(path)
    assert declared.plain
    read = declared if plain else dataclasses.replace(declared, tracks=2)  # several tracks are left to ffmpeg
    return np.concatenate(list(source_blocks.raw_blocks(read)))


def outcome(path: Path, *, plain: bool) -> str | np.ndarray:
    try:
        return blocks_of(path, plain=plain)
    except AudioError as error:
        return error.code


@pytest.mark.parametrize(("container", "subtype"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_libsndfile_and_ffmpeg_give_the_same_samples(
    container: str, subtype: str, channels: int, tmp_path: Path
) -> None:
    samples = np.random.default_rng(0).uniform(-1.0, 1.0, (300_000 // channels, channels))
    path = tmp_path / "sound"
    soundfile.write(path, samples, 44_100, format=container, subtype=subtype)
    found = blocks_of(path, plain=True)
    assert found.shape == samples.shape
    np.testing.assert_array_equal(found, blocks_of(path, plain=False))


@pytest.mark.parametrize("kind", ["flipped", "cut", "zeros", "gap"])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_both_readers_judge_a_damaged_flac_alike(kind: str, place: float, tmp_path: Path) -> None:
    content = bytearray(CLIP.read_bytes())
    at = int(place * len(content))
    match kind:
        case "flipped":
            content[at] ^= 16
        case "cut":
            del content[at:]
        case "zeros":
            content[at : at + 2000] = bytes(min(2000, len(content) - at))
        case _:
            del content[at : at + 500]
    path = tmp_path / "damaged.flac"
    path.write_bytes(content)
    assert outcome(path, plain=True) == outcome(path, plain=False) == "audio_truncated"


def test_both_readers_judge_a_wav_that_is_cut_alike(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, np.full(44_100, 0.1), 44_100)
    path.write_bytes(path.read_bytes()[:40_001])
    assert outcome(path, plain=True) == outcome(path, plain=False) == "audio_truncated"


def test_without_ffmpeg_a_plain_recording_is_refused_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = probing.inspect(CLIP)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match="ffmpeg") as caught:
        next(source_blocks.raw_blocks(declared))
    assert getattr(caught.value, "reason", "") == "runtime_dependency_missing:ffmpeg"


def test_loudness_of_many_recordings_is_that_of_each(tmp_path: Path) -> None:
    samples, rate = soundfile.read(CLIP)
    paths = [tmp_path / f"{index}.wav" for index in range(5)]
    for index, path in enumerate(paths):
        soundfile.write(path, samples * (0.0 if index == 3 else 0.2 * (index + 1)), rate, subtype="FLOAT")
    found = measure_all(paths)
    assert [isinstance(one, Loudness) for one in found] == [True, True, True, False, True]
    assert found[3].code == "audio_silent"  # type: ignore[union-attr]
    assert [found[index] for index in (0, 1, 2, 4)] == [measure(paths[index]) for index in (0, 1, 2, 4)]


def test_a_recording_that_ffmpeg_cannot_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    samples, rate = soundfile.read(CLIP)
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    soundfile.write(good, samples, rate, subtype="FLOAT")
    bad.write_bytes(b"RIFF" + bytes(400))
    first, second = measure_all([good, bad])
    assert first == measure(good)
    assert isinstance(second, AudioError)
    assert second.code == "audio_unreadable"
