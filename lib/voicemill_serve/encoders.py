"""Speech as a stream of bytes: WAV, PCM, MP3, Opus, FLAC and AAC.

WAV with an open length, PCM, MP3 and Opus are sent as they are made. FLAC and AAC are made whole: a FLAC file begins
with its length, and AAC needs ffmpeg.
"""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.credentials import signed
from voicemill_marks.origin import NOTICE, Origin
from voicemill_marks.signer import MarkSigner
from voicemill_runtime.sound_files import marked_bytes, resample, sound_bytes
from voicemill_serve.refusals import RequestRefusedError

MEDIA_TYPES = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg; codecs=opus",
    "flac": "audio/flac",
    "aac": "audio/aac",
}
"""Formats of `POST /v1/audio/speech` and their media types."""
STREAMED = ("wav", "pcm", "mp3", "opus")
WITH_COMMENTS = ("mp3", "opus", "flac")
WITH_CREDENTIALS = ("wav", "mp3", "flac")
"""Formats whose whole files have signed metadata; a stream cannot, because the signature is over the whole sound."""
PCM_RATE = 24_000
"""Clients of OpenAI's interface play `pcm` at 24 kHz."""
OPUS_RATE = 24_000
OPEN_LENGTH = 0xFFFFFFFF
FFMPEG_SECONDS = 60
_SAMPLE_BYTES = 2
_MP3_RATES = {0: (11_025, 12_000, 8_000), 2: (22_050, 24_000, 16_000), 3: (44_100, 48_000, 32_000)}
_MP3_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)

Samples = NDArray[np.float32]


def check_format(name: str) -> str:
    """A format that this server can make.

    Raises:
        RequestRefusedError: `sound_format:<name>`.
    """
    if name not in MEDIA_TYPES:
        raise RequestRefusedError(
            f"There is no format {name[:40]!r}. The formats are: {', '.join(MEDIA_TYPES)}.",
            reason=f"sound_format:{name[:40]}",
            parameter="response_format",
        )
    if name == "aac" and shutil.which("ffmpeg") is None:
        raise RequestRefusedError(
            "The format 'aac' needs ffmpeg, which this server does not have.",
            reason="sound_format:aac",
            parameter="response_format",
        )
    return name


def wav_header(rate: int, samples: int | None) -> bytes:
    """The header of 16-bit mono WAV; with an open length where the number of samples is not known yet."""
    data = OPEN_LENGTH if samples is None else samples * _SAMPLE_BYTES
    riff = OPEN_LENGTH if samples is None else 36 + data
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * _SAMPLE_BYTES, _SAMPLE_BYTES, 16)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + form + b"data" + struct.pack("<I", data)


def pcm16(samples: Samples) -> bytes:
    """Samples in -1..1 as 16-bit little-endian integers."""
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def wav_bytes(samples: Samples, rate: int) -> bytes:
    """A whole 16-bit mono WAV."""
    return wav_header(rate, samples.size) + pcm16(samples)


def marks(name: str, origin: Origin | None, *, streamed: bool) -> str:
    """The marks of an answer, for the header `X-Voice-Marks`: `watermark`, `c2pa`, `comments`, or `none`."""
    if origin is None:
        return "none"
    with_credentials = not streamed and name in WITH_CREDENTIALS
    found = ["watermark", *(["c2pa"] if with_credentials else []), *(["comments"] if name in WITH_COMMENTS else [])]
    return ", ".join(found)


def whole(samples: Samples, rate: int, name: str, origin: Origin | None, signer: MarkSigner) -> bytes:
    """The whole file of a format, with signed metadata where the format holds it.

    Raises:
        RequestRefusedError: `encoding_failed`: ffmpeg refuses.
    """
    if name == "wav":  # without comments: clients expect the samples after 44 bytes
        data = wav_bytes(samples, rate)
        return data if origin is None else signed(data, ".wav", origin, signer)
    if name == "pcm":
        return pcm16(resample(samples, rate, PCM_RATE))
    if name == "aac":
        return _aac(wav_bytes(samples, rate))
    if name == "opus":
        return sound_bytes(samples, rate, ".opus", origin)
    return marked_bytes(samples, rate, f".{name}", origin, signer)


