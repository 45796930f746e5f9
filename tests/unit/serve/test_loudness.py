from __future__ import annotations

import io
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill_serve.encoders import wav_bytes, wav_header
from voicemill_serve.voice_api.environment import LoudnessTargets, VoiceEnvironment
from voicemill_serve.voice_api.loudness import normalise

RATE = 22_050
DEFAULT = VoiceEnvironment.read({}).loudness


def tone(level: float, seconds: float = 1.0) -> np.ndarray:
    return (level * np.sin(np.arange(round(RATE * seconds)) * 0.06)).astype(np.float32)


def levels(data: bytes) -> tuple[float, float]:
    samples, _ = soundfile.read(io.BytesIO(data))
    return 20 * np.log10(np.abs(samples).max()), 20 * np.log10(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize(("level", "gain"), [(0.1, 9.0), (0.9, -10.1), (0.001, 20.0), (1.0, -11.0)])
def test_a_wav_gets_the_gain_to_its_target(level: float, gain: float) -> None:
    made = normalise(wav_bytes(tone(level), RATE), "audio/x-wav; rate=1", DEFAULT)
    assert made.applied == "pcm16_wav_applied"
    assert made.gain_db == pytest.approx(gain, abs=0.1)
    peak, rms = levels(made.data)
    assert peak <= -0.95
    assert rms <= -13.9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no sound", "unsupported_format"),
        (wav_bytes(np.zeros(0, np.float32), RATE), "no_audio_data"),
        (wav_bytes(np.zeros(100, np.float32), RATE), "silent"),
        (wav_bytes(tone(0.2818), RATE), "delta_below_threshold"),
        (b"RIFF" + struct.pack("<I", 4) + b"WAVE", "unsupported_format"),
        (
            b"RIFF"
            + struct.pack("<I", 24)
            + b"WAVEfmt "
            + struct.pack("<IHHIIHH", 16, 1, 1, RATE, RATE, 1, 8)
            + b"data\0\0\0\0",
            "unsupported_codec",
        ),
    ],
)
def test_what_is_left_as_it_is(data: bytes, reason: str) -> None:
    made = normalise(data, "audio/wav", DEFAULT)
    assert (made.applied, made.data, made.gain_db) == (f"skipped:{reason}", data, None)


def test_a_wav_of_open_length() -> None:
    data = wav_header(RATE, None) + wav_bytes(tone(0.1), RATE)[44:]
    assert normalise(data, "audio/wav", DEFAULT).applied == "pcm16_wav_applied"


def test_other_types_and_the_switches() -> None:
    off = VoiceEnvironment.read({"VOICE_SPEAK_NORMALIZE_ENABLED": "false"}).loudness
    no_mp3 = VoiceEnvironment.read({"VOICE_SPEAK_MP3_NORMALIZE_ENABLED": "0"}).loudness
    assert normalise(b"x", "audio/ogg", DEFAULT).applied == "skipped:unsupported_content_type"
    assert normalise(wav_bytes(tone(0.1), RATE), "audio/wav", off).applied == "skipped:disabled"
    assert normalise(b"x", "audio/mpeg", no_mp3).applied == "skipped:disabled"


def mp3(level: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(level), RATE, format="MP3", subtype="MPEG_LAYER_III")
    return buffer.getvalue()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="MP3 is normalised with ffmpeg")
def test_an_mp3_through_ffmpeg() -> None:
    made = normalise(mp3(0.1), "audio/mp3", DEFAULT)
    assert made.applied == "mp3_ffmpeg_applied"
    assert made.gain_db == pytest.approx(9.0, abs=0.3)
    assert levels(made.data)[1] == pytest.approx(-14.5, abs=0.7)  # encoders add silence at both ends
    assert normalise(b"no mp3", "audio/mpeg", DEFAULT).applied == "skipped:ffmpeg_decode_failed"


def test_an_mp3_without_ffmpeg(tmp_path: Path) -> None:
    missing = VoiceEnvironment.read({"VOICE_SPEAK_MP3_FFMPEG_PATH": str(tmp_path / "none")}).loudness
    assert normalise(mp3(0.1), "audio/mpeg", missing).applied == "skipped:ffmpeg_unavailable"


def test_variables_outside_of_their_limits() -> None:
    def read(name: str, value: str) -> LoudnessTargets:
        return VoiceEnvironment.read({f"VOICE_SPEAK_{name}": value}).loudness

    assert (read("TARGET_PEAK_DBFS", "5").peak, read("TARGET_RMS_DBFS", "-99").rms) == (-0.1, -30.0)
    assert (read("MAX_GAIN_DB", "x").max_gain, read("MP3_BITRATE_KBPS", "1").kbps) == (20.0, 48)
    assert read("NORMALIZE_ENABLED", "perhaps").enabled
    assert (read("TARGET_RMS_DBFS", "-20 dB").rms, read("MP3_BITRATE_KBPS", "0").kbps) == (-20.0, 192)
    assert VoiceEnvironment.read({"VOICE_CHUNK_CACHE_TTL_MS": "5"}).cache_ms == 1000
    assert VoiceEnvironment.read({"VOICE_CHUNK_CACHE_TTL_MS": "0"}).cache_ms == 30_000
    assert VoiceEnvironment.read({"VOICE_BUDGET_MISSION_MAX_REQUESTS": "-1"}).mission_requests == 12
    assert VoiceEnvironment.read({"VOICE_BUDGET_TENANT_DAILY_MAX_REQUESTS": "7.9"}).tenant_requests == 7
    assert VoiceEnvironment.read({"TTS_BASE_URL": " http://a/// "}).backend == "http://a"
