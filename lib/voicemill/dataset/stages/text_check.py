"""Stage `text-check`: clips with a wrong word in their text are rejected; doubtful words are noted for the review."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.align import features, second_recogniser
from voicemill.align.second_recogniser import clips_at_once, padded_seconds
from voicemill.align.text_check import WrongWords, wrong_words
from voicemill.align.transcription import RecogniserModel
from voicemill.audio import decode
from voicemill.dataset import doubts, stage_cache
from voicemill.dataset.candidates import CandidateClip, RejectedClip, reject
from voicemill.dataset.stages.alignment import loaded_aligner
from voicemill.text.frontend import SpokenWord

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "text-check"
_WORD = re.compile(r"([A-Za-z]+(?:'[A-Za-z]+)*)([^A-Za-z]*)")


@dataclass(frozen=True)
class TextToCheck:
    """A clip's file, its digest, its length in seconds, and its text as it is read."""

    clip: Path
    sha256: str
    seconds: float
    words: tuple[SpokenWord, ...]


@dataclass(frozen=True)
class CheckTask:
    """Check the words of clips; `extra` is the user's own dictionary, `extra_sha256` its digest."""

    clips: tuple[TextToCheck, ...]
    extra: Path | None
    extra_sha256: str | None
    recogniser: RecogniserModel
    cache: Path


class CheckedClip(BaseModel):
    """Words that are not what is spoken, see `WrongWords`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wrong: tuple[WrongWords, ...]
    cached: bool = False


def check(task: CheckTask) -> list[CheckedClip]:
    """Check clips, or take the results from the cache."""
    stored = [_entry(task, clip) for clip in task.clips]
    known = [stage_cache.read_model(path, CheckedClip) for path in stored]
    missing = [index for index, one in enumerate(known) if one is None]
    made = dict(zip(missing, _compute(task, [task.clips[index] for index in missing]), strict=True))
    for index, result in made.items():
        files.write_text(stored[index], result.model_dump_json())
    return [made[index] if one is None else one.model_copy(update={"cached": True}) for index, one in enumerate(known)]


def _entry(task: CheckTask, clip: TextToCheck) -> Path:
    spoken = [(word.text, word.phones, word.mark, word.written) for word in clip.words]
    return stage_cache.model_entry(
        task.cache, NAME, __name__, task.recogniser.digest, clip.sha256, task.extra_sha256, spoken
    )


def _compute(task: CheckTask, clips: Sequence[TextToCheck]) -> list[CheckedClip]:
    if not clips:
        return []
    aligner, lexicon = loaded_aligner(task.extra, task.extra_sha256)
    samples = [decode.resample(*decode.read_mono(clip.clip), features.SAMPLE_RATE) for clip in clips]
    texts = [(sound, clip.words) for sound, clip in zip(samples, clips, strict=True)]
    found = wrong_words(second_recogniser.load(task.recogniser), aligner, lexicon, texts)
    return [CheckedClip(wrong=tuple(one)) for one in found]


def _batches(clips: Sequence[TextToCheck]) -> list[list[int]]:
    """Indices of clips that are recognised together: of one length in whole seconds, `clips_at_once` at most."""

    def padded(index: int) -> int:
        return padded_seconds(round(clips[index].seconds * features.SAMPLE_RATE))

    found = []
    for seconds, group in itertools.groupby(sorted(range(len(clips)), key=padded), key=padded):
        indices = list(group)
        size = clips_at_once(seconds)
        found += [indices[first : first + size] for first in range(0, len(indices), size)]
    return found


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
    texts = [TextToCheck(clip.path, clip.cut.sha256, clip.cut.seconds, _words(clip)) for clip in judged]
    batches = _batches(texts)
    tasks = [
        CheckTask(tuple(texts[index] for index in batch), extra, digest, recogniser, context.cache) for batch in batches
    ]
    with context.clock.stage(NAME, len(tasks), sum(clip.cut.seconds for clip in judged)):
        checked = context.map(check, tasks)
    by_index = {
        index: result
        for batch, found in zip(batches, checked, strict=True)
        for index, result in zip(batch, found, strict=True)
    }
    results = [by_index[index] for index in range(len(judged))]
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
