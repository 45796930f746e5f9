"""Loudness against the definition: EBU Tech 3341 gives tones whose loudness is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voicemill.audio import decode
from voicemill.audio.loudness import Loudness, gain_to, measure
from voicemill.errors import AudioError


def stereo_tone(level_dbfs: float, seconds: float = 4.0, rate: int = 48_000) -> np.ndarray:
    tone = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * 1000 * np.arange(round(seconds * rate)) / rate)
    return np.stack([tone, tone], axis=1).astype(np.float32)


@pytest.mark.parametrize("level", [-23.0, -33.0, -10.0])
def test_ebu_reference_tone(level: float, wav: Callable[..., Path]) -> None:
    found = measure(wav("tone.wav", stereo_tone(level), 48_000, subtype="PCM_24"))
    assert found.integrated_lufs == pytest.approx(level, abs=0.15)
    assert found.true_peak_dbfs == pytest.approx(level, abs=0.3)
    assert found.range_lu == pytest.approx(0.0, abs=0.2)


def test_gain_brings_a_recording_to_the_target(
    babble: Callable[..., np.ndarray], wav: Callable[..., Path], tmp_path: Path
) -> None:
    path = wav("quiet.wav", 0.05 * babble(44_100, 6.0), 44_100, subtype="FLOAT")
    gain = gain_to(measure(path))
    assert gain > 10
    decode.decode(path, tmp_path / "loud.wav", sample_rate=44_100, gain_db=gain, subtype="FLOAT")
    after = measure(tmp_path / "loud.wav")
    assert after.true_peak_dbfs <= -0.9
    assert after.integrated_lufs == pytest.approx(-23.0, abs=0.2) or after.true_peak_dbfs == pytest.approx(
        -1.0, abs=0.2
    )


@pytest.mark.parametrize(
    ("loudness", "gain"),
    [
        (Loudness(-33.0, -20.0, 5.0), 10.0),
        (Loudness(-33.0, -6.0, 5.0), 5.0),
        (Loudness(-13.0, -3.0, 5.0), -10.0),
        (Loudness(-30.0, 2.0, 20.0), -3.0),
        (Loudness(-23.0, -10.0, 1.0), 0.0),
    ],
)
def test_gain_stops_at_the_peak_limit(loudness: Loudness, gain: float) -> None:
    assert gain_to(loudness) == pytest.approx(gain)


def test_other_targets() -> None:
    assert gain_to(Loudness(-23.0, -12.0, 3.0), target_lufs=-16.0, peak_limit_dbfs=-3.0) == pytest.approx(7.0)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_has_no_loudness(level: float, wav: Callable[..., Path]) -> None:
    noise = np.random.default_rng(0).uniform(-level, level, 96_000).astype(np.float32)
    with pytest.raises(AudioError) as caught:
        measure(wav("silence.wav", noise, 48_000, subtype="FLOAT"))
    assert caught.value.reason == "audio_silent"


def test_shorter_than_one_loudness_block(wav: Callable[..., Path]) -> None:
    with pytest.raises(AudioError) as caught:
        measure(wav("short.wav", stereo_tone(-20.0, 0.2), 48_000))
    assert caught.value.reason in {"audio_silent", "audio_too_small"}


def test_not_audio(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("no sound at all, only words " * 40)
    with pytest.raises(AudioError) as caught:
        measure(path)
    assert caught.value.reason == "audio_unreadable"
    assert not list(tmp_path.glob("*log*"))
