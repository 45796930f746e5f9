"""Speech as a sound file in memory: WAV, FLAC, MP3, Ogg Vorbis and Opus through libsndfile."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import UsageError
from voicemill_marks.credentials import signed
from voicemill_marks.origin import NOTICE, Origin
from voicemill_marks.signer import MarkSigner

_FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
}
"""libsndfile's names of the format and the encoding."""
_OPUS_RATE = 24_000
"""Opus has rates of its own; the next one above a voice of 22.05 kHz."""


def sound_format(target: Path) -> str:
    """The ending that decides the format of a target; `-`, and a device or pipe without an ending, get WAV.

    Raises:
        UsageError: `sound_format:<ending>`: another ending.
    """
    suffix = target.suffix.lower()
    if not suffix and (str(target) == "-" or (target.exists() and not target.is_file())):
        return ".wav"
    if suffix not in _FORMATS:
        raise UsageError(
            f"Sound cannot be written as {suffix or 'a file without an ending'}.",
            reason=f"sound_format:{suffix.lstrip('.')}",
            hint=f"Name a file that ends in {', '.join(_FORMATS)}.",
        )
    return suffix


def marked_bytes(
    samples: NDArray[np.float32], rate: int, suffix: str, origin: Origin | None, signer: MarkSigner
) -> bytes:
    """`sound_bytes` with the signed metadata of an origin, in the formats that hold it."""
    data = sound_bytes(samples, rate, suffix, origin)
    return data if origin is None else signed(data, suffix, origin, signer)


def sound_bytes(samples: NDArray[np.float32], rate: int, suffix: str, origin: Origin | None = None) -> bytes:
    """The file of mono samples in -1..1.

    Args:
        samples: shape (samples,); clipped.
        rate: in Hz; Opus is resampled to 24 kHz.
        suffix: see `sound_format`.
        origin: for the file's comments (RIFF INFO, ID3 or Vorbis comments).
    """
    import soundfile

    kind, encoding = _FORMATS[suffix]
    if encoding == "OPUS":
        samples, rate = resample(samples, rate, _OPUS_RATE), _OPUS_RATE
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, format=kind, subtype=encoding) as file:
        if origin is not None:
            file.artist = origin.voice
            file.comment = f"{NOTICE} Model sha256 {origin.model_sha256}."
            file.software = "voicemill"
        file.write(np.clip(samples, -1.0, 1.0))
    return buffer.getvalue()


def resample(samples: NDArray[np.float32], rate: int, target: int) -> NDArray[np.float32]:
    """Band-limited samples at another rate, computed over the whole signal at once.

    The signal is lengthened with silence to a length whose transforms are fast at both rates.
    """
    divisor = math.gcd(rate, target)
    blocks = _product_of_small_primes(math.ceil(len(samples) / (rate // divisor)))
    length, longer = blocks * (rate // divisor), blocks * (target // divisor)
    moved = np.fft.irfft(np.fft.rfft(samples, n=length), n=longer)[: round(len(samples) * target / rate)]
    result: NDArray[np.float32] = (moved * (target / rate)).astype(np.float32)
    return result


def _product_of_small_primes(least: int) -> int:
    """The smallest number from `least` on without a prime factor above 5."""
    found = max(1, least)
    while True:
        rest = found
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return found
        found += 1
