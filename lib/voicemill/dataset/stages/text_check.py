"""Stage `text-check`: clips with a wrong word in their text are rejected; doubtful words are noted for the review."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.align import features, second_recogniser
from voicemill.align.forced_alignment import Aligner
from voicemill.align.text_check import WrongWords, wrong_words
from voicemill.align.transcription import RecogniserModel
from voicemill.audio import decode
from voicemill.dataset import doubts, stage_cache
from voicemill.dataset.candidates import CandidateClip, RejectedClip, reject
from voicemill.text.frontend import SpokenWord
from voicemill.text.lexicon import Lexicon

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "text-check"
_WORD = re.compile(r"([A-Za-z]+(?:'[A-Za-z]+)*)([^A-Za-z]*)")


@dataclass(frozen=True)
class CheckTask:
    """Check the words of `clip`; `extra` is the user's own dictionary, the digests are of these two files."""

    clip: Path
    sha256: str
    words: tuple[SpokenWord, ...]
    extra: Path | None
    extra_sha256: str | None
    recogniser: RecogniserModel
    cache: Path


class CheckedClip(BaseModel):
    """Words that are not what is spoken, see `WrongWords`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wrong: tuple[WrongWords, ...]
    cached: bool = False


def check(task: CheckTask) -> CheckedClip:
    """Check one clip, or take the result from the cache."""

    def compute() -> CheckedClip:
        aligner, lexicon = _aligner(task.extra, task.extra_sha256)
        samples, rate = decode.read_mono(task.clip)
        samples = decode.resample(samples, rate, features.SAMPLE_RATE)
        recogniser = second_recogniser.load(task.recogniser)
        return CheckedClip(wrong=tuple(wrong_words(recogniser, aligner, lexicon, samples, task.words)))

    spoken = [(word.text, word.phones, word.mark, word.written) for word in task.words]
    stored = stage_cache.model_entry(
        task.cache, NAME, __name__, task.recogniser.digest, task.sha256, task.extra_sha256, spoken
    )
    result, cached = stage_cache.cached_model(stored, CheckedClip, compute)
    return result.model_copy(update={"cached": cached})


@functools.lru_cache(maxsize=1)
def _aligner(extra: Path | None, digest: str | None) -> tuple[Aligner, Lexicon]:
    """One aligner a process; `digest` is part of the key, so that an edited dictionary is read again."""
    lexicon = Lexicon.load(extra)
    return Aligner(lexicon), lexicon


def run(context: PreparationContext, clips: Sequence[CandidateClip]) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Check the texts that people wrote; the clips whose words are spoken or doubtful, and those with a wrong word.

    A clip that a person kept in the review, or whose text the person corrected, is not rejected: its words are
    doubtful.
    """
    recogniser = context.checker
    if recogniser is None:
        with context.clock.stage(NAME):
            return list(clips), []
    extra = context.request.lexicon
    digest = None if extra is None else files.sha256_file(extra)
    judged = [clip for clip in clips if not clip.utterance.recognised]
    tasks = [
        CheckTask(clip.path, clip.cut.sha256, _words(clip), extra, digest, recogniser, context.cache) for clip in judged
    ]
    with context.clock.stage(NAME, len(tasks), sum(clip.cut.seconds for clip in judged)):
        results = context.map(check, tasks)
    context.note_cached(NAME, [result.cached for result in results])
    wrong = {clip.id: result.wrong for clip, result in zip(judged, results, strict=True)}
    kept, rejected = [], []
    for clip in clips:
        found = wrong.get(clip.id, ())
        certain = next((one for one in found if one.certain), None)
        if certain is None or clip.utterance.verdict == "keep" or clip.utterance.corrected:
            kept.append(dataclasses.replace(clip, doubts=found))
        else:
            text = [word.text for word in _words(clip)]
            detail = doubts.sentence(text, certain.first, certain.last, " ".join(certain.recognised))
            rejected.append(reject(clip, "text_mismatch", f"word: {detail}"))
    return kept, rejected


def _words(clip: CandidateClip) -> tuple[SpokenWord, ...]:
    """The aligned words with the capital letters and marks of the spoken form."""
    rows = clip.aligned.words if clip.aligned else []
    written = _WORD.findall(clip.utterance.normalized)
    if len(written) != len(rows):
        written = [(word, "") for word, *_ in rows]
    return tuple(
        SpokenWord(word, tuple(phone for phone, _, _ in phones), mark.strip()[:1], shown)
        for (word, _, _, phones), (shown, mark) in zip(rows, written, strict=True)
    )
