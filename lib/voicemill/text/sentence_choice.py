"""Sentences to record, chosen so that few of them contain many of the language's phones and pairs of phones."""

from __future__ import annotations

import functools
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill.text.frontend import read
from voicemill.text.lexicon import default_lexicon

SENTENCES = Path(__file__).parent / "sentences_to_record.txt"
"""Our own sentences, CC0 1.0; lines that begin with # are comments."""
EDGE = "SIL"
"""Stands for the silence before the first and after the last phone of a sentence."""
MOST_COUNTED = 3
"""Times that a pair of phones counts; later ones add nothing to a choice."""


@dataclass(frozen=True)
class Coverage:
    """Different phones and pairs of adjacent phones in some sentences, and in all sentences that there are."""

    phones: int
    all_phones: int
    pairs: int
    all_pairs: int


@functools.cache
def sentences() -> tuple[str, ...]:
    """All sentences, in the order of the file."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


@functools.lru_cache(maxsize=4096)
def phones_of(sentence: str) -> tuple[str, ...]:
    """The phones of a sentence as the text front end reads it, between two `EDGE`s."""
    words = [word for part in read(sentence, default_lexicon()) for word in part.words]
    return (EDGE, *(phone for word in words for phone in word.phones), EDGE)


def pairs_of(sentence: str) -> Counter[tuple[str, str]]:
    """How often each pair of adjacent phones is in a sentence."""
    return Counter(itertools.pairwise(phones_of(sentence)))


def choose(count: int, seed: int, among: Sequence[str] | None = None) -> list[str]:
    """Sentences for one recording session.

    The first one is drawn; each further one adds the most pairs of phones for its length. The same seed gives the same
    sentences.

    Args:
        count: sentences wanted; fewer are returned where there are not enough.
        seed: of the first sentence, and of the order of those that add equally much.
        among: sentences to choose from; all of the file by default.
    """
    left = list(sentences() if among is None else among)
    random.Random(seed).shuffle(left)  # noqa: S311 - no secret
    pairs = {sentence: pairs_of(sentence) for sentence in left}
    counted: Counter[tuple[str, str]] = Counter()
    chosen: list[str] = []
    while left and len(chosen) < count:
        best = max(left, key=lambda sentence: _gain(pairs[sentence], counted)) if chosen else left[0]
        left.remove(best)
        chosen.append(best)
        counted.update(pairs[best])
    return chosen


def _gain(pairs: Counter[tuple[str, str]], counted: Counter[tuple[str, str]]) -> float:
    """What a sentence adds for each of its pairs: 1 for a new pair, 1/2 for one that was counted once, and so on."""
    added = sum(1.0 / (1 + counted[pair]) for pair in pairs if counted[pair] < MOST_COUNTED)
    return added / sum(pairs.values())


def coverage(chosen: Iterable[str]) -> Coverage:
    """How many of the phones and pairs of all sentences some of them contain."""
    phones, pairs = _units(chosen)
    all_phones, all_pairs = _all_units()
    return Coverage(len(phones & all_phones), len(all_phones), len(pairs & all_pairs), len(all_pairs))


def distinct_pairs(some: Iterable[str]) -> int:
    """How many different pairs of phones some sentences contain."""
    return len(_units(some)[1])


@functools.cache
def _all_units() -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    return _units(sentences())


def _units(chosen: Iterable[str]) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    spoken = [phones_of(sentence) for sentence in chosen]
    phones = frozenset(phone for one in spoken for phone in one) - {EDGE}
    return phones, frozenset(pair for one in spoken for pair in itertools.pairwise(one))