class StreamEncoder:
    """Turns parts of speech into the bytes of one stream: `start`, `part` for each, `end`."""

    def __init__(self, name: str, rate: int, origin: Origin | None = None) -> None:
        """
        Args:
            name: one of `STREAMED`.
            rate: of the samples, in Hz.
            origin: for the comments at the start of MP3 and Opus.
        """
        import soundfile

        self._name, self._rate = name, rate
        self._sink = _Sink()
        self._file: Any = None
        if name == "mp3":
            # Decoders guess the length of a stream of variable bit rate wrongly.
            steady = {"bitrate_mode": "CONSTANT", "compression_level": 0.3}
            self._file = soundfile.SoundFile(self._sink, "w", rate, 1, "MPEG_LAYER_III", format="MP3", **steady)
        elif name == "opus":
            self._file = soundfile.SoundFile(self._sink, "w", OPUS_RATE, 1, "OPUS", format="OGG")
        if self._file is not None and origin is not None:
            self._file.artist, self._file.comment = origin.voice, NOTICE

    def start(self) -> bytes:
        """The bytes before the first sound."""
        return wav_header(self._rate, None) if self._name == "wav" else b""

    def part(self, samples: Samples) -> bytes:
        """The bytes that one part of the speech adds."""
        if self._name == "wav":
            return pcm16(samples)
        if self._name == "pcm":
            return pcm16(resample(samples, self._rate, PCM_RATE))
        if self._name == "opus":
            samples = resample(samples, self._rate, OPUS_RATE)
        self._file.write(samples)
        self._file.flush()
        return self._taken()

    def end(self) -> bytes:
        """The bytes after the last sound."""
        if self._file is None:
            return b""
        self._file.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._sink.take()
        if self._name == "mp3" and self._sink.sent == len(data):  # the first bytes
            tag = _tag_length(data)
            data = data[:tag] + data[tag + _reserved_frame(data[tag:]) :]
        return data


class _Sink(io.RawIOBase):
    """Where libsndfile writes; what it writes again into bytes that were already sent is dropped."""

    def __init__(self) -> None:
        self._position = self._end = 0
        self._new = bytearray()
        self.sent = 0

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._end)[whence]
        return self._position

    def write(self, data: Any) -> int:
        new = bytes(data)
        self._new += new[max(0, self._end - self._position) :]
        self._position += len(new)
        self._end = max(self._end, self._position)
        return len(new)

    def take(self) -> bytes:
        """The bytes since the last call."""
        data = bytes(self._new)
        self._new.clear()
        self.sent += len(data)
        return data


def _tag_length(data: bytes) -> int:
    """Length of an ID3v2 tag at the start of an MP3; 0 if there is none."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    return 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def _reserved_frame(data: bytes) -> int:
    """Length of an empty first MP3 frame, which the encoder would fill at the end; 0 if there is none.

    The layout of the header is that of ISO/IEC 11172-3, section 2.4.1.3.
    """
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return 0
    version, bitrate, rate = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    if version not in _MP3_RATES or rate == 3 or bitrate == 15:
        return 0
    kbps = (_MP3_KBPS_1 if version == 3 else _MP3_KBPS_2)[bitrate]
    length = (144 if version == 3 else 72) * kbps * 1000 // _MP3_RATES[version][rate] + (data[2] >> 1 & 1)
    return 0 if any(data[4:36]) else length


def _aac(wav: bytes) -> bytes:
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-f", "wav", "-i", "pipe:0", "-c:a", "aac", "-f", "adts", "pipe:1"]
    done = subprocess.run(argv, input=wav, capture_output=True, timeout=FFMPEG_SECONDS, check=False)
    if done.returncode or not done.stdout:
        raise RequestRefusedError("ffmpeg could not write AAC.", reason="encoding_failed")
    return done.stdout
