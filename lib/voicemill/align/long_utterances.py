"""Sentences that are too long for an utterance and whose pauses hearing could not tell: forced alignment finds them.

A pause is a place to cut only where the words on both sides of it are known. Hearing knows them when it heard both;
where it did not, the text is known all the same, and alignment says where its words lie.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from voicemill.align.features import SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner, Word
from voicemill.align.utterance_boundaries import CUT_PAUSE, Piece
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.sound import Sound, piece
from voicemill.audio.vad import Span
from voicemill.errors import DatasetError
from voicemill.text.normalise import words as words_of

LONGEST = 60.0
"""Seconds; what goes on for longer without a pause that anybody heard is not taken apart."""
_ROOM = 0.1
"""Seconds of sound before and after that the aligner gets."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def divide(whole: Piece, sound: Sound, sentences: Sequence[str], aligner: Aligner, limits: Segmentation) -> list[Piece]:
    """The parts of a piece that is `too_long`, cut at its longest pauses; the piece itself where that cannot be done.

    Args:
        whole: a piece with the problem `too_long`.
        sound: the recording.
        sentences: normalised text of the script.
        aligner: of the script's lexicon.
        limits: durations of an utterance.
    """
    if whole.span.duration > LONGEST:
        return [whole]
    begin = max(0.0, whole.span.start - _ROOM)
    samples = piece(sound, begin, min(sound.seconds, whole.span.end + _ROOM), SAMPLE_RATE)
    try:
        found = aligner.align(samples, whole.text)
    except DatasetError as error:
        if error.code != "alignment_failed":
            raise
        return [whole]
    if not found.fits:
        return [whole]
    starts = _starts(found.words, [word.start + begin for word in found.words], whole.span, limits)
    if starts is None:
        return [whole]
    owners = [number for number in whole.sentences for _ in words_of(sentences[number])]
    if len(owners) != len(found.words):
        owners = []  # a part of a sentence
    return [
        _part(whole, found.words, begin, first, last, owners[first:last])
        for first, last in itertools.pairwise([0, *starts, len(found.words)])
    ]


def _starts(words: Sequence[Word], times: Sequence[float], span: Span, limits: Segmentation) -> list[int] | None:
    """Indices of the words that begin a part, the first one's not; None where no pause does."""
    room = limits.max_duration - 2 * limits.max_padding
    shift = times[0] - words[0].start
    cuts: list[int] = []
    pending = [(0, len(words))]
    while pending:
        first, last = pending.pop()
        start = span.start if first == 0 else times[first]
        end = span.end if last == len(words) else words[last - 1].end + shift
        if end - start <= room:
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


def _part(whole: Piece, words: Sequence[Word], shift: float, first: int, last: int, owners: Sequence[int]) -> Piece:
    places = [match.start() for match in _WORD.finditer(whole.text.lower())]
    text = whole.text[places[first] : places[last] if last < len(words) else None].strip()
    span = Span(
        whole.span.start if first == 0 else words[first].start + shift,
        whole.span.end if last == len(words) else words[last - 1].end + shift,
    )
    return replace(
        whole,
        span=span,
        text=text,
        sentences=tuple(dict.fromkeys(owners)) or whole.sentences,
        problem="",
        before=whole.before if first == 0 else "longest_pause",
        after=whole.after if last == len(words) else "longest_pause",
        joins=tuple(join for join in whole.joins if span.start < join.second < span.end),
    )
