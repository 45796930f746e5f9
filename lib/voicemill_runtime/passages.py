"""Passages of the input text as spoken words: read by the front end, with the words that the markup gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from voicemill.synthesis.ssml import Part, Passage
from voicemill.text.frontend import SpokenWord, read_parts
from voicemill.text.lexicon import Lexicon


def read_passage(passage: Passage, lexicon: Lexicon) -> list[tuple[SpokenWord, ...]]:
    """The sentences of a passage; each word's `part` is its part of the passage."""
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
