"""Stage `alignment`: words and phones of each clip; clips whose audio does not fit their text are rejected."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.align import features, forced_alignment
from voicemill.audio import decode
from voicemill.audio.vad import Span
from voicemill.dataset import stage_cache
from voicemill.dataset.candidates import CandidateClip, RejectedClip, reject
from voicemill.dataset.manifest import WordRow
from voicemill.dataset.report import require_fitting
from voicemill.dataset.utterances import outside
from voicemill.errors import DatasetError
from voicemill.text import lexicon, normalise

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "alignment"
MAX_UNWRITTEN_RUN = 0.5
"""Seconds of continuous speech outside all words."""
MAX_UNWRITTEN_SHARE = 0.15
"""Share of the speech outside all words, from `MIN_UNWRITTEN_SECONDS` on."""
MIN_UNWRITTEN_SECONDS = 0.3
_TOLERANCE = 0.08
"""Seconds before and after a word that belong to it: voice activity detection adds a margin to speech."""


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
    """Words and phones of a clip, or the reason why the alignment failed.

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


@dataclass(frozen=True)
class UnwrittenSpeech:
    """Speech of a clip outside all words of its text, in seconds, and its share of all speech."""

    seconds: float
    longest: float
    share: float

    @property
    def excessive(self) -> bool:
        """Whether the text probably lacks words that are spoken (docs/benchmarks.md, People)."""
        return self.longest > MAX_UNWRITTEN_RUN or (
            self.share > MAX_UNWRITTEN_SHARE and self.seconds > MIN_UNWRITTEN_SECONDS
        )


def unwritten_speech(words: Sequence[WordRow], speech: Sequence[Span]) -> UnwrittenSpeech:
    """Speech outside all words.

    Args:
        words: of the alignment.
        speech: stretches of speech in seconds of the clip, from voice activity detection.
    """
    spoken = [Span(max(0.0, start - _TOLERANCE), end + _TOLERANCE) for _, start, end, _ in words]
    rest = [part.duration for span in speech for part in outside(span, spoken)]
    total = sum(span.duration for span in speech)
    return UnwrittenSpeech(sum(rest), max(rest, default=0.0), sum(rest) / total if total else 0.0)


def _unwritten(clip: CandidateClip, words: Sequence[WordRow]) -> UnwrittenSpeech:
    start, end = clip.utterance.start, clip.utterance.end
    inside = [
        Span(max(span.start, start) - start, min(span.end, end) - start)
        for span in clip.utterance.recording.spans
        if span.start < end and start < span.end
    ]
    return unwritten_speech(words, inside)


def run(context: PreparationContext, clips: Sequence[CandidateClip]) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Align every clip; the aligned clips, and those whose audio does not fit their text.

    Raises:
        DatasetError: `text_mismatch`, when too many clips do not fit.
    """
    extra = context.request.lexicon
    digest = None if extra is None else files.sha256_file(extra)
    tasks = [
        AlignTask(clip.path, clip.cut.sha256, clip.utterance.normalized, extra, digest, context.cache) for clip in clips
    ]
    with context.clock.stage(NAME, len(tasks), sum(clip.cut.seconds for clip in clips)):
        results = context.map(align, tasks)
    context.note_cached(NAME, [result.cached for result in results])
    kept, rejected = [], []
    for clip, result in zip(clips, results, strict=True):
        unwritten = _unwritten(clip, result.words)
        fits = result.fits and not unwritten.excessive
        if fits or (clip.utterance.verdict == "keep" and result.score is not None):
            kept.append(dataclasses.replace(clip, aligned=result))
        elif result.score is None:
            rejected.append(reject(clip, "alignment_failed", result.problem or ""))
        elif result.fits:
            detail = f"{unwritten.seconds:.2f} s of the speech are in no word of the text"
            misfit = reject(clip, "text_mismatch", detail)
            figure = {"figure": round(unwritten.seconds, 3), "unit": "s"}
            rejected.append(dataclasses.replace(misfit, row=misfit.row.model_copy(update=figure)))
        else:
            misfit = reject(clip, "text_mismatch", f"alignment score {result.score:.1f}")
            figure = {"figure": result.score, "unit": "score"}
            rejected.append(dataclasses.replace(misfit, row=misfit.row.model_copy(update=figure)))
    require_fitting([one.row for one in rejected], len(clips))
    return kept, rejected
