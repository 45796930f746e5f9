"""From takes of sentences to utterances: cut only in pauses, 1 to 12 s long, every word's text on the right side of a
cut.

Speech is seen as islands: what lies between two pauses. An utterance is a run of whole islands; where two sentences
share one, it is cut at a silence between their words, and where there is none they stay together.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from voicemill.align.script_matching import Match
from voicemill.align.script_recognition import HeardWord
from voicemill.audio.cuts import CutReason, Join
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span

_ISLAND_PAUSE = 0.15
"""Seconds between two heard words that part two islands."""
CUT_PAUSE = 0.06
"""Seconds of silence that are enough to cut between two sentences; a stop consonant's closure is shorter within a
word list.
"""
_STRAY = 0.4
"""Seconds of heard words beyond a sentence that count as the recogniser's invention, not as other speech."""
_NEAR = 0.6
"""Seconds within which an island that nobody claims may hold the missing first or last words of a sentence."""
_WORD_SECONDS = (0.08, 0.7)
"""Shortest and longest time a word plausibly takes."""
_Reasons = tuple[CutReason, CutReason]
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Block:
    """Takes that are spoken without a pause between them, and the islands that hold them (`first` to `last`,
    inclusive), and what was joined.
    """

    takes: tuple[Match, ...]
    first: int
    last: int
    joins: tuple[Join, ...] = ()


@dataclass(frozen=True)
class Piece:
    """An utterance before padding.

    Attributes:
        span: its speech, in seconds.
        text: what is said.
        sentences: indices of the sentences of which it holds words.
        similarity: 1 - word edits / words, over these sentences.
        problem: why it cannot be used, or empty: `extra_speech`, `too_long`, `too_short`.
        before: why it begins where it does.
        after: why it ends where it does.
        joins: sentences inside it that were not parted.
    """

    span: Span
    text: str
    sentences: tuple[int, ...]
    similarity: float
    problem: str = ""
    before: CutReason = "pause"
    after: CutReason = "pause"
    joins: tuple[Join, ...] = ()


class Islands:
    """Stretches of speech and the heard words in them."""

    def __init__(self, spans: Sequence[Span], heard: Sequence[HeardWord]) -> None:
        self.heard = heard
        self._reasons: dict[float, CutReason] = {}
        cuts: dict[int, list[Span]] = defaultdict(list)
        for left, right in itertools.pairwise(heard):
            if left.stretch == right.stretch and right.start - left.end >= _ISLAND_PAUSE:
                cuts[left.stretch].append(Span(left.end, right.start))
        self._place([part for index, span in enumerate(spans) for part in self._cut(span, cuts[index], "word_pause")])

    def _place(self, spans: list[Span]) -> None:
        self.spans = spans
        self._starts = [span.start for span in spans]

    def _cut(self, span: Span, pauses: Sequence[Span], reason: CutReason) -> list[Span]:
        """The span without the pauses inside it."""
        inside = [pause for pause in pauses if span.start < pause.start and pause.end < span.end]
        starts = [span.start, *(pause.end for pause in inside)]
        ends = [*(pause.start for pause in inside), span.end]
        self._reasons |= {start: reason for start in starts[1:]}
        return [Span(start, end) for start, end in zip(starts, ends, strict=True)]

    def reason(self, island: int) -> CutReason:
        """What parts an island from the one before it; `edge` at both ends of the recording."""
        if not 0 < island < len(self.spans):
            return "edge"
        return self._reasons.get(self.spans[island].start, "pause")

    def of(self, word: int) -> int:
        """Index of the island that holds the middle of a heard word, or is nearest to it."""
        middle = (self.heard[word].start + self.heard[word].end) / 2
        left = max(0, bisect.bisect_right(self._starts, middle) - 1)
        return min(
            range(left, min(left + 2, len(self.spans))),
            key=lambda index: max(self.spans[index].start - middle, middle - self.spans[index].end),
        )

    def part(self, first: int, last: int) -> bool:
        """Cut the island between heard words `first` and `last` at the widest silence between words, if there is
        one.
        """
        gaps = [
            Span(left.end, max(left.end, right.start))
            for left, right in itertools.pairwise(self.heard[first : last + 1])
        ]
        widest = max(gaps, key=lambda gap: gap.duration, default=Span(0.0, 0.0))
        if widest.duration < CUT_PAUSE:
            return False
        index = max(0, bisect.bisect_right(self._starts, widest.start) - 1)
        parts = self._cut(self.spans[index], [widest], "sentence_gap")
        self._place([*self.spans[:index], *parts, *self.spans[index + 1 :]])
        return True


