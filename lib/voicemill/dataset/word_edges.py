"""Edges of clips moved to their words: sound before the first and after the last aligned word is cut off.

Voice activity detection takes breaths, clicks, chords and rising tones for speech. Alignment knows where the text
begins and ends. A clip is cut only in a dip of its level beside the word, so never inside sound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from voicemill import files
from voicemill.audio import quality, voice_traits
from voicemill.audio.cuts import Cut, Segmentation
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.dataset.candidates import CandidateClip
from voicemill.dataset.clip_results import CutClip
from voicemill.dataset.manifest import WordRow
from voicemill.dataset.report import Rejection
from voicemill.dataset.utterances import rejection

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

_LEAST = 0.1
"""Seconds beyond the longest padding from which the sound beside a word is cut off."""
_REACH = 0.5
"""Seconds from a word in which the silence beside it is looked for: alignment can be late."""
MAX_SPEECH = 0.5
"""Seconds of detected speech beside the words that are cut off."""
_DIP_DB = 20.0
"""Level against the loud parts of the clip below which a point is a dip."""


@dataclass(frozen=True)
class TrimTask:
    """Trim a clip to its words, where there is a dip beside them.

    Attributes:
        clip: the file, which is replaced.
        first: start of the first word in seconds of the clip.
        last: end of the last word.
        speech: detected speech in seconds of the clip.
        limits: of the padding.
    """

    clip: Path
    first: float
    last: float
    speech: tuple[Span, ...]
    limits: Segmentation


@dataclass(frozen=True)
class TrimmedClip:
    """A trimmed clip: seconds cut off at both ends, the level (dBFS) at the new ends, and the figures of the rest."""

    lead: float
    tail: float
    levels: tuple[float | None, float | None]
    cut: CutClip


def trim(task: TrimTask) -> TrimmedClip | None:
    """Trim one clip; None if it has no dip at which it could be cut, or would be too short."""
    import soundfile

    samples, rate = soundfile.read(task.clip, dtype="float32")
    envelope, limits, seconds = LevelEnvelope.of(samples, rate), task.limits, len(samples) / rate
    start = _dip(envelope, max(0.0, task.first - _REACH), task.first - limits.min_padding, -1, limits)
    end = _dip(envelope, task.last + limits.min_padding, min(seconds, task.last + _REACH), 1, limits)
    # where more was spoken, the text lacks words, and the clip is not mended but rejected
    if start and not (start[0] > _LEAST and _total(task.speech, 0.0, start[0]) <= MAX_SPEECH):
        start = None
    if end and not (seconds - end[0] > _LEAST and _total(task.speech, end[0], seconds) <= MAX_SPEECH):
        end = None
    if start is None and end is None:
        return None
    first = 0 if start is None else round(start[0] * rate)
    last = len(samples) if end is None else round(end[0] * rate)
    rest = samples[first:last]
    if len(rest) < limits.min_duration * rate:
        return None
    # the folder that holds the clip is published as a whole by files.atomic_directory
    with files.library_writes(task.clip, soundfile.LibsndfileError):
        soundfile.write(task.clip, rest, rate, subtype="PCM_16", format="WAV")
    cut = CutClip(
        files.sha256_file(task.clip), len(rest) / rate, quality.measure(rest, rate), voice_traits.measure(rest, rate)
    )
    levels = (None if start is None else start[1], None if end is None else end[1])
    return TrimmedClip(first / rate, (len(samples) - last) / rate, levels, cut)


def run(
    context: PreparationContext, clips: Sequence[CandidateClip]
) -> tuple[list[CandidateClip], tuple[Rejection, ...]]:
    """Trim the aligned clips to their words; the clips, and a row of the report for each stretch that was cut off."""
    limits = context.request.segmentation
    tasks = [(index, task) for index, clip in enumerate(clips) if (task := _task(clip, limits)) is not None]
    found, cut_off = list(clips), list[Rejection]()
    for (index, _), trimmed in zip(tasks, context.pool.map(trim, [task for _, task in tasks]), strict=True):
        if trimmed is not None:
            found[index] = _moved(clips[index], trimmed)
            cut_off += _rows(clips[index], found[index])
    return found, tuple(cut_off)


def _task(clip: CandidateClip, limits: Segmentation) -> TrimTask | None:
    words, utterance = clip.aligned.words if clip.aligned else [], clip.utterance
    if clip.aligned is None or not clip.aligned.fits or not words or utterance.verdict == "keep" or utterance.moved:
        return None
    first, last, spare = words[0][1], words[-1][2], limits.max_padding + _LEAST
    if first <= spare and clip.cut.seconds - last <= spare:
        return None
    speech = tuple(
        Span(max(span.start, utterance.start) - utterance.start, min(span.end, utterance.end) - utterance.start)
        for span in utterance.recording.spans
        if span.start < utterance.end and utterance.start < span.end
    )
    return TrimTask(clip.path, first, last, speech, limits)


def _total(spans: Sequence[Span], start: float, end: float) -> float:
    """Seconds of the spans between two times."""
    return sum(max(0.0, min(span.end, end) - max(span.start, start)) for span in spans)


def _dip(
    levels: LevelEnvelope, low: float, high: float, direction: Literal[-1, 1], limits: Segmentation
) -> tuple[float, float] | None:
    """Time and level of the quietest point of the silence beside a word, at most `max_padding` from its sound.

    `direction` is -1 for the silence before the word, the last in [low, high] seconds, and 1 for that after it.
    """
    values, begin = levels.between(low, high)
    quiet = np.flatnonzero(values < float(np.percentile(levels.values, 90.0)) - _DIP_DB)
    if not quiet.size:
        return None
    sound = begin + levels.step * float(quiet[-1] if direction < 0 else quiet[0])
    near, far = sorted((sound, sound + direction * (limits.max_padding - limits.min_padding)))
    return levels.quietest(max(low, near), min(high, far))


def _moved(clip: CandidateClip, trimmed: TrimmedClip) -> CandidateClip:
    old, words = clip.utterance, clip.aligned
    if words is None:
        raise ValueError(f"clip {clip.id} was not aligned")
    start, end = old.start + trimmed.lead, old.end - trimmed.tail
    cuts = old.cuts
    if cuts:
        first, last = cuts[0], cuts[-1]
        if trimmed.lead:
            first = Cut(start, "word_edge", trimmed.lead, trimmed.levels[0])
        if trimmed.tail:
            last = Cut(end, "word_edge", trimmed.tail, trimmed.levels[1])
        cuts = (first, *cuts[1:-1], last)
    joins = tuple(join for join in old.joins if start < join.second < end)
    utterance = dataclasses.replace(old, start=start, end=end, cuts=cuts, joins=joins)
    figures = dataclasses.replace(
        trimmed.cut.quality,
        clipped_share=clip.cut.quality.clipped_share,
        bandwidth_hz=min(trimmed.cut.quality.bandwidth_hz, clip.cut.quality.bandwidth_hz),
    )
    cut = dataclasses.replace(trimmed.cut, quality=figures)
    aligned = words.model_copy(update={"words": [_earlier(word, trimmed.lead) for word in words.words]})
    return dataclasses.replace(clip, utterance=utterance, cut=cut, aligned=aligned)


def _earlier(word: WordRow, lead: float) -> WordRow:
    text, start, end, phones = word
    moved = [(name, round(first - lead, 3), round(last - lead, 3)) for name, first, last in phones]
    return (text, round(start - lead, 3), round(end - lead, 3), moved)


def _rows(before: CandidateClip, after: CandidateClip) -> list[Rejection]:
    """Rows for the parts that were cut off and in which speech had been detected."""
    old, new = before.utterance, after.utterance
    found = []
    for part in (Span(old.start, new.start), Span(new.end, old.end)):
        if any(span.start < part.end and part.start < span.end for span in old.recording.spans):
            found.append(rejection(old.recording, part, "no_text", detail="sound beside the words of the clip"))
    return [row for row in found if row.seconds > 0]
