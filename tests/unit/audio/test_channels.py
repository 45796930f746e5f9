"""Tracks and channels of a file."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.audio import channels, decode, ffmpeg, probing
from voicemill.audio.channels import ChannelSelection
from voicemill.errors import AudioError

PEOPLE = Path(__file__).parents[2] / "data/people"
Samples = npt.NDArray[np.float32]


@pytest.fixture
def voice() -> tuple[Samples, int]:
    return decode.read_mono(PEOPLE / "lj/LJ001-0002.flac")


def stereo(path: Path, left: Samples, right: Samples, rate: int) -> Path:
    soundfile.write(path, np.stack((left, right), axis=1), rate, subtype="FLOAT")
    return path


def decoded(path: Path, target: Path, rate: int, selection: ChannelSelection) -> tuple[Samples, int]:
    info = decode.decode(path, target, sample_rate=rate, subtype="FLOAT", selection=selection)
    return decode.read_mono(target)[0], info.channel


def test_one_channel_is_taken_as_it_is(tmp_path: Path, voice: tuple[Samples, int]) -> None:
    samples, rate = voice
    other = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32) * np.float32(0.05)
    path = stereo(tmp_path / "two.wav", samples, other, rate)
    for side, expected, number in (("left", samples, 1), ("right", other, 2), ("best", samples, 1)):
        found, channel = decoded(path, tmp_path / "out.wav", rate, ChannelSelection(channel=side))  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, expected)
        assert channel == number
    mixed, channel = decoded(path, tmp_path / "out.wav", rate, ChannelSelection())
    np.testing.assert_allclose(mixed, (samples + other) / 2, atol=1e-7)
    assert channel == 0
    assert decode.check_source(path, selection=ChannelSelection(channel="right")).channel == 2


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("fault", ["silent", "noisy", "far", "clipped"])
def test_the_best_channel_has_the_clearer_voice(voice: tuple[Samples, int], fault: str, swapped: bool) -> None:
    samples, rate = voice
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)
    good = samples + noise * np.float32(1e-4)
    bad = {
        "silent": np.zeros_like(samples),
        "noisy": good + noise * np.float32(0.02),
        "far": good * np.float32(0.3),
        "clipped": np.clip(good * np.float32(6.0), -1.0, 1.0),
    }[fault]
    both = np.stack((bad, good) if swapped else (good, bad), axis=1)
    blocks = [both[first : first + 1000] for first in range(0, len(both), 1000)]
    assert channels.best_channel(blocks, rate) == int(swapped)


def test_no_samples_and_less_than_a_frame() -> None:
    assert channels.best_channel([], 16_000) == 0
    assert channels.best_channel([np.zeros((10, 2), dtype=np.float32)], 16_000) == 0


def test_a_mono_file_has_no_left_channel(tmp_path: Path, voice: tuple[Samples, int]) -> None:
    samples, rate = voice
    soundfile.write(tmp_path / "mono.wav", samples, rate, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"mono\.wav is mono") as caught:
        decode.require_selection(tmp_path / "mono.wav", ChannelSelection(channel="left"))
    assert caught.value.reason == "audio_channel_missing"
    found, channel = decoded(tmp_path / "mono.wav", tmp_path / "out.wav", rate, ChannelSelection(channel="best"))
    np.testing.assert_array_equal(found, samples)
    assert channel == 0


def test_a_track_of_several(tmp_path: Path, voice: tuple[Samples, int]) -> None:
    samples, rate = voice
    other = np.flip(samples).copy()
    for name, sound in (("one", samples), ("two", other)):
        soundfile.write(tmp_path / f"{name}.wav", sound, rate, subtype="PCM_16")
    video = tmp_path / "two tracks.mkv"
    inputs = [item for name in ("one", "two") for item in ("-i", tmp_path / f"{name}.wav")]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, "-map", "0:a", "-map", "1:a", "-c:a", "flac", video], check=True)
    for track, expected in ((None, samples), (1, samples), (2, other)):
        found, _ = decoded(video, tmp_path / "out.wav", rate, ChannelSelection(track))
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert decode.check_source(video).tracks == 2
    with pytest.raises(AudioError, match="has 2 audio tracks, and --track names number 3") as caught:
        decode.require_selection(video, ChannelSelection(3))
    assert caught.value.reason == "audio_track_missing"


@pytest.mark.parametrize("track", [0, -1, 65])
def test_a_selection_that_makes_no_sense(track: int) -> None:
    with pytest.raises(ValueError, match="track"):
        ChannelSelection(track)
    with pytest.raises(ValueError, match="channel"):
        ChannelSelection(channel="middle")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subtype", "form"),
    [("PCM_16", "WAV"), ("PCM_24", "WAV"), ("PCM_U8", "WAV"), ("FLOAT", "WAV"), ("DOUBLE", "WAV"), ("PCM_16", "FLAC")],
)
@pytest.mark.parametrize("count", [1, 2])
def test_a_plain_header_is_read_as_ffprobe_reads_it(
    tmp_path: Path, voice: tuple[Samples, int], subtype: str, form: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, rate = voice
    path = tmp_path / "take"
    soundfile.write(path, np.stack([samples] * count, axis=1), rate, subtype=subtype, format=form)
    with monkeypatch.context() as without:
        without.setattr(ffmpeg, "ffprobe", lambda *_: pytest.fail("ffprobe was started"))
        own = probing.inspect(path)
    monkeypatch.setattr(probing, "flac_header", lambda _: None)
    monkeypatch.setattr(probing, "plain_wav_header", lambda _: None)
    found = probing.inspect(path)
    assert own.duration == pytest.approx(found.duration, abs=1e-6)
    assert dataclasses.replace(own, duration=found.duration) == found
