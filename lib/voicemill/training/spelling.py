"""Words that a model's own dictionary lacks, written as phones: stock NeMo drops them, or spells them by letters.

A base checkpoint keeps its dictionary, so both who learns with it and who speaks with it meets such words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel

Pronounce = Callable[[str], Sequence[str]]
"""Phones, without stress, of a lower-case word that the voice's lexicon lacks."""

WORD = re.compile(r"[a-z]+(?:[a-z'-]*[a-z]+)*", re.IGNORECASE)


def guess(word: str) -> Sequence[str]:
    """Phones of a word by the text room's dictionary and letter rules."""
    from voicemill.text.lexicon import Lexicon

    return Lexicon.load().pronounce(word).phones


def unknown_words(model: FastPitchModel, text: str) -> list[str]:
    """Words that the model's dictionary does not hold, in order, once each."""
    known = model.vocab.g2p.phoneme_dict
    unknown: list[str] = []
    for word in WORD.findall(text.lower()):
        parts = [] if _listed(word, known) else [part for part in word.split("-") if not _listed(part, known)]
        unknown.extend(part for part in parts if part and part not in unknown)
    return unknown


def pronounceable(model: FastPitchModel, text: str, pronounce: Pronounce) -> str:
    """The text with unknown words written as phones between bars, which NeMo's tokenizer takes as they are."""
    text = text.replace("|", " ")
    tokens = model.vocab.tokens
    phones = {word: f"|{' '.join(in_tokens(pronounce(word), tokens))}|" for word in unknown_words(model, text)}
    return WORD.sub(lambda match: _spelled(match[0], phones), text) if phones else text


def in_tokens(phones: Sequence[str], tokens: Container[str]) -> Iterator[str]:
    """The phones as a tokenizer names them: one with stress marks gets the first vowel of a word stressed."""
    mark = "1"
    for phone in phones:
        if phone not in tokens and phone + mark in tokens:
            yield phone + mark
            mark = "0"
        else:
            yield phone


def _listed(word: str, lexicon: object) -> bool:
    """Whether EnglishG2p finds the word, its plural included (see its `parse_one_word`)."""
    if not isinstance(lexicon, dict):
        return False
    return (
        word in lexicon
        or (word.endswith("'s") and word[:-2] in lexicon)
        or (word.endswith("s") and word[:-1] in lexicon)
    )


def _spelled(word: str, phones: dict[str, str]) -> str:
    if word.lower() in phones:
        return phones[word.lower()]
    return (
        " ".join(phones.get(part.lower(), part) for part in word.split("-"))
        if "-" in word and phones.keys() & set(word.lower().split("-"))
        else word
    )
