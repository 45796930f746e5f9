"""Following a script: words between recognised spans are placed by forced alignment instead of being recognised.

A reader follows the script most of the time. Where the words of two spans are found in it, the spans between them
probably read what stands between. Forced alignment takes a third of the time of recognition, and its times are more
exact. It is refused where speech lies outside the words, as after a false start, and these spans are recognised.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.align.features import SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner, Word, misfit_of
from voicemill.align.recognition import RecognisedWord
from voicemill.audio.vad import Span
from voicemill.audio.waveform import Waveform, excerpt
from voicemill.errors import DatasetError
from voicemill.text.lexicon import default_lexicon

FEWEST_SPANS = 16
"""With fewer spans of speech, all are recognised."""
INTERVALS = (8, 4)
"""Every so many spans, one is recognised; the smaller interval where the words between were not placed."""
_FEWEST_WORDS = 3
"""Words of a span that is looked up in the script: fewer stand in many places."""
_PACE = (0.8, 7.0)
"""Fewest and most words in a second of speech."""
_LONGEST_GAP = 0.5
"""Seconds of a span outside all words; a clip with more than that is refused as well (`dataset.unwritten`)."""
_LONGEST = 40.0
"""Seconds of audio that are aligned at once."""
_LONGEST_PHONE = 0.5
"""Seconds; longer ones have taken up other speech, such as a sentence that was begun twice."""
_MISFIT = 0.1
"""Largest share of the speech in words that sound unlike it; a clip may have twice as much."""
_MISFIT_WINDOWS = 3
"""Consecutive windows whose share counts: in more of them, a sentence that was begun twice would be a small share."""
_SHORT_SENTENCE = 4
"""Words of a sentence that alignment can place in speech that lacks it: page numbers and headings."""
_UNREAD_MARGIN = 100
"""Score by which the text must fit worse without such a sentence, in units of about 0.1 nat."""


@dataclass(frozen=True)
class ScriptStretch:
    """Spans `first` to `last` (inclusive) that may read these words; `short` are sentences that may be unread.

    Each is a pair of indices of its first word and the word after it.
    """

    first: int
    last: int
    words: tuple[str, ...]
    short: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class FollowTask:
    """Align words with spans.

    Attributes:
        waveform: the recording.
        windows: the spans with their margins.
        margin: seconds of each window before and after its span.
        words: of the script.
        phones: of each word.
        short: see `ScriptStretch`.
    """

    waveform: Waveform
    windows: tuple[Span, ...]
    margin: float
    words: tuple[str, ...]
    phones: tuple[tuple[str, ...], ...]
    short: tuple[tuple[int, int], ...] = ()


def landmarks(count: int, interval: int) -> list[int]:
    """Indices of the spans that are recognised first, one in `interval`; all of them in a short recording."""
    if count < FEWEST_SPANS:
        return list(range(count))
    return sorted({*range(0, count, interval), count - 1})


def stretches(
    found: Mapping[int, Sequence[str]], spans: Sequence[Span], sentences: Sequence[Sequence[str]], sure: Set[int]
) -> Iterator[ScriptStretch]:
    """Stretches between spans whose words the script contains.

    Args:
        found: recognised words by the index of their span.
        spans: of speech, in seconds.
        sentences: words of the script in reading order.
        sure: indices of spans whose words are certain; the others lie in stretches.
    """
    script = [word for sentence in sentences for word in sentence]
    begins = [0, *itertools.accumulate(len(sentence) for sentence in sentences)]
    short = [(start, end) for start, end in itertools.pairwise(begins) if 0 < end - start <= _SHORT_SENTENCE]
    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in range(len(script) - _FEWEST_WORDS + 1):
        index[tuple(script[place : place + _FEWEST_WORDS])].append(place)

    def places(span: int) -> list[int]:
        words = list(found[span])
        starts = index.get(tuple(words[:_FEWEST_WORDS]), []) if len(words) >= _FEWEST_WORDS else []
        return [start for start in starts if list(script[start : start + len(words)]) == words]

    ordered = sorted(sure)
    for left, right in itertools.pairwise(ordered):
        if right == left + 1 or spans[right].start - spans[left].end > _LONGEST:
            continue
        seconds = sum(span.duration for span in spans[left + 1 : right])
        ends = [start + len(found[left]) for start in places(left)]
        between = sorted((start - end, end) for start in places(right) for end in ends if start > end)
        for count, end in between:
            if _PACE[0] <= count / seconds <= _PACE[1]:
                inside = short[bisect.bisect_left(short, (end, end)) :]
                unread = tuple((one - end, two - end) for one, two in inside if two <= end + count)
                yield ScriptStretch(left + 1, right - 1, tuple(script[end : end + count]), unread)
                break


def follow(task: FollowTask) -> list[list[RecognisedWord]] | None:
    """The words of each window, with times from its start; None if the speech is probably something else."""
    first, last = task.windows[0].start, task.windows[-1].end
    samples = excerpt(task.waveform, first, last, SAMPLE_RATE)
    try:
        found = _aligner().align(samples, " ".join(task.words), task.phones)
    except DatasetError as error:
        if error.code != "alignment_failed":
            raise
        return None
    phones = [phone for word in found.words for phone in word.phones]
    if not found.fits or found.missing_phones:
        return None
    if max(phone.end - phone.start for phone in phones) > _LONGEST_PHONE or _may_lack(task, samples):
        return None
    of_window = _by_window(found.later(first).words, task.windows)
    if misfit(of_window) > _MISFIT:
        return None
    if not all(_covers(words, window, task.margin) for words, window in zip(of_window, task.windows, strict=True)):
        return None
    return [
        [RecognisedWord(word.text, word.start - window.start, word.end - window.start) for word in words]
        for words, window in zip(of_window, task.windows, strict=True)
    ]


def misfit(of_window: Sequence[Sequence[Word]]) -> float:
    """The largest share, 0 to 1, of the words' time in words that sound unlike the speech, of `_MISFIT_WINDOWS`."""
    starts = range(max(1, len(of_window) - _MISFIT_WINDOWS + 1))
    return max(
        misfit_of([word for words in of_window[first : first + _MISFIT_WINDOWS] for word in words]) for first in starts
    )


def _may_lack(task: FollowTask, samples: npt.NDArray[np.float32]) -> bool:
    """Whether the text fits as well without one of its short sentences, which then was probably not read."""
    if not task.short:
        return False
    without = [(*task.phones[:first], *task.phones[last:]) for first, last in task.short]
    base, *others = _aligner().compare(samples, [task.phones, *(one for one in without if one)])
    return base is None or any(other is not None and other > base - _UNREAD_MARGIN for other in others)


def _by_window(words: Sequence[Word], windows: Sequence[Span]) -> list[list[Word]]:
    """The words of each window: those whose middle is in it or nearest to it."""
    found: list[list[Word]] = [[] for _ in windows]
    for word in words:
        middle = (word.start + word.end) / 2
        distances = [max(window.start - middle, middle - window.end, 0.0) for window in windows]
        found[distances.index(min(distances))].append(word)
    return found


def _covers(words: Sequence[Word], window: Span, margin: float) -> bool:
    """Whether the words fill the span of a window without a gap that may hold other speech."""
    starts = [*(word.start for word in words), window.end - margin]
    ends = [window.start + margin, *(word.end for word in words)]
    return bool(words) and all(start - end <= _LONGEST_GAP for start, end in zip(starts, ends, strict=True))


@functools.lru_cache(maxsize=1)
def _aligner() -> Aligner:
    return Aligner(default_lexicon())
