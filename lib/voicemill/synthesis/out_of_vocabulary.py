"""Out-of-vocabulary words: words that an acoustic model's dictionary lacks, replaced by their phones.

Stock NeMo drops such words or spells them letter by letter. A base checkpoint keeps its own dictionary, so both
fine-tuning and synthesis need the replacement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass

Pronounce = Callable[[str], Sequence[str]]
"""Lower-case word -> its ARPABET phones without stress marks."""

WORD = re.compile(r"[a-z]+(?:[a-z'-]*[a-z]+)*", re.IGNORECASE)
_PHONES = re.compile(r"\|([A-Z]{1,2}[0-2]?(?: [A-Z]{1,2}[0-2]?)*)\|")
"""A word that is written as its phones."""


def default_pronunciation(word: str) -> Sequence[str]:
    """Phones of a word from the dictionary and the letter-to-sound rules of `voicemill.text`."""
    from voicemill.text.lexicon import Lexicon

    return Lexicon.load().pronounce(word).phones


@dataclass(frozen=True)
class Vocabulary:
    """The vocabulary of an acoustic model's tokenizer.

    Attributes:
        words: the words of its pronunciation dictionary, in lower case.
        tokens: the symbols that it knows, phones among them.
    """

    words: Container[str]
    tokens: Container[str]

    def unknown_words(self, text: str) -> list[str]:
        """The out-of-vocabulary words of a text, in lower case, in order, once each."""
        unknown: list[str] = []
        for word in WORD.findall(_PHONES.sub(" ", text).lower()):
            parts = [] if self.knows(word) else [part for part in word.split("-") if not self.knows(part)]
            unknown.extend(part for part in parts if part and part not in unknown)
        return unknown

    def replace_unknown_words(self, text: str, pronounce: Pronounce) -> str:
        """The text with each out-of-vocabulary word as `|PH OW N Z|`, which NeMo's tokenizer takes as phones.

        Words that are written as phones already stay, in the tokenizer's notation; other vertical bars are left out.
        """
        phones = {word: self.written(pronounce(word)) for word in self.unknown_words(text)}
        pieces = _PHONES.split(text)
        pieces[1::2] = [self.written(piece.split()) for piece in pieces[1::2]]
        pieces[::2] = [
            WORD.sub(lambda match: _replaced(match[0], phones), piece.replace("|", " ")) for piece in pieces[::2]
        ]
        return "".join(pieces)

    def written(self, phones: Sequence[str]) -> str:
        """Phones of a word as `|PH OW N Z|`, in the tokenizer's notation."""
        return f"|{' '.join(stressed_for(self.tokens, [phone.rstrip('012') for phone in phones]))}|"

    def knows(self, word: str) -> bool:
        """Whether NeMo's EnglishG2p finds the word, plurals included (see its `parse_one_word`)."""
        return (
            word in self.words
            or (word.endswith("'s") and word[:-2] in self.words)
            or (word.endswith("s") and word[:-1] in self.words)
        )


def stressed_for(tokens: Container[str], phones: Sequence[str]) -> Iterator[str]:
    """The phones in a tokenizer's notation: if it has stress marks, the first vowel of the word is the stressed one."""
    mark = "1"
    for phone in phones:
        if phone not in tokens and phone + mark in tokens:
            yield phone + mark
            mark = "0"
        else:
            yield phone


def _replaced(word: str, phones: dict[str, str]) -> str:
    parts = word.split("-")
    if not any(part.lower() in phones for part in parts):
        return word
    return " ".join(phones.get(part.lower(), part) for part in parts)