def make_pieces(
    takes: Sequence[Match], islands: Islands, sentences: Sequence[str], limits: Segmentation
) -> list[Piece]:
    """Utterances of the chosen takes, in order of time; those with a `problem` cannot be used.

    Args:
        takes: chosen takes in reading order.
        islands: the recording's speech; cut further where sentences meet.
        sentences: normalised text of the script.
        limits: minimal and maximal duration and padding.
    """
    stray = _separate(takes, islands)
    blocks = _extend(_blocks(takes, islands), islands, limits)
    blocks = _join_short(blocks, islands, limits)
    pieces: list[Piece] = []
    for block in blocks:
        text = " ".join(sentences[take.sentence] for take in block.takes)
        parts = _split(block, islands, text, limits)
        if any(take.sentence in stray for take in block.takes):
            parts = [replace(part, problem="extra_speech") for part in parts]
        pieces += parts
    return pieces


def _separate(takes: Sequence[Match], islands: Islands) -> set[int]:
    """Cut islands between sentences and off other speech; returns sentences that other speech cannot be cut off."""
    stray: set[int] = set()
    heard = islands.heard
    for index, take in enumerate(takes):
        before = takes[index - 1].last if index else 0
        after = takes[index + 1].first if index + 1 < len(takes) else len(heard)
        if index and islands.of(before - 1) == islands.of(take.first):
            islands.part(before - 1, take.first)
        home = islands.of(take.first)
        foreign = [word for word in range(before, take.first) if islands.of(word) == home]
        head, tail = _missing(take)
        if _seconds(heard, foreign) > _STRAY + head * _WORD_SECONDS[1] and not islands.part(foreign[0], take.first):
            stray.add(take.sentence)
        home = islands.of(take.last - 1)
        foreign = [word for word in range(take.last, after) if islands.of(word) == home]
        if _seconds(heard, foreign) > _STRAY + tail * _WORD_SECONDS[1] and not islands.part(take.last - 1, foreign[-1]):
            stray.add(take.sentence)
    return stray


def _missing(take: Match) -> tuple[int, int]:
    """How many words at the beginning and at the end of the sentence were not heard."""
    return (
        next(offset for offset, place in enumerate(take.places) if place is not None),
        next(offset for offset, place in enumerate(reversed(take.places)) if place is not None),
    )


def _seconds(heard: Sequence[HeardWord], words: Sequence[int]) -> float:
    return sum(heard[word].end - heard[word].start for word in words)


def _blocks(takes: Sequence[Match], islands: Islands) -> list[Block]:
    blocks: list[Block] = []
    for take in takes:
        first, last = islands.of(take.first), islands.of(take.last - 1)
        if blocks and blocks[-1].last >= first:
            heard, before = islands.heard, blocks[-1]
            left, right = heard[before.takes[-1].last - 1].end, heard[take.first].start
            join = Join((left + right) / 2, "no_silence", max(0.0, right - left))
            blocks[-1] = Block((*before.takes, take), before.first, last, (*before.joins, join))
        else:
            blocks.append(Block((take,), first, last))
    return blocks


def _extend(blocks: list[Block], islands: Islands, limits: Segmentation) -> list[Block]:
    """Take in a neighbouring island that nobody claims where the first or last words of a sentence were not heard."""
    result: list[Block] = []
    for index, block in enumerate(blocks):
        floor = result[-1].last if result else -1
        ceiling = blocks[index + 1].first if index + 1 < len(blocks) else len(islands.spans)
        first, last = block.first, block.last
        head, tail = _missing(block.takes[0])[0], _missing(block.takes[-1])[1]
        if first - 1 > floor and _holds(
            islands.spans[first - 1], islands.spans[first].start - islands.spans[first - 1].end, head
        ):
            first -= 1
        if last + 1 < ceiling and _holds(
            islands.spans[last + 1], islands.spans[last + 1].start - islands.spans[last].end, tail
        ):
            last += 1
        result.append(replace(block, first=first, last=last))
    return result


