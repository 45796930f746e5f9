"""Letter-to-sound: pronunciations of words that no dictionary lists (docs/adr/0003-pronunciation-of-unknown-words.md).

The rules, in this order:

- A known word with a plural or possessive `s` is the word's own pronunciation and the sound of the `s`.
- A short word without a vowel letter is spelled letter by letter, as initials are.
- Any other word is decoded by beam search with a joint n-gram model of letters and phones, which
  scripts/letter_to_sound/train.py trains on the CMU dictionary.
- A word for which the search finds nothing is spelled letter by letter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicemill.text.endings import plural

Phones = tuple[str, ...]
Chunk = tuple[str, Phones]
"""A letter and the 0 to 2 phones it is pronounced as."""

MODEL = Path(__file__).with_name("letters_en.npz")
BASE = 1024
"""An n-gram is stored as one integer whose digits in this base are its symbols."""
BEGIN, END = 1, 2
STEP = 1.0 / 16.0
"""Quantisation step of stored log probabilities (nats)."""
_BEAM = 40
"""Partial pronunciations kept after each letter."""
_INITIALS = 4
"""Longest word without a vowel letter that is spelled letter by letter."""

LETTER_NAMES: dict[str, Phones] = {
    letter: tuple(phones.split())
    for letter, phones in {
        "a": "EY",
        "b": "B IY",
        "c": "S IY",
        "d": "D IY",
        "e": "IY",
        "f": "EH F",
        "g": "JH IY",
        "h": "EY CH",
        "i": "AY",
        "j": "JH EY",
        "k": "K EY",
        "l": "EH L",
        "m": "EH M",
        "n": "EH N",
        "o": "OW",
        "p": "P IY",
        "q": "K Y UW",
        "r": "AA R",
        "s": "EH S",
        "t": "T IY",
        "u": "Y UW",
        "v": "V IY",
        "w": "D AH B AH L Y UW",
        "x": "EH K S",
        "y": "W AY",
        "z": "Z IY",
    }.items()
}


@dataclass(frozen=True)
class LetterModel:
    """An n-gram model over chunks; chunk i has the symbol i + 3.

    Attributes:
        chunks: the vocabulary, in the order of its symbols.
        probability: log probability of an n-gram's last symbol after the others.
        backoff: log weight of the shorter context after a context.
        order: symbols in the longest n-gram.
    """

    chunks: tuple[Chunk, ...]
    probability: Mapping[int, float]
    backoff: Mapping[int, float]
    order: int

    @functools.cached_property
    def choices(self) -> dict[str, list[tuple[int, Phones]]]:
        """Symbols and phones of each letter."""
        table: dict[str, list[tuple[int, Phones]]] = {}
        for index, (letter, phones) in enumerate(self.chunks):
            table.setdefault(letter, []).append((index + 3, phones))
        return table

    def score(self, context: int, symbol: int) -> float:
        """Log probability of `symbol` after the symbols of `context`."""
        weight = 0.0
        limit = BASE ** (self.order - 1)
        context %= limit
        while True:
            found = self.probability.get(context * BASE + symbol)
            if found is not None:
                return weight + found
            if not context:
                return weight - 20.0  # a symbol that was not in the training data
            weight += self.backoff.get(context, 0.0)
            limit = BASE
            while limit * BASE <= context:
                limit *= BASE
            context = context % limit if context >= BASE else 0

    def pronounce(self, word: str) -> Phones:
        """The most likely phones of a word of letters; empty if the model has no chunk for one of the letters."""
        beam: list[tuple[float, int, Phones]] = [(0.0, BEGIN, ())]
        limit = BASE ** (self.order - 1)
        for letter in word:
            grown: dict[tuple[int, Phones], float] = {}
            for total, context, phones in beam:
                for symbol, chunk in self.choices.get(letter, ()):
                    state = ((context * BASE + symbol) % limit, phones + chunk)
                    value = total + self.score(context, symbol)
                    if value > grown.get(state, -1e30):
                        grown[state] = value
            beam = sorted(((value, context, phones) for (context, phones), value in grown.items()), reverse=True)[
                :_BEAM
            ]
        ended = [(total + self.score(context, END), phones) for total, context, phones in beam if phones]
        return max(ended, default=(0.0, ()))[1]


@functools.cache
def load(path: Path = MODEL) -> LetterModel:
    """Read a model that scripts/letter_to_sound/train.py wrote (0.3 s)."""
    with np.load(path, allow_pickle=False) as data:
        chunks = tuple((letter, tuple(phones)) for letter, *phones in (str(entry).split() for entry in data["chunks"]))
        tables = {
            name: dict(
                zip(
                    np.cumsum(data[f"{name}_keys"], dtype=np.uint64).tolist(),
                    (data[f"{name}_steps"] * -STEP).tolist(),
                    strict=True,
                )
            )
            for name in ("probability", "backoff")
        }
        return LetterModel(chunks, tables["probability"], tables["backoff"], int(data["order"]))


def guess(word: str, known: Callable[[str], Phones | None]) -> Phones:
    """Phones of a lower-case word of letters and apostrophes.

    Args:
        word: a word that the dictionary does not list.
        known: dictionary lookup; None for a word that is not listed.
    """
    for ending in ("'s", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = known(word.removesuffix(ending))
            if stem:
                return stem + plural(stem)
    if word.endswith("'s"):
        stem = guess(word[:-2], known)
        return stem + plural(stem)
    letters = word.replace("'", "")
    if len(letters) <= _INITIALS and not set(letters) & set("aeiouy"):
        return _spelled(letters)
    return load().pronounce(letters) or _spelled(letters)


def _spelled(letters: str) -> Phones:
    return tuple(phone for letter in letters for phone in LETTER_NAMES[letter])
