"""Long utterances: split at pauses that forced alignment finds.

A cut needs the words on both sides of a pause. Script recognition may have missed one of them. The text is known
nevertheless, and forced alignment gives the times of all of its words.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from voicemill.align.features import SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner, Word
from voicemill.align.utterance_boundaries import CUT_PAUSE, UtteranceDraft
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.audio.waveform import Waveform, excerpt
from voicemill.errors import DatasetError
from voicemill.text.normalise import words as words_of

LONGEST = 60.0
"""Seconds; longer utterances are not split."""
_CONTEXT = 0.1
"""Seconds of audio before and after the utterance that are aligned with it."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def split_long_utterance(
    draft: UtteranceDraft, waveform: Waveform, sentences: Sequence[str], aligner: Aligner, limits: Segmentation
) -> list[UtteranceDraft]:
    """Split a draft at its longest pauses.

    Args:
        draft: with the problem `too_long`.
        waveform: the recording.
        sentences: normalised text of the script.
        aligner: with the script's lexicon.
        limits: durations of an utterance.

    Returns:
        The parts in ascending order, with a problem only where they touch other speech; the draft alone if its
        text does not align or it has no pauses.
    """
    if draft.span.duration > LONGEST:
        return [draft]
    begin = max(0.0, draft.span.start - _CONTEXT)
    samples = excerpt(waveform, begin, min(waveform.seconds, draft.span.end + _CONTEXT), SAMPLE_RATE)
    try:
        found = aligner.align(samples, draft.text)
    except DatasetError as error:
        if error.code != "alignment_failed":
            raise
        return [draft]
    if not found.fits:
        return [draft]
    starts = _starts(found.words, [word.start + begin for word in found.words], draft.span, limits)
    if starts is None:
        return [draft]
    owners = [number for number in draft.sentences for _ in words_of(sentences[number])]
    if len(owners) != len(found.words):
        owners = []  # the draft is a part of a sentence
    return [
        _part(draft, found.words, begin, first, last, owners[first:last])
        for first, last in itertools.pairwise([0, *starts, len(found.words)])
    ]


def _starts(words: Sequence[Word], times: Sequence[float], span: Span, limits: Segmentation) -> list[int] | None:
    """Indices of the words that begin a part, except the first word; None if a pause to cut in is missing."""
    longest = limits.max_duration - 2 * limits.max_padding
    shift = times[0] - words[0].start
    cuts: list[int] = []
    pending = [(0, len(words))]
    while pending:
        first, last = pending.pop()
        start = span.start if first == 0 else times[first]
        end = span.end if last == len(words) else words[last - 1].end + shift
        if end - start <= longest:
            continue
        options = [
            (words[index].start - words[index - 1].end, index)
            for index in range(first + 1, last)
            if words[index - 1].end + shift - start >= limits.min_duration and end - times[index] >= limits.min_duration
        ]
        pause, index = max(options, default=(0.0, 0))
        if pause < CUT_PAUSE:
            return None
        cuts.append(index)
        pending += [(first, index), (index, last)]
    return sorted(cuts)


def _part(
    draft: UtteranceDraft, words: Sequence[Word], shift: float, first: int, last: int, owners: Sequence[int]
) -> UtteranceDraft:
    places = [match.start() for match in _WORD.finditer(draft.text.lower())]
    text = draft.text[places[first] : places[last] if last < len(words) else None].strip()
    span = Span(
        draft.span.start if first == 0 else words[first].start + shift,
        draft.span.end if last == len(words) else words[last - 1].end + shift,
    )
    extra = tuple(second for second in draft.extra if span.start <= second <= span.end)
    return replace(
        draft,
        span=span,
        text=text,
        sentences=tuple(dict.fromkeys(owners)) or draft.sentences,
        problem="extra_speech" if extra else "",
        before=draft.before if first == 0 else "longest_pause",
        after=draft.after if last == len(words) else "longest_pause",
        joins=tuple(join for join in draft.joins if span.start < join.second < span.end),
        extra=extra,
    )
