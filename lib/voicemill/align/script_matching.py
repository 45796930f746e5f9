"""Where the sentences of a script occur among recognised words: pure sequence work, no sound.

A sentence may be misheard in places, left out, or spoken more than once. Candidates are stretches of heard words
within an edit distance of a sentence; of these, the heaviest chain in reading order is chosen, and of equally good
takes the last one, because a reader repeats what went wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_SIMILARITY = 0.5
"""A stretch with more than half of its words wrong, missing or added is not a take of the sentence."""
_LATER_TAKE = 0.15
"""Similarity that a later take may lack and still be preferred."""


@dataclass(frozen=True)
class Match:
    """A take of a sentence among the heard words.

    Attributes:
        sentence: index into the script.
        first: index of the first heard word.
        last: index after the last heard word.
        places: for each word of the sentence the index of the heard word that equals it, or None.
        similarity: 1 - word edits / words of the sentence, 0 to 1.
    """

    sentence: int
    first: int
    last: int
    places: tuple[int | None, ...]
    similarity: float


def find_takes(sentences: Sequence[Sequence[str]], heard: Sequence[str]) -> list[Match]:
    """All takes of all sentences, in the order of the heard words; takes of one sentence do not overlap each other.

    Args:
        sentences: words of the script, sentence by sentence.
        heard: recognised words.
    """
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, word in enumerate(heard):
        places[(word,)].append(index)
        if index + 1 < len(heard):
            places[(word, heard[index + 1])].append(index)
    takes = [
        take
        for number, sentence in enumerate(sentences)
        if sentence
        for region in _regions(sentence, len(heard), places)
        for take in _takes_in(number, sentence, heard, *region)
    ]
    return sorted(takes, key=lambda take: (take.first, take.last, take.sentence))


def _regions(sentence: Sequence[str], length: int, places: dict[tuple[str, ...], list[int]]) -> list[tuple[int, int]]:
    """Stretches of heard words worth a closer look: around shared word pairs, for short sentences around shared
    words.
    """
    size = len(sentence)
    starts = [
        place - offset
        for offset in range(size - 1)
        for place in places.get((sentence[offset], sentence[offset + 1]), ())
    ]
    if size <= 3:
        starts += [place - offset for offset in range(size) for place in places.get((sentence[offset],), ())]
    slack = 2 + size // 2
    regions: list[tuple[int, int]] = []
    for start in sorted(set(starts)):
        begin, end = max(0, start - slack), min(length, start + size + slack)
        if regions and begin <= regions[-1][1]:
            regions[-1] = (regions[-1][0], max(regions[-1][1], end))
        else:
            regions.append((begin, end))
    return regions


def _takes_in(number: int, sentence: Sequence[str], heard: Sequence[str], begin: int, end: int) -> list[Match]:
    """The best take within a region, then the best on either side of it, and so on."""
    if end <= begin:
        return []
    best = _best(number, sentence, heard, begin, end)
    if best is None:
        return []
    return [
        *_takes_in(number, sentence, heard, begin, best.first),
        best,
        *_takes_in(number, sentence, heard, best.last, end),
    ]


def _best(number: int, sentence: Sequence[str], heard: Sequence[str], begin: int, end: int) -> Match | None:
    """Semi-global edit distance: the whole sentence against any stretch of `heard[begin:end]`."""
    if (Counter(sentence) & Counter(heard[begin:end])).total() < MIN_SIMILARITY * len(sentence):
        return None  # each word of the sentence that is not there costs an edit; most regions share common words only
    codes = {word: code for code, word in enumerate(dict.fromkeys(sentence))}
    said = np.array([codes.get(word, -1) for word in heard[begin:end]])
    ramp = np.arange(end - begin + 1)
    costs = [np.zeros_like(ramp)]
    for row, word in enumerate(sentence, 1):
        above = costs[-1]
        reached = np.minimum(above[:-1] + (said != codes[word]), above[1:] + 1)
        # a word too many costs one, and so on to the right
        costs.append(np.minimum.accumulate(np.concatenate(([row], reached)) - ramp) + ramp)
    final = costs[-1]
    column = end - begin - int(np.argmin(final[::-1]))  # of equals the later one
    similarity = 1.0 - int(final[column]) / len(sentence)
    if similarity < MIN_SIMILARITY:
        return None
    places: list[int | None] = [None] * len(sentence)
    row = len(sentence)
    while row > 0:
        cost = costs[row][column]
        if column > 0 and heard[begin + column - 1] == sentence[row - 1] and cost == costs[row - 1][column - 1]:
            row, column = row - 1, column - 1
            places[row] = begin + column
        elif column > 0 and cost == costs[row - 1][column - 1] + 1:
            row, column = row - 1, column - 1
        elif column > 0 and cost == costs[row][column - 1] + 1:
            column -= 1
        else:
            row -= 1
    found = [place for place in places if place is not None]
    if not found:
        return None
    return Match(number, found[0], found[-1] + 1, tuple(places), similarity)


def choose(takes: Sequence[Match], sentences: Sequence[Sequence[str]]) -> tuple[list[Match], list[Match]]:
    """The takes to keep, in reading order, and the other takes of kept sentences.

    Args:
        takes: from `find_takes`.
        sentences: words of the script.

    Returns:
        (chosen, repeated): `chosen` has rising sentences and disjoint heard words and the greatest sum of matched
        words; `repeated` holds takes of chosen sentences that touch no chosen words.
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


def _heaviest_chain(takes: Sequence[Match], weights: Sequence[float], sentences: int) -> list[int]:
    """Indices of the chain with the greatest weight; sentences rise, heard words do not overlap. O(n log n)."""
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
