"""Results of the stages for one clip: as it was cut, aligned, and searched for pitch."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from voicemill.audio import device
from voicemill.audio.quality import ClipQuality
from voicemill.audio.voice_traits import VoiceTraits
from voicemill.dataset.manifest import WordRow

FRAME_LENGTH = 1024
HOP_LENGTH = 256
"""Samples; NeMo's `n_window_size` and `n_window_stride` at 22,050 Hz: a frame of 46 ms every 11.6 ms."""


@dataclass(frozen=True)
class CutClip:
    """A written clip: digest of the file, length in seconds, figures; `voice` is None without voiced speech."""

    sha256: str
    seconds: float
    quality: ClipQuality
    voice: VoiceTraits | None


class AlignedClip(BaseModel):
    """Words and phones of a clip, or the reason why the alignment failed.

    Attributes:
        words: rows of the manifest's `alignment`; empty when it failed.
        score: mean acoustic score, 0 best; see `voicemill.align.forced_alignment`.
        fits: whether sound and text belong together.
        rule: name of the rule that failed where they do not: `outside`, `rushed`, `score`, `words`; the figure, its
            unit, the limit and a sentence belong to it.
        problem: the aligner's sentence when it could not place the text at all.
        normalized: the spoken form with the reading that fits the sound, where that is not the one that was given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: list[WordRow]
    score: float | None
    fits: bool
    rule: str | None = None
    figure: float | None = None
    unit: str = ""
    limit: float | None = None
    problem: str | None = None
    normalized: str | None = None
    cached: bool = False


@dataclass(frozen=True)
class PitchSettings:
    """What the pitch of a clip depends on beside its samples: rates in Hz, lengths in samples."""

    sample_rate: int
    fmin: float
    fmax: float
    frame_length: int = FRAME_LENGTH
    hop_length: int = HOP_LENGTH
    device: str = device.CPU


@dataclass(frozen=True)
class PitchResult:
    """Voiced frames of a clip (count, sum of Hz, sum of squared Hz), digest of the file, whether the cache had it."""

    voiced: int
    total: float
    squares: float
    frames: int
    sha256: str
    cached: bool
