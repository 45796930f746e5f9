#!/usr/bin/env python3
"""Train the letter-to-sound model (lib/voicemill/text/letters_en.npz) on PocketSphinx's pronunciation dictionary.

    scripts/letter_to_sound/train.py [OUT.npz]

The same dictionary gives the same bytes; training takes about 45 s on one core. `voicemill.text.letters` reads the file.

Each letter of a word is aligned with zero, one or two phones (hard expectation maximisation). The resulting pairs of a
letter and its phones are the symbols of an n-gram model with interpolated Kneser-Ney smoothing. Rare long n-grams are
pruned; their probability mass goes to the shorter context, so every distribution still sums to one.

Source: M. Bisani, H. Ney, "Joint-sequence models for grapheme-to-phoneme conversion", Speech Communication 50(5), 2008,
with single letters as graphemes.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from voicemill import files
from voicemill.text.letters import BASE, BEGIN, END, MODEL, STEP, Chunk, LetterModel
from voicemill.text.lexicon import Lexicon, Phones

ORDER = 5
"""Symbols in the longest n-gram, at most 6 (ten-bit symbols in a 64-bit key); docs/adr/0003 compares other orders."""
MIN_COUNT = (1, 1, 1, 2, 2)
"""n-grams with a lower count are pruned; one threshold for each order from 1."""
MIN_CHUNK = 8
"""Words with a rarer pair of a letter and its phones are left out: they are initials or foreign names."""
_ITERATIONS = 5
_SKIP = 1e-4
"""Lower bound of a pair's probability during alignment."""


def dictionary_words() -> dict[str, Phones]:
    """Words of the dictionary in PocketSphinx's wheel that consist of ASCII letters only."""
    lexicon = Lexicon.load()
    return {
        word: phones
        for word in lexicon.words()
        if word.isalpha() and word.isascii() and (phones := lexicon.phones(word))
    }


def align(words: Mapping[str, Phones]) -> list[list[Chunk]]:
    """Pair each letter of each word with 0 to 2 phones; words that cannot be paired (initials) are left out."""
    probability = _first_guess(words)
    pairs: list[list[Chunk]] = []
    for _ in range(_ITERATIONS):
        pairs = [found for word, phones in words.items() if (found := _best_pairs(word, phones, probability))]
        counts = Counter(chunk for found in pairs for chunk in found)
        letters: Counter[str] = Counter()
        for (letter, _phones), count in counts.items():
            letters[letter] += count
        probability = {chunk: math.log(count / letters[chunk[0]]) for chunk, count in counts.items()}
    common = {
        chunk for chunk, count in Counter(chunk for found in pairs for chunk in found).items() if count >= MIN_CHUNK
    }
    return [found for found in pairs if common.issuperset(found)]


def _first_guess(words: Mapping[str, Phones]) -> dict[Chunk, float]:
    """Log probabilities from the words that have as many phones as letters, paired one to one."""
    counts: Counter[Chunk] = Counter()
    letters: Counter[str] = Counter()
    for word, phones in words.items():
        if len(word) == len(phones):
            for letter, phone in zip(word, phones, strict=True):
                counts[letter, (phone,)] += 1
                letters[letter] += 1
    return {chunk: math.log(count / letters[chunk[0]]) for chunk, count in counts.items()}


def _best_pairs(word: str, phones: Phones, probability: Mapping[Chunk, float]) -> list[Chunk]:
    """The most likely pairing, or an empty list when the word has more than two phones a letter."""
    floor = math.log(_SKIP)
    height, width = len(word), len(phones)
    best = [[-math.inf] * (width + 1) for _ in range(height + 1)]
    taken = [[0] * (width + 1) for _ in range(height + 1)]
    best[0][0] = 0.0
    for row in range(1, height + 1):
        letter = word[row - 1]
        for column in range(min(width, 2 * row) + 1):
            for size in (0, 1, 2):
                if size > column or best[row - 1][column - size] == -math.inf:
                    continue
                chunk = (letter, phones[column - size : column])
                value = best[row - 1][column - size] + probability.get(chunk, floor - size)
                if value > best[row][column]:
                    best[row][column], taken[row][column] = value, size
    if best[height][width] == -math.inf:
        return []
    pairs: list[Chunk] = []
    column = width
    for row in range(height, 0, -1):
        size = taken[row][column]
        pairs.append((word[row - 1], phones[column - size : column]))
        column -= size
    return pairs[::-1]


