"""Each recording on its own: decoded to mono, its loudness, where somebody speaks. Tasks for `ClipPool`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill.audio import decode, endpointing, level_envelope, loudness, vad, waveform
from voicemill.audio.loudness import Loudness
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset import stage_cache
from voicemill.errors import AudioError


@dataclass(frozen=True)
class Recording:
    """A source file, or a part of one.

    Attributes:
        path: the file.
        name: what the manifest calls it; POSIX, no machine path.
        start: first second taken, None for the beginning.
        end: second to stop before, None for the end.
    """

    path: Path
    name: str
    start: float | None = None
    end: float | None = None

    @property
    def offset(self) -> float:
        """Seconds in the file at which this recording begins."""
        return self.start or 0.0


@dataclass(frozen=True)
class Refusal:
    """Why a recording cannot be used: what an `AudioError` says, as a value that can become a row of a report."""

    reason: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: AudioError) -> Refusal:
        """What the error says."""
        return cls(error.reason, str(error), error.hint)

    def error(self) -> AudioError:
        """The error again."""
        return AudioError(self.message, reason=self.reason, hint=self.hint)


@dataclass(frozen=True)
class DecodeTask:
    """Decode `recording` to `target`, 32-bit float at `sample_rate`, so that a gain later costs no resolution."""

    recording: Recording
    target: Path
    sample_rate: int


def decode_one(task: DecodeTask) -> float | Refusal:
    """Decode and check one recording; its length in seconds."""
    part = task.recording
    try:
        return decode.decode(
            part.path, task.target, sample_rate=task.sample_rate, start=part.start, end=part.end, subtype="FLOAT"
        ).duration
    except AudioError as error:
        return Refusal.of(error)


def loudness_of(decoded: Path) -> Loudness | Refusal:
    """Loudness of a decoded recording: of the mono signal that training hears, not of the source's channels."""
    try:
        return loudness.measure(decoded)
    except AudioError as error:
        return Refusal.of(error)


def joint_loudness(figures: Sequence[Loudness], seconds: Sequence[float]) -> Loudness:
    """Loudness of several recordings as one: energies averaged by length, the highest peak.

    All clips of a voice get one gain, so that a soft sentence stays softer than a loud one. The gating of EBU R 128
    works on each recording alone, so this differs a little from the figure of the recordings joined.
    """
    energy = sum(
        length * 10.0 ** (figure.integrated_lufs / 10.0) for figure, length in zip(figures, seconds, strict=True)
    )
    return Loudness(
        integrated_lufs=10.0 * math.log10(energy / sum(seconds)),
        true_peak_dbfs=max(figure.true_peak_dbfs for figure in figures),
        range_lu=max(figure.range_lu for figure in figures),
    )


@dataclass(frozen=True)
class SpeechTask:
    """Find speech in `decoded`, or take what was found in the same sound before from the cache."""

    decoded: Path
    cache: Path


class Speech(BaseModel):
    """Where somebody speaks: (start, end) in seconds, and the digest of the sound it was found in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    spans: tuple[tuple[float, float], ...]
    cached: bool = False


def speech_of(task: SpeechTask) -> Speech:
    """Where somebody speaks in a decoded recording, whatever its length, in bounded memory."""
    heard = FileWaveform((task.decoded,))
    digest = waveform.digest(heard)

    def compute() -> Speech:
        found = vad.recover_missed_onsets(heard, vad.detect_speech(heard))
        spans = endpointing.refine(found, level_envelope.LevelEnvelope.of_waveform(heard))
        return Speech(digest=digest, spans=tuple((span.start, span.end) for span in spans))

    stored = stage_cache.model_entry(task.cache, "speech", __name__, packages.version("silero-vad"), digest)
    speech, cached = stage_cache.cached_model(stored, Speech, compute)
    return speech.model_copy(update={"cached": cached})
