"""Recordings: source files, and their decoded audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.dataset.report import Rejection
from voicemill.errors import AudioError

if TYPE_CHECKING:
    from voicemill.audio.vad import Span


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
    """Why a recording cannot be used: an `AudioError` as a value that can become a row of a report."""

    reason: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: AudioError) -> Refusal:
        """The refusal of an error."""
        return cls(error.reason, str(error), error.hint)

    def error(self) -> AudioError:
        """The error again."""
        return AudioError(self.message, reason=self.reason, hint=self.hint)

    def unusable(self, source: Recording, seconds: float) -> Rejection:
        """The row of the report for a recording that is left out as a whole."""
        return Rejection(
            source=source.name,
            start=source.offset,
            end=round(source.offset + seconds, 3),
            seconds=round(seconds, 3),
            reason=self.reason.partition(":")[0],
            detail=self.message,
        )


@dataclass(frozen=True)
class DecodedRecording:
    """A decoded recording: mono, 32-bit float, at the dataset's sample rate.

    Attributes:
        source: the file, or the part of one.
        path: the decoded WAV.
        seconds: its length.
        spans: stretches of speech.
        digest: of the samples, once voice activity was found in them.
        separated: windows in which the voice was separated from music or noise.
        index: its place among all recordings of the source.
        source_rate: sample rate of the source (Hz), above half of which there is no sound; 0 if it is not known.
    """

    source: Recording
    path: Path
    seconds: float
    spans: tuple[Span, ...] = ()
    digest: str = ""
    separated: tuple[Span, ...] = ()
    index: int = 0
    source_rate: int = 0


@dataclass(frozen=True)
class DecodedRecordings:
    """All recordings that could be decoded, those that could not, and the length of all (seconds)."""

    usable: tuple[DecodedRecording, ...]
    rejected: tuple[Rejection, ...]
    seconds: float