def train(words: Mapping[str, Phones], *, order: int = ORDER, min_count: tuple[int, ...] = MIN_COUNT) -> LetterModel:
    """Align a dictionary and train the n-gram model of its letter-phone pairs."""
    pairs = align(words)
    chunks = sorted({chunk for found in pairs for chunk in found})
    if len(chunks) + 2 >= BASE:
        raise ValueError(f"{len(chunks)} pairs do not fit ten bits")
    number = {chunk: index + 3 for index, chunk in enumerate(chunks)}
    sequences = [(BEGIN, *(number[chunk] for chunk in found), END) for found in pairs]
    counts = _counts(sequences, order)
    probability: dict[tuple[int, ...], float] = {}
    backoff: dict[tuple[int, ...], float] = {}
    for size in range(1, order + 1):
        _smooth(counts[size], min_count[size - 1], len(chunks) + 1, probability, backoff)
    return LetterModel(
        tuple(chunks),
        {_key(gram): math.log(value) for gram, value in probability.items()},
        {_key(gram): math.log(max(value, 1e-9)) for gram, value in backoff.items()},
        order,
    )


def _counts(sequences: list[tuple[int, ...]], order: int) -> dict[int, Counter[tuple[int, ...]]]:
    """Kneser-Ney counts by order: occurrences of the longest n-grams and of those that begin a word; for the others
    the number of distinct symbols that precede them.
    """
    full: dict[int, Counter[tuple[int, ...]]] = {size: Counter() for size in range(1, order + 1)}
    for sequence in sequences:
        for end in range(2, len(sequence) + 1):
            for size in range(1, min(order, end) + 1):
                full[size][sequence[end - size : end]] += 1
    counts = {order: full[order]}
    for size in range(order - 1, 0, -1):
        kept: Counter[tuple[int, ...]] = Counter()
        for gram in full[size + 1]:
            kept[gram[1:]] += 1
        for gram, count in full[size].items():
            if gram[0] == BEGIN:
                kept[gram] = count
        counts[size] = kept
    return counts


def _smooth(
    counts: Counter[tuple[int, ...]],
    least: int,
    symbols: int,
    probability: dict[tuple[int, ...], float],
    backoff: dict[tuple[int, ...], float],
) -> None:
    """Interpolate one order with the lower orders, which `probability` already holds; updates both dictionaries."""
    once = sum(count == 1 for count in counts.values())
    twice = sum(count == 2 for count in counts.values())
    discount = once / (once + 2 * twice) if once else 0.5
    totals: dict[tuple[int, ...], int] = defaultdict(int)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
    kept = {gram: (count - discount) / totals[gram[:-1]] for gram, count in counts.items() if count >= least}
    mass: dict[tuple[int, ...], float] = defaultdict(float)
    for gram, share in kept.items():
        mass[gram[:-1]] += share
    if any(len(gram) > 1 for gram in kept):
        backoff |= {context: 1.0 - share for context, share in mass.items()}
    for gram in sorted(kept):
        lower = _lower(gram[1:], probability, backoff) if len(gram) > 1 else 1.0 / symbols
        probability[gram] = kept[gram] + (1.0 - mass[gram[:-1]]) * lower


def _lower(
    gram: tuple[int, ...], probability: Mapping[tuple[int, ...], float], backoff: Mapping[tuple[int, ...], float]
) -> float:
    weight = 1.0
    while gram not in probability:
        weight *= backoff.get(gram[:-1], 1.0)
        gram = gram[1:]
    return weight * probability[gram]


def _key(gram: tuple[int, ...]) -> int:
    key = 0
    for symbol in gram:
        key = key * BASE + symbol
    return key


def write(path: Path, model: LetterModel) -> None:
    """Write a model in the format of `letters.load`: differences of sorted keys, log probabilities as multiples of
    `STEP`.
    """
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "chunks": np.array([" ".join((letter, *phones)) for letter, phones in model.chunks]),
        "order": np.array(model.order),
    }
    for name, table in (("probability", model.probability), ("backoff", model.backoff)):
        keys = np.array(sorted(table), dtype=np.uint64)
        arrays[f"{name}_keys"] = np.diff(keys, prepend=np.uint64(0))
        steps = np.array([min(255, round(-table[int(key)] / STEP)) for key in keys], dtype=np.uint8)
        arrays[f"{name}_steps"] = steps
    with files.atomic_path(path, suffix=".npz") as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]  # numpy types its keywords narrowly


def main() -> int:
    """Train on the shipped dictionary and write the model."""
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL, train(dictionary_words()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
