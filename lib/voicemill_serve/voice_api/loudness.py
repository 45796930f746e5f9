"""Speech brought to the loudness that phones need: WAV by a gain, MP3 through ffmpeg."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill_serve.voice_api.environment import LoudnessTargets

WAV_TYPES = ("audio/wav", "audio/x-wav")
MP3_TYPES = ("audio/mpeg", "audio/mp3", "audio/x-mp3")
FFMPEG_SECONDS = 30
FULL_SCALE = 32768.0
_SILENT = 1e-9
_PCM, _EXTENSIBLE = 1, 0xFFFE


@dataclass(frozen=True)
class Normalised:
    """Sound and what was done to it.

    Attributes:
        applied: the value of `x-voice-normalization`.
        gain_db: None where nothing was done.
    """

    data: bytes
    applied: str
    gain_db: float | None = None


def normalise(data: bytes, content_type: str, loudness: LoudnessTargets) -> Normalised:
    """The sound at the target, or as it is with the reason; never an error."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in WAV_TYPES:
        return _wav(data, loudness) if loudness.enabled else Normalised(data, "skipped:disabled")
    if kind in MP3_TYPES:
        on = loudness.enabled and loudness.mp3
        return _mp3(data, loudness) if on else Normalised(data, "skipped:disabled")
    return Normalised(data, "skipped:unsupported_content_type")


def gain_db(samples: NDArray[np.int16], loudness: LoudnessTargets) -> float | str:
    """The gain in dB that brings samples to the target, or the reason why there is none."""
    if not samples.size:
        return "no_audio_data"
    scaled = samples.astype(np.float64) / FULL_SCALE
    peak, rms = float(np.abs(scaled).max()), float(np.sqrt(np.mean(scaled**2)))
    if peak < _SILENT or rms < _SILENT:
        return "silent"
    wanted = min(loudness.peak - 20 * np.log10(peak), loudness.rms - 20 * np.log10(rms))
    gain = float(min(max(wanted, loudness.min_gain), loudness.max_gain))
    return "delta_below_threshold" if abs(gain) < loudness.min_delta else gain


def _wav(data: bytes, loudness: LoudnessTargets) -> Normalised:
    place = _samples_of(data)
    if isinstance(place, str):
        return Normalised(data, f"skipped:{place}")
    start, end = place
    samples = np.frombuffer(data[start:end], dtype="<i2")
    gain = gain_db(samples, loudness)
    if isinstance(gain, str):
        return Normalised(data, f"skipped:{gain}")
    louder = _amplified(samples, gain)
    return Normalised(data[:start] + louder.tobytes() + data[end:], "pcm16_wav_applied", gain)


def _amplified(samples: NDArray[np.int16], gain: float) -> NDArray[np.int16]:
    louder = np.round(samples.astype(np.float64) * 10 ** (gain / 20))
    result: NDArray[np.int16] = np.clip(louder, -32768, 32767).astype("<i2")
    return result


def _samples_of(data: bytes) -> tuple[int, int] | str:
    """Where the samples of a 16-bit WAV begin and end, or the reason why they cannot be found."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return "unsupported_format"
    position, form = 12, b""
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        position += 8
        if name == b"fmt ":
            form = data[position : position + size]
        if name == b"data":
            if len(form) < 16:
                return "unsupported_format"
            codec, _, _, _, _, bits = struct.unpack_from("<HHIIHH", form)
            if codec not in (_PCM, _EXTENSIBLE) or bits != 16:
                return "unsupported_codec"
            end = min(position + size, len(data))
            return position, end - (end - position) % 2
        position += size + size % 2
    return "no_audio_data" if form else "unsupported_format"


def _mp3(data: bytes, loudness: LoudnessTargets) -> Normalised:
    """Measured as decoded, and encoded again with the gain."""
    base = [loudness.ffmpeg, "-nostdin", "-v", "error", "-f", "mp3", "-i", "pipe:0"]
    try:
        decoded = _run([*base, "-f", "s16le", "pipe:1"], data)
    except OSError:
        return Normalised(data, "skipped:ffmpeg_unavailable")
    if decoded is None:
        return Normalised(data, "skipped:ffmpeg_decode_failed")
    gain = gain_db(np.frombuffer(decoded[: len(decoded) // 2 * 2], dtype="<i2"), loudness)
    if isinstance(gain, str):
        return Normalised(data, f"skipped:{gain}")
    argv = [*base, "-af", f"volume={gain:.4f}dB", "-b:a", f"{loudness.kbps}k", "-f", "mp3", "pipe:1"]
    encoded = _run(argv, data)
    if encoded is None:
        return Normalised(data, "skipped:ffmpeg_encode_failed")
    return Normalised(encoded, "mp3_ffmpeg_applied", gain)


def _run(argv: list[str], data: bytes) -> bytes | None:
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=FFMPEG_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 and done.stdout else None
