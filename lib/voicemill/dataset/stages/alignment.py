"""Stage `alignment`: words and phones of each clip as they were read; clips whose audio does not fit are rejected."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import numpy.typing as npt

from voicemill import files
from voicemill.align import features, forced_alignment
from voicemill.align.forced_alignment import spoken_reading
from voicemill.audio import decode
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.dataset import stage_cache, unwritten, word_edges
from voicemill.dataset.candidates import CandidateClip, Fault, RejectedClip, reject
from voicemill.dataset.clip_results import AlignedClip
from voicemill.dataset.manifest import WordRow
from voicemill.dataset.report import Rejection, require_fitting
from voicemill.errors import DatasetError
from voicemill.text import lexicon
from voicemill.text.readings import reading_of

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "alignment"
_GAIN, _TOTAL_GAIN = 0.15, 1.5
"""Score that an alignment gains if a sound that is no speech is left out, and the score times the seconds of the words.
Where it is a word, the score falls or rises by at most 0.1."""
_MARGIN = 0.1
"""Seconds of silence between such a sound and the speech, and what is left of it before the speech."""


@dataclass(frozen=True)
class AlignTask:
    """Align normalised `text` to `clip`; `extra` is the user's own dictionary, the digests are of these two files.

    `parts` are stretches of the clip in seconds that may hold the whole text, because a sound at one end is no speech.
    `written` is the text before normalisation, which shows where a reader has a choice. `pronounced` are words with
    phones from a review.
    """

    clip: Path
    sha256: str
    written: str
    text: str
    extra: Path | None
    extra_sha256: str | None
    cache: Path
    parts: tuple[Span, ...] = ()
    pronounced: tuple[tuple[str, tuple[str, ...]], ...] = ()


def align(task: AlignTask) -> AlignedClip:
    """Align one clip, or take the result from the cache."""
    aligner, pronunciations = loaded_aligner(task.extra, task.extra_sha256)
    likely = reading_of(task.written, task.text, pronunciations).pronounced(dict(task.pronounced))

    def compute() -> AlignedClip:
        samples, rate = decode.read_mono(task.clip)
        samples = decode.resample(samples, rate, features.SAMPLE_RATE)
        reading = spoken_reading(aligner, samples, likely)
        changed = [word.text for word in likely.words] != [word.text for word in reading.words]
        text = reading.normalised if changed else task.text
        try:
            found = aligner.align(samples, text, reading.phones)
        except DatasetError as error:
            if error.code != "alignment_failed":
                raise
            return AlignedClip(words=[], score=None, fits=False, problem=str(error))
        parts = [_aligned_part(aligner, samples, part, text, reading.phones) for part in task.parts]
        best = max((part for part in parts if _gains(part, found)), key=lambda one: one.score, default=found)
        return _result(best).model_copy(update={"normalized": text if changed else None})

    version = lexicon.pocketsphinx_version()
    spoken = [(word.text, word.phones) for word in likely.words]
    places = [dataclasses.astuple(place) for place in likely.places]
    parts = [(part.start, part.end) for part in task.parts]
    stored = stage_cache.model_entry(
        task.cache, "alignment", __name__, version, task.sha256, task.text, spoken, places, parts
    )
    result, cached = stage_cache.cached_model(stored, AlignedClip, compute)
    return result.model_copy(update={"cached": cached})


def _aligned_part(
    aligner: forced_alignment.Aligner,
    samples: npt.NDArray[np.float32],
    part: Span,
    text: str,
    phones: Sequence[Sequence[str]],
) -> forced_alignment.Alignment | None:
    """The alignment with a part of the clip, in times of the clip; None where the text cannot be placed in it."""
    rate = features.SAMPLE_RATE
    try:
        found = aligner.align(samples[round(part.start * rate) : round(part.end * rate)], text, phones)
    except DatasetError as error:
        if error.code != "alignment_failed":
            raise
        return None
    return found.later(part.start)


def _gains(
    part: forced_alignment.Alignment | None, whole: forced_alignment.Alignment
) -> TypeGuard[forced_alignment.Alignment]:
    """Whether the alignment with a part shows that the rest of the clip is no speech."""
    if part is None or not part.fits:
        return False
    gain = part.score - whole.score
    return gain >= _GAIN and gain * (part.words[-1].end - part.words[0].start) >= _TOTAL_GAIN


def _parts(clip: CandidateClip) -> tuple[Span, ...]:
    """Stretches of a clip without its first, its last, or both spans of speech, where they are short and apart."""
    utterance, seconds = clip.utterance, clip.cut.seconds
    spans = [
        Span(max(0.0, span.start - utterance.start), min(seconds, span.end - utterance.start))
        for span in utterance.recording.spans
        if span.start < utterance.end and utterance.start < span.end
    ]
    if len(spans) < 2:
        return ()
    after = max(spans[0].end, spans[1].start - _MARGIN) if _apart(spans[0], spans[1]) else None
    before = min(spans[-1].start, spans[-2].end + _MARGIN) if _apart(spans[-1], spans[-2]) else None
    parts = [] if after is None else [Span(after, seconds)]
    parts += [] if before is None else [Span(0.0, before)]
    if after is not None and before is not None and len(spans) > 2:
        parts.append(Span(after, before))
    return tuple(Span(round(part.start, 3), round(part.end, 3)) for part in parts if part.duration > _MARGIN)


def _apart(edge: Span, neighbour: Span) -> bool:
    pause = max(edge.start, neighbour.start) - min(edge.end, neighbour.end)
    return edge.duration <= word_edges.MAX_SPEECH and pause >= _MARGIN


def _result(found: forced_alignment.Alignment) -> AlignedClip:
    rows, score, broken = _rows(found), round(found.score, 4), found.broken_rule
    if broken is None:
        return AlignedClip(words=rows, score=score, fits=True)
    return AlignedClip(
        words=rows,
        score=score,
        fits=False,
        rule=broken.name,
        figure=broken.figure,
        unit=broken.unit,
        limit=broken.limit,
        problem=broken.detail,
    )


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
def loaded_aligner(extra: Path | None, digest: str | None) -> tuple[forced_alignment.Aligner, lexicon.Lexicon]:
    """The aligner and the lexicon with the user's own dictionary `extra`, one of both a process.

    `digest` is part of the key, so that an edited dictionary is read again.
    """
    pronunciations = lexicon.Lexicon.load(extra)
    return forced_alignment.Aligner(pronunciations), pronunciations


def _misfit(aligned: AlignedClip) -> Fault | None:
    """The rule of the aligner that a clip breaks."""
    if aligned.fits or aligned.figure is None or aligned.limit is None:
        return None
    detail = f"{aligned.rule}: {aligned.problem}; the limit is {aligned.limit:g}"
    return Fault("text_mismatch", aligned.figure, aligned.unit, aligned.limit, detail)


def _unwritten_fault(clip: CandidateClip, words: Sequence[WordRow]) -> Fault | None:
    """Whether a clip has speech outside all words of its text; its sound is read only where that seems so."""
    start, end = clip.utterance.start, clip.utterance.end
    inside = [
        Span(max(span.start, start) - start, min(span.end, end) - start)
        for span in clip.utterance.recording.spans
        if span.start < end and start < span.end
    ]
    if not unwritten.speech(words, inside).excessive:
        return None
    return unwritten.fault(unwritten.speech(words, inside, LevelEnvelope.of(*decode.read_mono(clip.path))))


def _as_read(clip: CandidateClip, aligned: AlignedClip) -> CandidateClip:
    """The clip with its alignment and the spoken form of the reading that fits the sound."""
    normalized = aligned.normalized or clip.utterance.normalized
    return dataclasses.replace(
        clip, aligned=aligned, utterance=dataclasses.replace(clip.utterance, normalized=normalized)
    )


def run(
    context: PreparationContext, clips: Sequence[CandidateClip]
) -> tuple[list[CandidateClip], list[RejectedClip], tuple[Rejection, ...]]:
    """Align every clip and cut off the sound beside its words.

    Returns:
        The aligned clips, those whose audio does not fit their text, and the stretches that were cut off.

    Raises:
        DatasetError: `text_mismatch`, when too many clips do not fit.
    """
    extra = context.request.lexicon
    digest = None if extra is None else files.sha256_file(extra)
    tasks = [
        AlignTask(
            clip.path,
            clip.cut.sha256,
            clip.utterance.text,
            clip.utterance.normalized,
            extra,
            digest,
            context.cache,
            _parts(clip),
            clip.utterance.pronunciations,
        )
        for clip in clips
    ]
    with context.clock.stage(NAME, len(tasks), sum(clip.cut.seconds for clip in clips)):
        results = context.map(align, tasks)
        aligned, cut_off = word_edges.run(
            context, [_as_read(clip, result) for clip, result in zip(clips, results, strict=True)]
        )
    context.note_cached(NAME, [result.cached for result in results])
    kept, rejected = [], []
    for clip, result in zip(aligned, results, strict=True):
        if clip.aligned is None or result.score is None:
            rejected.append(reject(clip, "alignment_failed", result.problem or ""))
            continue
        fault = _misfit(result) or _unwritten_fault(clip, clip.aligned.words)
        if fault is None or clip.utterance.verdict == "keep":
            kept.append(clip)
        else:
            rejected.append(reject(clip, fault.reason, fault.detail, fault))
    require_fitting([one.row for one in rejected], len(clips))
    return kept, rejected, cut_off
