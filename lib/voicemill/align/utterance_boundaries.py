"""Utterance boundaries: from takes of sentences to utterances of 1 to 12 s that are cut in pauses only.

The speech is divided into regions between pauses. An utterance is a sequence of whole regions. If two sentences share a
region, it is cut at a silence between their words; without such a silence they stay in one utterance.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from voicemill.align.script_matching import MatchedTake
from voicemill.align.script_recognition import HypothesisWord
from voicemill.audio.cuts import CutReason, Join
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span

_REGION_PAUSE = 0.15
"""Seconds between two recognised words that separate two regions."""
CUT_PAUSE = 0.06
"""Seconds of silence that suffice for a cut between two sentences; the closure of a stop consonant is shorter."""
_MAX_INSERTED_SECONDS = 0.4
"""Seconds of recognised words beside a sentence up to which they count as insertions of the recogniser, not as other
speech."""
_MAX_GAP_SECONDS = 0.6
"""Longest pause to a neighbouring region that may contain the missing first or last words of a sentence."""
_WORD_SECONDS = (0.08, 0.7)
"""Shortest and longest plausible length of a word."""
_Reasons = tuple[CutReason, CutReason]
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class TakeGroup:
    """Takes without a pause between them.

    Attributes:
        takes: in ascending order.
        first: index of the first speech region that contains them.
        last: index of the last one, inclusive.
        joins: places between the takes at which there was no pause to cut in.
    """

    takes: tuple[MatchedTake, ...]
    first: int
    last: int
    joins: tuple[Join, ...] = ()


@dataclass(frozen=True)
class UtteranceDraft:
    """An utterance before padding.

    Attributes:
        span: its speech, in seconds.
        text: the part of the script that it reads.
        sentences: indices of the sentences whose words it contains.
        similarity: 1 - word edits / words, averaged over its words.
        problem: why it is unusable (`extra_speech`, `too_long` or `too_short`); empty if it is usable.
        before: reason for the position of its start.
        after: reason for the position of its end.
        joins: pauses inside it at which it was not split.
        extra: seconds at which speech that is not in the script touches a sentence without a silence between them.
    """

    span: Span
    text: str
    sentences: tuple[int, ...]
    similarity: float
    problem: str = ""
    before: CutReason = "pause"
    after: CutReason = "pause"
    joins: tuple[Join, ...] = ()
    extra: tuple[float, ...] = ()


class SpeechRegions:
    """Speech regions, the parts of a recording between pauses, and the recognised words in them."""

    def __init__(self, spans: Sequence[Span], hypothesis: Sequence[HypothesisWord]) -> None:
        self.hypothesis = hypothesis
        self._reasons: dict[float, CutReason] = {}
        cuts: dict[int, list[Span]] = defaultdict(list)
        for left, right in itertools.pairwise(hypothesis):
            if left.span_index == right.span_index and right.start - left.end >= _REGION_PAUSE:
                cuts[left.span_index].append(Span(left.end, right.start))
        self._place([part for index, span in enumerate(spans) for part in self._cut(span, cuts[index], "word_pause")])

    def _place(self, spans: list[Span]) -> None:
        self.spans = spans
        self._starts = [span.start for span in spans]

    def _cut(self, span: Span, pauses: Sequence[Span], reason: CutReason) -> list[Span]:
        """The parts of a span between the given pauses."""
        inside = [pause for pause in pauses if span.start < pause.start and pause.end < span.end]
        starts = [span.start, *(pause.end for pause in inside)]
        ends = [*(pause.start for pause in inside), span.end]
        self._reasons |= {start: reason for start in starts[1:]}
        return [Span(start, end) for start, end in zip(starts, ends, strict=True)]

    def reason(self, region: int) -> CutReason:
        """What separates a region from the one before it; `edge` at both ends of the recording."""
        if not 0 < region < len(self.spans):
            return "edge"
        return self._reasons.get(self.spans[region].start, "pause")

    def index_of(self, word: int) -> int:
        """Index of the region that contains the middle of a recognised word, or is nearest to it."""
        middle = (self.hypothesis[word].start + self.hypothesis[word].end) / 2
        left = max(0, bisect.bisect_right(self._starts, middle) - 1)
        return min(
            range(left, min(left + 2, len(self.spans))),
            key=lambda index: max(self.spans[index].start - middle, middle - self.spans[index].end),
        )

    def split(self, first: int, last: int) -> bool:
        """Split a region at the longest silence between the recognised words `first` and `last`.

        Returns:
            False if no silence there is as long as `CUT_PAUSE`.
        """
        gaps = [
            Span(left.end, max(left.end, right.start))
            for left, right in itertools.pairwise(self.hypothesis[first : last + 1])
        ]
        widest = max(gaps, key=lambda gap: gap.duration, default=Span(0.0, 0.0))
        if widest.duration < CUT_PAUSE:
            return False
        index = max(0, bisect.bisect_right(self._starts, widest.start) - 1)
        parts = self._cut(self.spans[index], [widest], "sentence_gap")
        self._place([*self.spans[:index], *parts, *self.spans[index + 1 :]])
        return True


def draft_utterances(
    takes: Sequence[MatchedTake], regions: SpeechRegions, sentences: Sequence[str], limits: Segmentation
) -> list[UtteranceDraft]:
    """Utterances of the chosen takes, in ascending order; those with a `problem` are unusable.

    Args:
        takes: chosen takes in reading order.
        regions: speech of the recording; split further where sentences meet.
        sentences: normalised text of the script.
        limits: minimal and maximal duration and padding.
    """
    extra, bound = _separate_takes(takes, regions)
    groups = _extend(_group_takes(takes, regions, bound), regions, limits)
    groups = _join_short(groups, regions, limits)
    drafts: list[UtteranceDraft] = []
    for group in groups:
        text = " ".join(sentences[take.sentence] for take in group.takes)
        drafts += (_marked(part, extra) for part in _split(group, regions, text, limits))
    return drafts


def _marked(draft: UtteranceDraft, extra: Sequence[float]) -> UtteranceDraft:
    """The draft with the seconds at which it touches other speech; if it is not too long, its problem is that."""
    touched = tuple(second for second in extra if draft.span.start <= second <= draft.span.end)
    if not touched:
        return draft
    return replace(draft, problem="extra_speech" if draft.problem != "too_long" else draft.problem, extra=touched)


def _separate_takes(takes: Sequence[MatchedTake], regions: SpeechRegions) -> tuple[list[float], set[int]]:
    """Split regions between sentences and from other speech.

    Words between two takes are the missing last words of the one or the missing first words of the other if they are
    not longer than these; only otherwise they are other speech.

    Returns:
        (extra, bound): seconds at which a sentence touches other speech without a silence, and the first words of the
        takes that cannot be parted from the take before them.
    """
    extra: list[float] = []
    bound: set[int] = set()
    before: Sequence[MatchedTake | None] = [None, *takes]
    for left, right in zip(before, [*takes, None], strict=True):
        between = _Between(left, right, regions)
        if between.share_region():
            between.part()
        elif not between.give_back():
            bound.add(between.end)
            continue
        extra += between.extra()
    return extra, bound


class _Between:
    """The recognised words between two takes; `left` is None before the first take, `right` after the last one."""

    def __init__(self, left: MatchedTake | None, right: MatchedTake | None, regions: SpeechRegions) -> None:
        self.left, self.right, self.regions = left, right, regions
        self.begin = left.last if left else 0
        self.end = right.first if right else len(regions.hypothesis)
        self.tail = _missing(left)[1] if left else 0
        self.head = _missing(right)[0] if right else 0
        self.belongs = self._seconds(range(self.begin, self.end)) <= _allowed(self.tail + self.head)

    def _seconds(self, words: Sequence[int]) -> float:
        return sum(self.regions.hypothesis[word].end - self.regions.hypothesis[word].start for word in words)

    def _beside(self, word: int) -> list[int]:
        """The words in the region of a word."""
        region = self.regions.index_of(word)
        return [other for other in range(self.begin, self.end) if self.regions.index_of(other) == region]

    def share_region(self) -> bool:
        """Whether there is no pause between the takes."""
        regions = self.regions
        return bool(self.left and self.right) and regions.index_of(self.begin - 1) == regions.index_of(self.end)

    def part(self) -> None:
        """Split the region of both takes; words that replace missing ones stay with the take that lacks them."""
        first, last = self.begin - 1, self.end
        if self.belongs and self.begin < self.end:
            if self.head and not self.tail:
                last = self.begin
            elif self.tail and not self.head:
                first = self.end - 1
        self.regions.split(first, last)

    def give_back(self) -> bool:
        """Split words from the take that they do not belong to, if they lie on its side of the pause.

        Returns:
            False if there is no silence to split at.
        """
        if self.left is None or self.right is None or not self.belongs or bool(self.head) == bool(self.tail):
            return True
        hypothesis, spans = self.regions.hypothesis, self.regions.spans
        before, after = (spans[self.regions.index_of(word)] for word in (self.begin - 1, self.end))
        if after.start - before.end > _MAX_GAP_SECONDS:
            return True
        if self.head:
            space, others, parted = hypothesis[self.end].start - after.start, self.begin - 1, self.begin
        else:
            space, others, parted = before.end - hypothesis[self.begin - 1].end, self.end, self.end
        if space >= _WORD_SECONDS[0] * (self.head + self.tail) or not self._beside(others):
            return True
        return self.regions.split(parted - 1, parted)

    def extra(self) -> list[float]:
        """Split other speech from the takes; the seconds of their words that touch it where that is impossible."""
        if self.belongs and self.share_region():
            return []
        found = []
        if self.right:
            others = self._beside(self.end)
            if self._seconds(others) > _allowed(self.head) and not self.regions.split(others[0], self.end):
                found.append(self._second(self.end))
        if self.left:
            others = self._beside(self.begin - 1)
            if self._seconds(others) > _allowed(self.tail) and not self.regions.split(self.begin - 1, others[-1]):
                found.append(self._second(self.begin - 1))
        return found

    def _second(self, word: int) -> float:
        """The middle of a word, inside its region."""
        spoken, region = self.regions.hypothesis[word], self.regions.spans[self.regions.index_of(word)]
        return min(max((spoken.start + spoken.end) / 2, region.start), region.end)


def _allowed(missing: int) -> float:
    """Longest speech that may be words of the take, where so many of its words were not recognised."""
    return _MAX_INSERTED_SECONDS + missing * _WORD_SECONDS[1]


def _missing(take: MatchedTake) -> tuple[int, int]:
    """How many words at the start and at the end of the sentence were not recognised."""
    return (
        next(offset for offset, position in enumerate(take.positions) if position is not None),
        next(offset for offset, position in enumerate(reversed(take.positions)) if position is not None),
    )


def _group_takes(takes: Sequence[MatchedTake], regions: SpeechRegions, bound: Set[int]) -> list[TakeGroup]:
    groups: list[TakeGroup] = []
    for take in takes:
        first, last = regions.index_of(take.first), regions.index_of(take.last - 1)
        if groups and (groups[-1].last >= first or take.first in bound):
            hypothesis, before = regions.hypothesis, groups[-1]
            left, right = hypothesis[before.takes[-1].last - 1].end, hypothesis[take.first].start
            join = Join((left + right) / 2, "no_silence", max(0.0, right - left))
            groups[-1] = TakeGroup((*before.takes, take), before.first, last, (*before.joins, join))
        else:
            groups.append(TakeGroup((take,), first, last))
    return groups


def _extend(groups: list[TakeGroup], regions: SpeechRegions, limits: Segmentation) -> list[TakeGroup]:
    """Extend groups by an unclaimed neighbouring region where the first or last words of a sentence are missing."""
    result: list[TakeGroup] = []
    for index, group in enumerate(groups):
        floor = result[-1].last if result else -1
        ceiling = groups[index + 1].first if index + 1 < len(groups) else len(regions.spans)
        first, last = group.first, group.last
        head, tail = _missing(group.takes[0])[0], _missing(group.takes[-1])[1]
        if first - 1 > floor and _may_hold(
            regions.spans[first - 1], regions.spans[first].start - regions.spans[first - 1].end, head
        ):
            first -= 1
        if last + 1 < ceiling and _may_hold(
            regions.spans[last + 1], regions.spans[last + 1].start - regions.spans[last].end, tail
        ):
            last += 1
        result.append(replace(group, first=first, last=last))
    return result


def _may_hold(region: Span, pause: float, missing: int) -> bool:
    shortest, longest = _WORD_SECONDS
    return (
        missing > 0 and pause <= _MAX_GAP_SECONDS and shortest * missing <= region.duration <= longest * missing + 0.2
    )


def _join_short(groups: list[TakeGroup], regions: SpeechRegions, limits: Segmentation) -> list[TakeGroup]:
    """Join a group that is too short even with its padding with the nearer neighbour."""
    groups = list(groups)
    index = 0
    while index < len(groups):
        span = _span(groups[index], regions)
        if span.duration + 2 * limits.max_padding >= limits.min_duration:
            index += 1
            continue
        options = []
        for left in (index - 1, index):
            if left >= 0 and left + 1 < len(groups) and groups[left].last + 1 == groups[left + 1].first:
                one, two = _span(groups[left], regions), _span(groups[left + 1], regions)
                if two.start - one.end <= limits.max_joined_pause and two.end - one.start <= _max_speech(limits):
                    options.append((two.start - one.end, left))
        if not options:
            index += 1
            continue
        pause, left = min(options)
        a, b = groups[left : left + 2]
        join = Join((_span(a, regions).end + _span(b, regions).start) / 2, "too_short", pause)
        groups[left : left + 2] = [TakeGroup((*a.takes, *b.takes), a.first, b.last, (*a.joins, join, *b.joins))]
        index = left
    return groups


def _span(group: TakeGroup, regions: SpeechRegions) -> Span:
    return Span(regions.spans[group.first].start, regions.spans[group.last].end)


def _max_speech(limits: Segmentation) -> float:
    return limits.max_duration - 2 * limits.max_padding


def _split(group: TakeGroup, regions: SpeechRegions, text: str, limits: Segmentation) -> list[UtteranceDraft]:
    """The group as one draft, or several, cut at the longest pauses, if it is too long."""
    positions = [position for take in group.takes for position in take.positions]
    owners = [take.sentence for take in group.takes for _ in take.positions]
    starts = [match.start() for match in _WORD.finditer(text.lower())]
    similarity = {take.sentence: take.similarity for take in group.takes}
    borders = _borders(positions, regions)

    def draft(first: int, last: int, word: int, end: int, cuts: _Reasons, problem: str = "") -> UtteranceDraft:
        numbers = tuple(dict.fromkeys(owners[word:end]))
        value = sum(similarity[owner] for owner in owners[word:end]) / (end - word)
        words = text[starts[word] : starts[end] if end < len(starts) else None].strip()
        span = Span(regions.spans[first].start, regions.spans[last].end)
        joins = tuple(join for join in group.joins if span.start < join.second < span.end)
        return UtteranceDraft(span, words, numbers, value, problem, *cuts, joins)

    def split_span(first: int, last: int, word: int, end: int, cuts: _Reasons) -> list[UtteranceDraft]:
        drafts: list[UtteranceDraft] = []
        pending = [(first, last, word, end, cuts)]  # a stack; the earliest part is on top
        while pending:
            first, last, word, end, cuts = pending.pop()
            span = Span(regions.spans[first].start, regions.spans[last].end)
            if span.duration + 2 * limits.max_padding < limits.min_duration:
                drafts.append(draft(first, last, word, end, cuts, "too_short"))
                continue
            if span.duration <= _max_speech(limits):
                drafts.append(draft(first, last, word, end, cuts))
                continue
            options = []
            for left in range(first, last):
                border = next((index for index in borders[left] if word < index < end), None)
                ends, begins = regions.spans[left].end, regions.spans[left + 1].start
                if border is not None and min(ends - span.start, span.end - begins) >= limits.min_duration:
                    options.append((begins - ends, left, border))
            if not options:
                drafts.append(draft(first, last, word, end, cuts, "too_long"))
                continue
            _, left, border = max(options)
            before, after = cuts
            pending += [
                (left + 1, last, border, end, ("longest_pause", after)),
                (first, left, word, border, (before, "longest_pause")),
            ]
        return drafts

    whole = regions.reason(group.first), regions.reason(group.last + 1)
    return split_span(group.first, group.last, 0, len(positions), whole)


def _borders(positions: Sequence[int | None], regions: SpeechRegions) -> dict[int, list[int]]:
    """Words of the text that follow a region's last word, by the index of the region.

    Both words beside the pause must have been recognised.
    """
    found: dict[int, list[int]] = defaultdict(list)
    for index, (before, after) in enumerate(itertools.pairwise(positions), start=1):
        if before is not None and after is not None:
            left = regions.index_of(before)
            if regions.index_of(after) == left + 1:
                found[left].append(index)
    return found
