"""Blocks of samples of a recording at its own rate, with the check that all of it was read.

Plain WAV and FLAC are read with libsndfile, every other format through a pipe from ffmpeg. Both give the same samples,
and both find a damaged file; libsndfile saves the start of a process, which costs more than decoding a short clip.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from voicemill.audio import ffmpeg
from voicemill.audio.probing import Declared
from voicemill.errors import AudioError

Samples = npt.NDArray[np.float32]

_BLOCK = 1 << 18
"""Samples per block (1 MiB)."""
_SHORTFALL = 0.1
"""Seconds that a file may be shorter than its header declares, for codec delay and rounding."""
_LOSSY_SHORTFALL = 0.02
"""Relative tolerance for lossy files, whose duration is estimated from the bit rate if there is no index."""
_WITHOUT_LENGTH = ("aac",)
"""Containers (ADTS) whose header has no length; ffprobe guesses one from the bit rate of the first frames."""
_HALF_SAMPLE = re.compile(r"Invalid PCM packet, data has size|Error while decoding stream|Error submitting packet")
"""ffmpeg's messages about a WAV that ends within a sample."""


def raw_blocks(declared: Declared) -> Iterator[Samples]:
    """Blocks (n, channels) of a recording at its own rate, full scale 1.0.

    A caller that needs only the start closes the generator; the end of the file is then not checked.

    Raises:
        AudioError: `audio_unreadable`, nothing can be decoded; `audio_truncated`, the file is damaged or shorter than
            its header declares.
        DependencyError: ffmpeg is not installed.
    """
    size = _BLOCK // declared.channels + 1
    if declared.plain and shutil.which("ffmpeg"):
        yield from _with_libsndfile(declared, size)
    else:
        yield from _with_ffmpeg(declared, size)


def _with_libsndfile(declared: Declared, size: int) -> Iterator[Samples]:
    """The blocks as libsndfile reads them; after a fault as ffmpeg reads them, which names the fault."""
    import soundfile

    total = 0
    with declared.path.open("rb") as handle:
        try:
            with soundfile.SoundFile(handle) as source:
                while len(block := source.read(size, dtype="float32", always_2d=True)):
                    total += len(block)
                    yield block
        except soundfile.LibsndfileError:
            yield from _with_ffmpeg(declared, size, total)
            return
    _judge_end(declared, total / declared.sample_rate, 0, "")


def _with_ffmpeg(declared: Declared, size: int, skipped: int = 0) -> Iterator[Samples]:
    """The blocks from a sample on."""
    total, width = 0, 4 * declared.channels
    as_it_is = {"f": "f32le", "acodec": "pcm_f32le", "ac": declared.channels, "ar": declared.sample_rate}
    demuxer = {"ignore_length": 1} if declared.to_the_end else {}
    with ffmpeg.ffmpeg(declared.path, as_it_is, input_options=demuxer, track=declared.track) as (process, log):
        if process.stdout is None:
            raise RuntimeError("ffmpeg was started without a pipe")
        while data := process.stdout.read(width * size):
            block = np.frombuffer(data[: len(data) // width * width], dtype="<f4").reshape(-1, declared.channels)
            rest = block[max(0, skipped - total) :]
            total += len(block)
            if len(rest):
                yield rest
        code = process.wait()
        text = log()
    _judge_end(declared, total / declared.sample_rate, code, text)


def _judge_end(declared: Declared, seconds: float, code: int, log: str) -> None:
    """Check that the whole file was decoded: by ffmpeg's exit code, its log, and the length in the header."""
    if seconds == 0.0 and (code != 0 or log.strip()):
        raise ffmpeg.unreadable(declared.path, log)
    missing = (declared.duration or 0.0) - seconds
    allowed = _SHORTFALL if declared.lossless else max(_SHORTFALL, _LOSSY_SHORTFALL * (declared.duration or 0.0))
    complaints = [line for line in log.splitlines() if line.strip()]
    if declared.container == "wav" and "Invalid PCM packet" in log and missing <= allowed:
        complaints, code = [line for line in complaints if not _HALF_SAMPLE.search(line)], 0
    damaged = code != 0 or (declared.lossless and bool(complaints))
    if missing > allowed and declared.container not in _WITHOUT_LENGTH:
        raise AudioError(
            f"{declared.path.name} is truncated at second {seconds:.2f} of {declared.duration:.2f}.",
            reason="audio_truncated",
            hint="Copy or download the file again.",
        )
    if not declared.ended:
        raise AudioError(
            f"{declared.path.name} is truncated at second {seconds:.2f}: its end-of-stream flag is missing.",
            reason="audio_truncated",
            hint="Copy the file again; if it is a recorded stream and this is all of it, write it to FLAC with ffmpeg.",
        )
    if damaged:
        raise AudioError(
            f"{declared.path.name} is damaged before second {seconds:.2f}: {ffmpeg.last_line(log)}",
            reason="audio_truncated",
            hint="Copy or download the file again.",
        )