def _holds(island: Span, pause: float, missing: int) -> bool:
    shortest, longest = _WORD_SECONDS
    return missing > 0 and pause <= _NEAR and shortest * missing <= island.duration <= longest * missing + 0.2


def _join_short(blocks: list[Block], islands: Islands, limits: Segmentation) -> list[Block]:
    """Join what is too short even with its padding to the nearer neighbour."""
    blocks = list(blocks)
    index = 0
    while index < len(blocks):
        span = _span(blocks[index], islands)
        if span.duration + 2 * limits.max_padding >= limits.min_duration:
            index += 1
            continue
        options = []
        for left in (index - 1, index):
            if left >= 0 and left + 1 < len(blocks) and blocks[left].last + 1 == blocks[left + 1].first:
                one, two = _span(blocks[left], islands), _span(blocks[left + 1], islands)
                if two.start - one.end <= limits.max_joined_pause and two.end - one.start <= _room(limits):
                    options.append((two.start - one.end, left))
        if not options:
            index += 1
            continue
        pause, left = min(options)
        a, b = blocks[left : left + 2]
        join = Join((_span(a, islands).end + _span(b, islands).start) / 2, "too_short", pause)
        blocks[left : left + 2] = [Block((*a.takes, *b.takes), a.first, b.last, (*a.joins, join, *b.joins))]
        index = left
    return blocks


def _span(block: Block, islands: Islands) -> Span:
    return Span(islands.spans[block.first].start, islands.spans[block.last].end)


def _room(limits: Segmentation) -> float:
    return limits.max_duration - 2 * limits.max_padding


def _split(block: Block, islands: Islands, text: str, limits: Segmentation) -> list[Piece]:
    """The block as one piece, or cut at its longest pauses where it is too long."""
    places = [place for take in block.takes for place in take.places]
    owners = [take.sentence for take in block.takes for _ in take.places]
    starts = [match.start() for match in _WORD.finditer(text.lower())]
    similarity = {take.sentence: take.similarity for take in block.takes}

    def piece(first: int, last: int, word: int, end: int, cuts: _Reasons, problem: str = "") -> Piece:
        numbers = tuple(dict.fromkeys(owners[word:end]))
        value = sum(similarity[owner] for owner in owners[word:end]) / (end - word)
        words = text[starts[word] : starts[end] if end < len(starts) else None].strip()
        span = Span(islands.spans[first].start, islands.spans[last].end)
        joins = tuple(join for join in block.joins if span.start < join.second < span.end)
        return Piece(span, words, numbers, value, problem, *cuts, joins)

    def divide(first: int, last: int, word: int, end: int, cuts: _Reasons) -> list[Piece]:
        span = Span(islands.spans[first].start, islands.spans[last].end)
        if span.duration + 2 * limits.max_padding < limits.min_duration:
            return [piece(first, last, word, end, cuts, "too_short")]
        if span.duration <= _room(limits):
            return [piece(first, last, word, end, cuts)]
        options = []
        for left in range(first, last):
            border = _border(places, islands, left, word, end)
            long_enough = (
                min(islands.spans[left].end - span.start, span.end - islands.spans[left + 1].start)
                >= limits.min_duration
            )
            if border is not None and long_enough:
                options.append((islands.spans[left + 1].start - islands.spans[left].end, left, border))
        if not options:
            return [piece(first, last, word, end, cuts, "too_long")]
        _, left, border = max(options)
        before, after = cuts
        return divide(first, left, word, border, (before, "longest_pause")) + divide(
            left + 1, last, border, end, ("longest_pause", after)
        )

    whole = islands.reason(block.first), islands.reason(block.last + 1)
    return divide(block.first, block.last, 0, len(places), whole)


def _border(places: Sequence[int | None], islands: Islands, left: int, word: int, end: int) -> int | None:
    """The word of the text that follows island `left`, where the words on both sides of the pause were heard; else
    None.
    """
    for index in range(word + 1, end):
        before, after = places[index - 1], places[index]
        if before is not None and after is not None and islands.of(before) == left and islands.of(after) == left + 1:
            return index
    return None
