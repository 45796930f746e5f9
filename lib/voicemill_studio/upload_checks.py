"""Checks of an uploaded file by its content, also while it arrives: format, level, clipping, noise and speech."""

from __future__ import annotations

import codecs
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from voicemill.audio import ffmpeg, probing, quality
from voicemill.audio.decode import resample
from voicemill.audio.probing import Declared
from voicemill.audio.vad import SAMPLE_RATE, speech_spans
from voicemill.dataset.limits import QualityLimits
from voicemill.errors import AudioError, UsageError
from voicemill.text import text_files

Kind = Literal["recording", "text"]

STRETCH_SECONDS = 20.0
"""Length of the part that one check measures."""
HEAD_BYTES = 4096
"""Bytes from which the kind of a file is known."""
QUIET_DBFS = -45.0
SPEECH_SHARE = 0.05
_MP4 = b"ftyp"
_TEXT_CONTROLS = frozenset(b"\t\n\r\f")


class PartMeasures(BaseModel):
    """What was measured on a part of a recording.

    Attributes:
        start: seconds.
        seconds: length.
        level_dbfs: of the speech.
        peak_dbfs: highest sample.
        clipped_share: of the samples, 0 to 1.
        snr_db: of the speech above the noise.
        bandwidth_hz: up to which there is speech.
        speech_share: of the time, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float
    seconds: float
    level_dbfs: float
    peak_dbfs: float
    clipped_share: float
    snr_db: float
    bandwidth_hz: float
    speech_share: float


class Warned(BaseModel):
    """Something that a person should know about a recording: a stable reason and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    sentence: str


