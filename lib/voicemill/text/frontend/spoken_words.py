"""What the text front end returns: sentences as spoken words with their phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemill.text.lexicon import Lexicon, Phones


@dataclass(frozen=True)
class SpokenWord:
    """A word as it is spoken.

    Attributes:
        text: the word in lower case; a letter's name is that letter.
        phones: ARPABET without stress.
        mark: punctuation that follows: one of `, . ? ! ; :`, or an empty string.
        written: the word's capitalisation in the text, for display.
        alternatives: other pronunciations of a heteronym.
        part: index of the part of the text in which the word begins, see `read_parts`.
    """

    text: str
    phones: Phones
    mark: str = ""
    written: str = ""
    alternatives: tuple[Phones, ...] = ()
    part: int = 0


@dataclass(frozen=True)
class ReadingChoice:
    """A written form with several readings: words `first` to `last` (exclusive) of its sentence hold the likely one."""

    first: int
    last: int
    readings: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReadSentence:
    """A sentence of a text and how it is read.

    Attributes:
        text: the sentence, without markup.
        words: what is spoken.
        choices: written forms that a person may read differently.
    """

    text: str
    words: tuple[SpokenWord, ...]
    choices: tuple[ReadingChoice, ...] = ()

    @property
    def spoken(self) -> list[str]:
        """The words alone."""
        return [word.text for word in self.words]

    @property
    def normalised(self) -> str:
        """The spoken form on one line, letters, apostrophes and `, . ? ! ; :`."""
        return " ".join((word.written or word.text) + word.mark for word in self.words)

    def annotated(self, lexicon: Lexicon) -> str:
        """The spoken form for NeMo's tokenizer, see `annotated`."""
        return annotated(self.words, lexicon)


def annotated(words: Sequence[SpokenWord], lexicon: Lexicon) -> str:
    """Words for NeMo's tokenizer: one whose phones are not those of the dictionary is written as `|PH OW N Z|`."""
    return " ".join(
        (word.written or word.text if lexicon.phones(word.text) == word.phones else f"|{' '.join(word.phones)}|")
        + word.mark
        for word in words
    )
