"""Two groups of clips that differ as two speakers do, by `metrics.speaker`, without a speaker model.

The distance of two groups does not tell speakers from rooms, microphones or noise (docs/evaluation.md), so it gives a
warning and rejects nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from voicemill.audio import decode
from voicemill.dataset import stage_cache
from voicemill.metrics.speaker import (
    LOW_SAMPLE_RATE,
    MIN_FRAMES,
    CepstralSums,
    SpeakerProfile,
    cepstral_sums,
    pooled_profile,
    speaker_distance,
)

MIN_DISTANCE = 0.2
"""Of the two groups, plus `FRAMES_TERM` / frames."""
MIN_CLIPS = 3
"""Of the smaller group: a single clip may differ by its text alone."""
MIN_GROUP_FRAMES = 600
"""About 7 s of speech in the smaller group."""
FRAMES_TERM = 150.0
"""Divided by the frames of the smaller group and added to the least distance: with less speech, the distance grows."""
_ROUNDS = 20


@dataclass(frozen=True)
class SumsTask:
    """Sums of one clip, whose digest is `sha256`, computed or from the cache."""

    clip: Path
    sha256: str
    cache: Path


class ClipSums(BaseModel):
    """`CepstralSums` in the cache."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int
    first: tuple[float, ...]
    second: tuple[tuple[float, ...], ...]

    def sums(self) -> CepstralSums:
        """The same as arrays."""
        return CepstralSums(self.frames, np.array(self.first), np.array(self.second))


@dataclass(frozen=True)
class Groups:
    """Two groups of clips: indices of the smaller one, and the distance between the two."""

    smaller: tuple[int, ...]
    distance: float


def sums_of(task: SumsTask) -> ClipSums:
    """The sums of one clip; without frames if its sample rate is too low."""

    def compute() -> ClipSums:
        samples, rate = decode.read_mono(task.clip)
        if rate < LOW_SAMPLE_RATE:
            return ClipSums(frames=0, first=(), second=())
        found = cepstral_sums([samples], rate)
        return ClipSums(
            frames=found.frames, first=tuple(found.first.tolist()), second=tuple(map(tuple, found.second.tolist()))
        )

    stored = stage_cache.model_entry(task.cache, "cepstra", __name__, task.sha256)
    return stage_cache.cached_model(stored, ClipSums, compute)[0]


def find(clips: Sequence[ClipSums]) -> Groups | None:
    """Two groups of clips that differ as two speakers do; None if there are none.

    Two means with the speaker distance, begun with the clip farthest from all and the clip farthest from that one.
    Clips with less than `MIN_FRAMES` frames belong to no group.
    """
    used = [index for index, clip in enumerate(clips) if clip.frames >= MIN_FRAMES]
    if len(used) < 2 * MIN_CLIPS:
        return None
    sums = [clips[index].sums() for index in used]
    profiles = [pooled_profile([one]) for one in sums]
    seed = profiles[int(np.argmax(_distances(profiles, pooled_profile(sums))))]
    from_seed = _distances(profiles, seed)
    inside = from_seed < _distances(profiles, profiles[int(np.argmax(from_seed))])
    centres: list[SpeakerProfile] = []
    for _ in range(_ROUNDS):
        if not MIN_CLIPS <= inside.sum() <= len(used) - MIN_CLIPS:
            return None
        centres = [
            pooled_profile([one for one, own in zip(sums, inside == side, strict=True) if own])
            for side in (True, False)
        ]
        nearer = _distances(profiles, centres[0]) < _distances(profiles, centres[1])
        if (nearer == inside).all():
            break
        inside = nearer
    distance = speaker_distance(*centres)
    frames = min(centre.frames for centre in centres)
    if frames < MIN_GROUP_FRAMES or distance < MIN_DISTANCE + FRAMES_TERM / frames:
        return None
    smaller = inside if inside.sum() <= len(used) / 2 else ~inside
    return Groups(tuple(index for index, own in zip(used, smaller, strict=True) if own), distance)


def _distances(profiles: Sequence[SpeakerProfile], centre: SpeakerProfile) -> npt.NDArray[np.float64]:
    return np.array([speaker_distance(one, centre) for one in profiles])
