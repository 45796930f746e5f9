"""Sentences of the text front end as token ids, the same as NeMo's EnglishPhonemesTokenizer gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.synthesis.out_of_vocabulary import stressed_for
from voicemill.text.frontend import SpokenWord

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