class FileCheck(BaseModel):
    """What is known about an uploaded file.

    Attributes:
        kind: None as long as too little has arrived.
        whole: the check saw the complete file.
        described: format, rate, channels and length for people; the number of words of a text.
        seconds: length that the header declares; None for texts and where the header does not declare it.
        stretches: measured parts of a recording.
        warnings: for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind | None = None
    whole: bool = False
    described: str = ""
    seconds: float | None = None
    stretches: tuple[PartMeasures, ...] = ()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True)
class Arrived:
    """A file that arrives: its path, the bytes on the disk and those that it will have, and its name for people."""

    path: Path
    received: int
    total: int
    name: str

    @property
    def whole(self) -> bool:
        """Whether every byte is there."""
        return self.received >= self.total


def check(arrived: Arrived, before: FileCheck | None = None) -> FileCheck:
    """Check what has arrived of a file.

    Args:
        arrived: the file.
        before: the last check of the same file; its stretches are kept.

    Raises:
        UsageError: `upload_type`: it is neither a recording nor a text.
        AudioError: a complete recording cannot be read, see `probing.inspect`.
        DatasetError: `missing_transcript`: a complete text cannot be read.
    """
    if arrived.received < min(HEAD_BYTES, arrived.total):
        return before or FileCheck()
    head = _head(arrived.path)
    if _is_text(head, arrived.total):
        return _check_text(arrived)
    try:
        declared = probing.inspect(arrived.path)
    except AudioError as error:
        if arrived.whole:
            raise (_unknown(arrived.name) if error.code == "audio_unreadable" else error) from None
        if _MP4 in head[:16] or _may_be_audio(head):
            return before or FileCheck()  # the index of an MP4 may be at its end
        raise _unknown(arrived.name) from error
    return _check_recording(arrived, declared, before or FileCheck())


def _head(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(HEAD_BYTES)


def _is_text(head: bytes, total: int) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head):
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, final=total <= len(head))
    except UnicodeDecodeError:
        return b"\0" not in head and sum(byte >= 128 for byte in head) < len(head) / 4  # an old code page
    return True


def _may_be_audio(head: bytes) -> bool:
    return head.startswith((b"ID3", b"\xff", b"OggS", b"RIFF", b"RF64", b"FORM", b"\x1aE\xdf\xa3", b"caff", b"fLaC"))


def _check_text(arrived: Arrived) -> FileCheck:
    if not arrived.whole:
        return FileCheck(kind="text")
    notes: list[str] = []
    text = text_files.read_text(arrived.path, utf_16=True, note=notes.append)
    words = len(text.split())
    warnings = [Warned(reason="encoding", sentence=f"{note.partition(': ')[2].capitalize()}.") for note in notes]
    if not words:
        warnings.append(Warned(reason="no_text", sentence="There is no word in this text."))
    return FileCheck(kind="text", whole=True, described=f"text, {words:,} words", warnings=tuple(warnings))


def _check_recording(arrived: Arrived, declared: Declared, before: FileCheck) -> FileCheck:
    """The header, and one stretch more: the last one that is wholly there, and of a complete file its middle."""
    share = arrived.received / max(1, arrived.total)
    there = None if declared.duration is None else declared.duration * share
    stretches = list(before.stretches)
    start = 0.0
    if there is not None and stretches:
        start = max(0.0, (there / 2 if arrived.whole else there - 1.25 * STRETCH_SECONDS))
    if not any(abs(one.start - start) < STRETCH_SECONDS for one in stretches):
        samples, rate = read_stretch(declared, start)
        if len(samples) >= rate:
            stretches.append(measure(samples, rate, start))
    found = tuple(sorted(stretches, key=lambda one: one.start))
    return FileCheck(
        kind="recording",
        whole=arrived.whole,
        described=_described(declared),
        seconds=declared.duration,
        stretches=found,
        warnings=tuple(_warnings(found, declared, QualityLimits())),
    )


def read_stretch(declared: Declared, start: float) -> tuple[npt.NDArray[np.float32], int]:
    """At most `STRETCH_SECONDS` of a recording, perhaps a partial one, channels averaged: samples (n,) and their rate.

    What cannot be decoded is left out; the preparation reads the whole file with every check.
    """
    options = {"f": "f32le", "acodec": "pcm_f32le", "ac": 1, "ar": declared.sample_rate, "t": STRETCH_SECONDS}
    demuxer: dict[str, object] = {"ss": start} if start else {}
    if declared.to_the_end:
        demuxer["ignore_length"] = 1
    with ffmpeg.ffmpeg(declared.path, options, input_options=demuxer) as (process, _):
        if process.stdout is None:
            raise RuntimeError("ffmpeg was started without a pipe")
        data = process.stdout.read()
    samples = np.frombuffer(data[: len(data) // 4 * 4], dtype="<f4")
    return np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), declared.sample_rate


def measure(samples: npt.NDArray[np.float32], rate: int, start: float) -> PartMeasures:
    """The figures of a part of a recording, mono (n,)."""
    figures = quality.measure(samples, rate)
    spoken = sum(span.duration for span in speech_spans(resample(samples, rate, SAMPLE_RATE)))
    seconds = len(samples) / rate
    return PartMeasures(
        start=round(start, 2),
        seconds=round(seconds, 2),
        level_dbfs=round(figures.loudness_dbfs, 1),
        peak_dbfs=round(figures.peak_dbfs, 1),
        clipped_share=round(figures.clipped_share, 6),
        snr_db=round(figures.snr_db, 1),
        bandwidth_hz=round(figures.bandwidth_hz, 0),
        speech_share=round(spoken / seconds, 3),
    )


def _warnings(stretches: Sequence[PartMeasures], declared: Declared, limits: QualityLimits) -> list[Warned]:
    if not stretches:
        return []
    found = []
    spoken = [one for one in stretches if one.speech_share >= SPEECH_SHARE]
    if not spoken:
        found.append(Warned(reason="no_speech", sentence="No speech was found in the parts that were checked."))
    elif statistics.median(one.level_dbfs for one in spoken) < QUIET_DBFS:
        found.append(Warned(reason="too_quiet", sentence="The speech is very quiet."))
    if any(one.clipped_share > limits.max_clipped_share for one in stretches):
        found.append(Warned(reason="clipped", sentence="The recording is too loud and clips."))
    if spoken and statistics.median(one.snr_db for one in spoken) < limits.min_snr_db:
        found.append(Warned(reason="noisy", sentence="The speech is hardly louder than the noise."))
    if spoken and max(one.bandwidth_hz for one in spoken) < limits.min_bandwidth_hz:
        found.append(Warned(reason="narrow_band", sentence="It sounds like a telephone: high sounds are missing."))
    if declared.sample_rate < SAMPLE_RATE:
        sentence = f"It has {declared.sample_rate:,} samples a second; 22,050 or more are better."
        found.append(Warned(reason="sample_rate_low", sentence=sentence))
    return found


def _described(declared: Declared) -> str:
    channels = {1: "mono", 2: "stereo"}.get(declared.channels, f"{declared.channels} channels")
    codec = declared.codec.removesuffix("le").replace("pcm_s", "WAV ").replace("pcm_f", "WAV float ")
    codec = f"{codec} bit" if codec.startswith("WAV") else codec.upper()
    return f"{codec}, {declared.sample_rate:,} Hz, {channels}"


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"{name} is neither a recording nor a text.",
        reason="upload_type",
        hint="Give WAV, FLAC, MP3, M4A, OGG or Opus, and plain text.",
    )
