"""Headers of WAV, FLAC and Ogg files, read without starting a program."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, NamedTuple

_MAX_CHUNKS = 1000
_STREAMED = frozenset((*range(0x7FFFF000, 0x80000001), *range(0xFFFFF000, 0x100000000)))
"""Lengths that programs write when they do not know it: sox, espeak-ng, arecord, ffmpeg; some less their header."""
_COUNTED_TAGS = (1, 3, 6, 7, 0xFFFE)
"""WAV formats whose bytes a second are exact: PCM, float, A-law, µ-law, extensible; ADPCM's are not."""
_CHUNKS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"cue ", b"fact", b"smpl", b"iXML", b"_PMX", b"JUNK", b"PAD ")
PLAIN_WAV = {
    (1, 8): "pcm_u8",
    (1, 16): "pcm_s16le",
    (1, 24): "pcm_s24le",
    (1, 32): "pcm_s32le",
    (3, 32): "pcm_f32le",
    (3, 64): "pcm_f64le",
}
"""ffmpeg's codecs by format and bits of a sample."""
_PADDING = 4096
"""Bytes that some programs leave behind the data."""
_OGG_PAGE = 65_307
"""Largest Ogg page in bytes."""


class PlainHeader(NamedTuple):
    """A header that says everything.

    Attributes:
        seconds: length.
        sample_rate: Hz.
        channels: their number.
        codec: ffmpeg's name.
        container: ffmpeg's name of the demuxer.
    """

    seconds: float
    sample_rate: int
    channels: int
    codec: str
    container: str


def flac_header(path: Path) -> PlainHeader | None:
    """The stream information of a FLAC file (RFC 9639, section 8.2), without starting a program; None for others."""
    with path.open("rb") as handle:
        head = handle.read(42)
    if len(head) < 42 or head[:4] != b"fLaC" or head[4] & 0x7F != 0:
        return None
    packed = int.from_bytes(head[18:26], "big")
    rate, channels, total = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    if not 1_000 <= rate <= 768_000 or total == 0:
        return None
    return PlainHeader(total / rate, rate, channels, "flac", "flac")


def plain_wav_header(path: Path) -> PlainHeader | None:
    """The header of a plain WAV whose length is right, without starting a program; None for all others."""
    with path.open("rb") as handle:
        head = handle.read(36)
    if len(head) < 36 or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return None
    tag, channels, rate = (int.from_bytes(head[at : at + size], "little") for at, size in ((20, 2), (22, 2), (24, 4)))
    width, bits = int.from_bytes(head[32:34], "little"), int.from_bytes(head[34:36], "little")
    codec = PLAIN_WAV.get((tag, bits))
    if codec is None or not 1 <= channels <= 2 or not 1_000 <= rate <= 768_000 or width != channels * bits // 8:
        return None
    seconds, to_the_end = riff_seconds(path)
    if seconds is None or to_the_end:
        return None
    return PlainHeader(seconds, rate, channels, codec, "wav")


def ogg_ended(path: Path) -> bool:
    """Whether the last page of an Ogg file has the end-of-stream flag (RFC 3533, section 6).

    ffprobe takes the duration from the last page of the file, so a truncated file looks complete to it.
    """
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - 2 * _OGG_PAGE))
        tail = handle.read()
    last = tail.rfind(b"OggS\0")
    return 0 <= last < len(tail) - 5 and bool(tail[last + 5] & 4)


def riff_seconds(path: Path) -> tuple[float | None, bool]:
    """Duration of a WAV by its header, and whether its data goes on to the end of the file instead.

    ffprobe returns the duration of the remaining data of a truncated file. Programs that write to a pipe do not know
    the length and put 0 or one of `_STREAMED` there; a recorder that crashed leaves the length that it wrote last, and
    what follows its data is no chunk.
    """
    with path.open("rb") as handle:
        head = handle.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None, False
        whole, bytes_per_second, tag = path.stat().st_size, 0, 0
        for _ in range(_MAX_CHUNKS):
            chunk = handle.read(8)
            if len(chunk) < 8:
                return None, False
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                if bytes_per_second == 0 or tag not in _COUNTED_TAGS:
                    return None, False
                start = handle.tell()
                if _goes_on(handle, start, size, whole):
                    return positive_seconds((whole - start) / bytes_per_second), True
                return positive_seconds(size / bytes_per_second), False
            if chunk[:4] == b"fmt ":
                fields = handle.read(12)
                tag, bytes_per_second = int.from_bytes(fields[:2], "little"), int.from_bytes(fields[8:], "little")
                size -= 12
            handle.seek(size + size % 2, 1)
    return None, False


def _goes_on(handle: BinaryIO, start: int, size: int, whole: int) -> bool:
    """Whether the data of a WAV is longer than its header says."""
    if start + size >= whole:
        return size in _STREAMED
    if size == 0:
        return True
    handle.seek(start + size + size % 2)
    following = handle.read(8)
    if len(following) < 8:
        return False
    known = following[:4] in _CHUNKS or (following[:4].isascii() and following[:4].decode("ascii").isprintable())
    fits = handle.tell() + int.from_bytes(following[4:], "little") <= whole + 1
    return not (known and fits) and whole - start - size > _PADDING and any(following)


def positive_seconds(text: object) -> float | None:
    """A number of seconds; None for what is none, or not above zero."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0.0 < value < 1e7 else None
