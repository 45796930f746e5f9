"""Words and phones of each clip, in a cache keyed by the sound, the text and its pronunciations."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill.align import features, forced_alignment
from voicemill.audio import decode
from voicemill.dataset import stage_cache
from voicemill.dataset.manifest import WordRow
from voicemill.errors import DatasetError
from voicemill.text import lexicon, normalise


@dataclass(frozen=True)
class AlignTask:
    """Align normalised `text` to `clip`; `extra` is the user's own dictionary, the digests are of these two files."""

    clip: Path
    sha256: str
    text: str
    extra: Path | None
    extra_sha256: str | None
    cache: Path


class AlignedClip(BaseModel):
    """What alignment found, or why it failed.

    Attributes:
        words: rows of the manifest's `alignment`; empty when it failed.
        score: mean acoustic score, 0 best; see `voicemill.align.forced_alignment`.
        fits: whether sound and text belong together.
        problem: the aligner's sentence when it could not place the text at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: list[WordRow]
    score: float | None
    fits: bool
    problem: str | None = None
    cached: bool = False


def align(task: AlignTask) -> AlignedClip:
    """Align one clip, or take the result from the cache."""
    aligner, pronunciations = _aligner(task.extra, task.extra_sha256)
    spoken = [(word, pronunciations.pronounce(word).phones) for word in normalise.words(task.text)]

    def compute() -> AlignedClip:
        samples, rate = decode.read_mono(task.clip)
        try:
            found = aligner.align(decode.resample(samples, rate, features.SAMPLE_RATE), task.text)
        except DatasetError as error:
            if error.code != "alignment_failed":
                raise
            return AlignedClip(words=[], score=None, fits=False, problem=str(error))
        return AlignedClip(words=_rows(found), score=round(found.score, 4), fits=found.fits)

    version = lexicon.pocketsphinx_version()
    stored = stage_cache.model_entry(task.cache, "alignment", __name__, version, task.sha256, task.text, spoken)
    result, cached = stage_cache.cached_model(stored, AlignedClip, compute)
    return result.model_copy(update={"cached": cached})


def _rows(found: forced_alignment.Alignment) -> list[WordRow]:
    return [
        (
            word.text,
            round(word.start, 3),
            round(word.end, 3),
            [(phone.name, round(phone.start, 3), round(phone.end, 3)) for phone in word.phones],
        )
        for word in found.words
    ]


@functools.lru_cache(maxsize=1)
def _aligner(extra: Path | None, digest: str | None) -> tuple[forced_alignment.Aligner, lexicon.Lexicon]:
    """One aligner a process; `digest` is part of the key, so that an edited dictionary is read again."""
    pronunciations = lexicon.Lexicon.load(extra)
    return forced_alignment.Aligner(pronunciations), pronunciations
