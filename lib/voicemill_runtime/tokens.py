"""Passages of the input text as spoken words, and words as token ids, the same as NeMo's EnglishPhonemesTokenizer's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.synthesis.out_of_vocabulary import stressed_for
from voicemill.synthesis.ssml import Part, Passage
from voicemill.text.frontend import SpokenWord, read_parts
from voicemill.text.lexicon import Lexicon

_SPACE = " "


@dataclass(frozen=True)
class TokenSequence:
    """Token ids of one stretch of speech.

    Attributes:
        ids: shape (tokens,).
        symbols: the symbol of each token.
        words: for each spoken word, its first token and the token after its last.
    """

    ids: NDArray[np.int64]
    symbols: tuple[str, ...]
    words: tuple[tuple[int, int], ...]


def read_passage(passage: Passage, lexicon: Lexicon) -> list[tuple[SpokenWord, ...]]:
    """The sentences of a passage, with the words that its markup gives; each word's `part` is its part of it."""
    if not passage.parts:
        return []
    sentences = read_parts([part.text for part in passage.parts], lexicon)
    return [tuple(_with_given(sentence.words, passage.parts, lexicon)) for sentence in sentences]


def _with_given(words: Sequence[SpokenWord], parts: Sequence[Part], lexicon: Lexicon) -> Iterator[SpokenWord]:
    for word in words:
        given = parts[word.part].given
        for index, each in enumerate(given, 1):
            phones = each.phones or lexicon.pronounce(each.text).phones
            yield SpokenWord(each.text, phones, word.mark if index == len(given) else "", each.text, part=word.part)
        if not given:
            yield word


def encode(words: Sequence[SpokenWord], tokens: Sequence[str]) -> TokenSequence:
    """Phones and marks of words between spaces; a symbol that the voice does not know is left out.

    Args:
        words: of one sentence or a part of it.
        tokens: the voice's symbols.
    """
    numbers = {symbol: index for index, symbol in enumerate(tokens)}
    symbols: list[str] = [_SPACE]
    spans: list[tuple[int, int]] = []
    for position, word in enumerate(words):
        if position and symbols[-1] != _SPACE:
            symbols.append(_SPACE)
        first = len(symbols)
        symbols += [phone for phone in stressed_for(numbers, word.phones) if phone in numbers]
        spans.append((first, len(symbols)))
        if word.mark in numbers:
            symbols.append(word.mark)
    symbols.append(_SPACE)
    ids = np.array([numbers[symbol] for symbol in symbols], dtype=np.int64)
    return TokenSequence(ids, tuple(symbols), tuple(spans))
