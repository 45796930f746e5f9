"""Similarity of each clip to the speaker of most clips, by a speaker model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from voicemill.audio import decode, embedding
from voicemill.audio.embedding import SpeakerModel
from voicemill.dataset import stage_cache
from voicemill.errors import NotMeasurableError


@dataclass(frozen=True)
class EmbedTask:
    """Embed one clip, whose digest is `sha256`, or take the vector from the cache."""

    clip: Path
    sha256: str
    model: SpeakerModel
    cache: Path


class Embedded(BaseModel):
    """A vector of length 1; None where the model gives none for this sound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vector: tuple[float, ...] | None


def embed(task: EmbedTask) -> Embedded:
    """One clip's vector."""

    def compute() -> Embedded:
        try:
            return Embedded(vector=tuple(task.model.embed(*decode.read_mono(task.clip)).tolist()))
        except NotMeasurableError:
            return Embedded(vector=None)

    stored = stage_cache.model_entry(task.cache, "speaker", __name__, task.model.sha256, task.sha256)
    return stage_cache.cached_model(stored, Embedded, compute)[0]


def similarities(clips: Sequence[Embedded]) -> list[float | None]:
    """Cosine of each clip to the speaker of most of them, -1 to 1; None for a clip without a vector.

    The speaker is the centre of the half of the clips that lie nearest to the centre of all, so that other speakers
    do not shift it.
    """
    known = [clip.vector for clip in clips if clip.vector is not None]
    if not known:
        return [None] * len(clips)
    vectors = np.array(known)
    first = vectors @ embedding.centroid(vectors)
    near = vectors[first >= np.median(first)]
    found = iter((vectors @ embedding.centroid(near)).tolist())
    return [None if clip.vector is None else next(found) for clip in clips]
