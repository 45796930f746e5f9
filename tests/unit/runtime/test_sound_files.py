"""Sound files by their ending, resampling for Opus, and the gain to a loudness."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.errors import AudioError, UsageError
from voicemill_runtime.loudness import gain, integrated
from voicemill_runtime.sound_files import resample, sound_bytes, sound_format

RATE = 22050
TONE = (0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "kind", "rate"),
    [
        (".wav", "WAV", RATE),
        (".flac", "FLAC", RATE),
        (".mp3", "MP3", RATE),
        (".ogg", "OGG", RATE),
        (".opus", "OGG", 24000),
    ],
)
def test_every_format_holds_the_sound(suffix: str, kind: str, rate: int) -> None:
    data = io.BytesIO(sound_bytes(TONE, RATE, suffix))
    assert soundfile.info(data).format == kind
    data.seek(0)
    read, found = soundfile.read(data, dtype="float32")
    assert found == rate
    assert abs(len(read) / found - 2) < 0.1
    spectrum = np.abs(np.fft.rfft(read))
    assert abs(spectrum.argmax() * found / len(read) - 440) < 2
    assert abs(np.std(read) - np.std(TONE)) < 0.01


def test_resampling_keeps_a_tone() -> None:
    expected = 0.1 * np.sin(2 * np.pi * 440 * np.arange(48000) / 24000)
    assert np.abs(resample(TONE, RATE, 24000) - expected).max() < 1e-4


def test_the_format_is_the_ending_of_the_name(tmp_path: Path) -> None:
    assert sound_format(Path("a.MP3")) == ".mp3"
    assert sound_format(Path("-")) == ".wav"
    os.mkfifo(tmp_path / "pipe")
    assert sound_format(tmp_path / "pipe") == ".wav"


@pytest.mark.parametrize(("name", "reason"), [("a.aac", "sound_format:aac"), ("a", "sound_format:")])
def test_other_endings_are_refused(name: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        sound_format(Path(name))
    assert caught.value.reason == reason


def test_the_gain_reaches_the_loudness_or_the_peak() -> None:
    assert integrated(TONE * np.float32(gain(TONE, RATE, -23.0)), RATE) == pytest.approx(-23.0, abs=0.05)
    limited = TONE * np.float32(gain(TONE, RATE, 0.0))
    assert 20 * np.log10(np.abs(limited).max()) == pytest.approx(-1.0, abs=0.1)
    with pytest.raises(AudioError) as caught:
        gain(np.zeros(RATE, np.float32), RATE, -23.0)
    assert caught.value.reason == "audio_silent"
