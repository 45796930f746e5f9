"""A recording with a timed transcript: captions become stretches of speech, their ends moved into silence.

Captions are made to be read, so their times are rough and a sentence may run over two of them. Where there is no
silence near the border of two captions they stay together; speech that no caption covers is left to the caller.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voicemill.audio.cuts import Join
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.text.captions import Caption

REACH = 0.6
"""Seconds around a caption's time in which its silence is looked for, but never beyond the caption's middle."""
_SILENCE = 0.06
"""Seconds of silence that are enough to cut in; a stop consonant's closure is shorter."""


@dataclass(frozen=True)
class Group:
    """Captions that are spoken without a silence to part them, or too short alone.

    Attributes:
        captions: in the order of time.
        voiced: their speech.
        joins: borders of captions inside it.
        problem: why it makes no utterance, or empty: `no_speech`, `extra_speech` where other speech runs into it,
            `too_short`, `too_long`.
    """

    captions: tuple[Caption, ...]
    voiced: Span
    joins: tuple[Join, ...] = ()
    problem: str = ""

    @property
    def text(self) -> str:
        """The text of its captions."""
        return " ".join(caption.text for caption in self.captions)


def group(captions: Sequence[Caption], speech: Sequence[Span], seconds: float, limits: Segmentation) -> list[Group]:
    """Captions as stretches of speech, in the order of time.

    Args:
        captions: in the order of time, in seconds of the recording.
        speech: stretches of speech, in the order of time.
        seconds: length of the recording.
        limits: shortest and longest utterance, longest pause within one.
    """
    if not captions:
        return []
    silences = _Silences(speech, seconds)
    first, last = captions[0], captions[-1]
    found: list[Group] = []
    run: list[Caption] = []
    joins: list[Join] = []
    before = silences.longest(first.start - REACH, min(_middle(first), first.start + REACH))
    for caption, following in zip(captions, [*captions[1:], None], strict=True):
        run.append(caption)
        if following is None:
            ends = silences.longest(max(_middle(last), last.end - REACH), last.end + REACH)
            after, start = ends, None
        else:
            after, start = _border(silences, caption, following)
            if after is None and start is None and following.start - caption.end < 2 * REACH:
                pause = max(0.0, following.start - caption.end)
                joins.append(Join((caption.end + following.start) / 2, "no_silence", pause))
                continue
        found.append(_group(run, joins, before, after))
        run, joins, before = [], [], start
    return [_judged(one, limits) for one in _join_short(found, limits)]


def _border(silences: _Silences, one: Caption, two: Caption) -> tuple[Span | None, Span | None]:
    """The silence after a caption, and that before the next: the same where they follow each other closely."""
    low, high = max(_middle(one), one.end - REACH), min(_middle(two), two.start + REACH)
    if two.start - one.end < 2 * REACH:
        between = silences.longest(low, high)
        return between, between
    return silences.longest(low, one.end + REACH), silences.longest(two.start - REACH, high)


def _middle(caption: Caption) -> float:
    return (caption.start + caption.end) / 2


def _group(run: Sequence[Caption], joins: Sequence[Join], before: Span | None, after: Span | None) -> Group:
    span = Span(run[0].start, run[-1].end)
    if before is None or after is None:
        return Group(tuple(run), span, tuple(joins), "extra_speech")
    if after.start <= before.end:
        return Group(tuple(run), span, tuple(joins), "no_speech")
    return Group(tuple(run), Span(before.end, after.start), tuple(joins))


class _Silences:
    """The pauses of a recording; its two ends count however short they are."""

    def __init__(self, speech: Sequence[Span], seconds: float) -> None:
        inner = [Span(one.end, two.start) for one, two in itertools.pairwise(speech)]
        inner = [pause for pause in inner if pause.duration >= _SILENCE]
        ends = [Span(0.0, speech[0].start), *inner, Span(speech[-1].end, seconds)] if speech else [Span(0.0, seconds)]
        self._pauses = ends
        self._starts = [pause.start for pause in ends]
        self._ends = [pause.end for pause in ends]

    def longest(self, low: float, high: float) -> Span | None:
        """The longest pause between two times, or None without one."""
        near = self._pauses[bisect.bisect_left(self._ends, low) : bisect.bisect_right(self._starts, high)]
        return max(near, key=lambda pause: min(pause.end, high) - max(pause.start, low), default=None)


def _join_short(groups: Sequence[Group], limits: Segmentation) -> list[Group]:
    """Join groups that are too short even with their padding to the nearer neighbour."""
    joined = list(groups)
    index = 0
    while index < len(joined):
        one = joined[index]
        options = []
        if not one.problem and one.voiced.duration + 2 * limits.max_padding < limits.min_duration:
            for left in (index - 1, index):
                if left < 0 or left + 1 >= len(joined) or joined[left].problem or joined[left + 1].problem:
                    continue
                pause = joined[left + 1].voiced.start - joined[left].voiced.end
                total = joined[left + 1].voiced.end - joined[left].voiced.start
                if pause <= limits.max_joined_pause and total <= limits.max_duration - 2 * limits.max_padding:
                    options.append((pause, left))
        if not options:
            index += 1
            continue
        pause, left = min(options)
        a, b = joined[left : left + 2]
        join = Join((a.voiced.end + b.voiced.start) / 2, "too_short", pause)
        whole = Span(a.voiced.start, b.voiced.end)
        joined[left : left + 2] = [Group((*a.captions, *b.captions), whole, (*a.joins, join, *b.joins))]
        index = left
    return joined


def _judged(one: Group, limits: Segmentation) -> Group:
    if one.problem:
        return one
    if one.voiced.duration + 2 * limits.max_padding < limits.min_duration:
        return replace(one, problem="too_short")
    if one.voiced.duration > limits.max_duration - 2 * limits.max_padding:
        return replace(one, problem="too_long")
    return one
