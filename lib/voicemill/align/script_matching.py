"""Matching a script with recognised words: takes of the script's sentences, by edit distance.

Works on words only, without audio. A sentence may be misrecognised in places, skipped, or read more than once. The
heaviest chain of takes in reading order is chosen. Of equally good takes of a sentence the last one is used, because
readers repeat a sentence when they made a mistake.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_SIMILARITY = 0.5
"""Words are a take of a sentence only if at most half of its words are substituted, deleted or inserted."""
_LATER_TAKE = 0.15
"""A later take is preferred even if its similarity is lower by up to this much."""


@dataclass(frozen=True)
class MatchedTake:
    """A take of a sentence: a range of hypothesis words.

    Attributes:
        sentence: index into the script.
        first: index of its first hypothesis word.
        last: index after its last hypothesis word.
        positions: for each word of the sentence the index of the hypothesis word aligned with it, None if it differs.
        similarity: 1 - word edits / words of the sentence, 0 to 1.
    """

    sentence: int
    first: int
    last: int
    positions: tuple[int | None, ...]
    similarity: float


def find_takes(sentences: Sequence[Sequence[str]], hypothesis: Sequence[str]) -> list[MatchedTake]:
    """All takes of all sentences, in ascending order; takes of the same sentence do not overlap.

    Args:
        sentences: words of the script, sentence by sentence.
        hypothesis: recognised words of the recording.
    """
    positions: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, word in enumerate(hypothesis):
        positions[(word,)].append(index)
        if index + 1 < len(hypothesis):
            positions[(word, hypothesis[index + 1])].append(index)
    takes = [
        take
        for number, sentence in enumerate(sentences)
        if sentence
        for region in _regions(sentence, len(hypothesis), positions)
        for take in _takes_in(number, sentence, hypothesis, *region)
    ]
    return sorted(takes, key=lambda take: (take.first, take.last, take.sentence))


def _regions(
    sentence: Sequence[str], length: int, positions: dict[tuple[str, ...], list[int]]
) -> list[tuple[int, int]]:
    """Ranges of hypothesis words that may contain the sentence: around word pairs that both contain, and for sentences
    of up to three words around single words.
    """
    size = len(sentence)
    starts = [
        position - offset
        for offset in range(size - 1)
        for position in positions.get((sentence[offset], sentence[offset + 1]), ())
    ]
    if size <= 3:
        starts += [position - offset for offset in range(size) for position in positions.get((sentence[offset],), ())]
    slack = 2 + size // 2
    regions: list[tuple[int, int]] = []
    for start in sorted(set(starts)):
        begin, end = max(0, start - slack), min(length, start + size + slack)
        if regions and begin <= regions[-1][1]:
            regions[-1] = (regions[-1][0], max(regions[-1][1], end))
        else:
            regions.append((begin, end))
    return regions


def _takes_in(
    number: int, sentence: Sequence[str], hypothesis: Sequence[str], begin: int, end: int
) -> list[MatchedTake]:
    """The best take inside a range, and recursively those on both sides of it."""
    if end <= begin:
        return []
    best = _best_take(number, sentence, hypothesis, begin, end)
    if best is None:
        return []
    return [
        *_takes_in(number, sentence, hypothesis, begin, best.first),
        best,
        *_takes_in(number, sentence, hypothesis, best.last, end),
    ]


def _best_take(
    number: int, sentence: Sequence[str], hypothesis: Sequence[str], begin: int, end: int
) -> MatchedTake | None:
    """The best take by semi-global edit distance: the whole sentence against any part of `hypothesis[begin:end]`."""
    if (Counter(sentence) & Counter(hypothesis[begin:end])).total() < MIN_SIMILARITY * len(sentence):
        return None  # a cheap lower bound: each missing word costs an edit, and most ranges share only common words
    codes = {word: code for code, word in enumerate(dict.fromkeys(sentence))}
    coded = np.array([codes.get(word, -1) for word in hypothesis[begin:end]])
    ramp = np.arange(end - begin + 1)
    costs = [np.zeros_like(ramp)]
    for row, word in enumerate(sentence, 1):
        above = costs[-1]
        reached = np.minimum(above[:-1] + (coded != codes[word]), above[1:] + 1)
        # insertions cost one each, to the right
        costs.append(np.minimum.accumulate(np.concatenate(([row], reached)) - ramp) + ramp)
    final = costs[-1]
    column = end - begin - int(np.argmin(final[::-1]))  # the last of equal ones
    similarity = 1.0 - int(final[column]) / len(sentence)
    if similarity < MIN_SIMILARITY:
        return None
    positions: list[int | None] = [None] * len(sentence)
    row = len(sentence)
    while row > 0:
        cost = costs[row][column]
        if column > 0 and hypothesis[begin + column - 1] == sentence[row - 1] and cost == costs[row - 1][column - 1]:
            row, column = row - 1, column - 1
            positions[row] = begin + column
        elif column > 0 and cost == costs[row - 1][column - 1] + 1:
            row, column = row - 1, column - 1
        elif column > 0 and cost == costs[row][column - 1] + 1:
            column -= 1
        else:
            row -= 1
    found = [position for position in positions if position is not None]
    if not found:
        return None
    return MatchedTake(number, found[0], found[-1] + 1, tuple(positions), similarity)


def choose_takes(
    takes: Sequence[MatchedTake], sentences: Sequence[Sequence[str]]
) -> tuple[list[MatchedTake], list[MatchedTake]]:
    """Choose the takes to use, in reading order.

    Args:
        takes: from `find_takes`.
        sentences: words of the script.

    Returns:
        (chosen, repeated): `chosen` has ascending sentences, disjoint hypothesis words and the greatest sum of matched
        words; `repeated` are the other takes of chosen sentences that share no word with a chosen take.
    """
    best: dict[int, float] = defaultdict(float)
    for take in takes:
        best[take.sentence] = max(best[take.sentence], take.similarity)
    order: dict[int, int] = defaultdict(int)
    weights = []
    for take in takes:
        weight = len(sentences[take.sentence]) * take.similarity
        if take.similarity >= best[take.sentence] - _LATER_TAKE:
            weight = len(sentences[take.sentence]) * best[take.sentence] + 0.01 * order[take.sentence]
            order[take.sentence] += 1
        weights.append(weight)
    chosen = [takes[index] for index in _heaviest_chain(takes, weights, len(sentences))]
    claimed = {index for take in chosen for index in range(take.first, take.last)}
    kept = {take.sentence for take in chosen}
    repeated = [take for take in takes if take.sentence in kept and claimed.isdisjoint(range(take.first, take.last))]
    return chosen, repeated


def _heaviest_chain(takes: Sequence[MatchedTake], weights: Sequence[float], sentences: int) -> list[int]:
    """Indices of the heaviest chain of takes with ascending sentences and disjoint words, in O(n log n)."""
    tree: list[tuple[float, int]] = [(0.0, -1)] * (
        sentences + 1
    )  # Fenwick tree: heaviest chain that ends below a sentence

    def heaviest(sentence: int) -> tuple[float, int]:
        found = (0.0, -1)
        while sentence > 0:
            found = max(found, tree[sentence])
            sentence -= sentence & -sentence
        return found

    total = [0.0] * len(takes)
    before = [-1] * len(takes)
    by_end = sorted(range(len(takes)), key=lambda index: takes[index].last)
    waiting = 0
    for index in sorted(range(len(takes)), key=lambda index: takes[index].first):
        while waiting < len(by_end) and takes[by_end[waiting]].last <= takes[index].first:
            ended = by_end[waiting]
            sentence = takes[ended].sentence + 1
            while sentence <= sentences:
                tree[sentence] = max(tree[sentence], (total[ended], ended))
                sentence += sentence & -sentence
            waiting += 1
        weight, before[index] = heaviest(takes[index].sentence)
        total[index] = weight + weights[index]
    chain = []
    index = max(range(len(takes)), key=lambda index: total[index], default=-1)
    while index >= 0:
        chain.append(index)
        index = before[index]
    return chain[::-1]
