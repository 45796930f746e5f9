"""How a clip's text may have been read: its words with their phones, and the places where a reader has a choice.

A number, a year, a sign or an abbreviation can be read in several ways, and a heteronym has two pronunciations. The
front end gives the likely reading; which one was spoken is decided by the sound (`voicemill.align.forced_alignment`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from voicemill.text import normalise
from voicemill.text.frontend import ReadingChoice, ReadSentence, SpokenWord, numbers, read
from voicemill.text.frontend.reading import LETTER_A
from voicemill.text.lexicon import Lexicon

MOST_OPTIONS = 8
"""Readings of one place that are compared."""
_BELOW_HUNDRED = frozenset(word for number in range(1, 100) for word in numbers.cardinal(number)[:1])


@dataclass(frozen=True)
class Place:
    """Words `first` to `last` (exclusive) of a text, and everything that may be spoken there, the likely one first."""

    first: int
    last: int
    options: tuple[tuple[SpokenWord, ...], ...]

    @property
    def same_spelling(self) -> bool:
        """Whether the options differ in their phones alone: a heteronym."""
        return len({tuple(word.text for word in option) for option in self.options}) == 1


@dataclass(frozen=True)
class TextReading:
    """A text as it is read.

    Attributes:
        words: the likely reading.
        places: in the order of the text; they do not overlap.
    """

    words: tuple[SpokenWord, ...]
    places: tuple[Place, ...] = ()

    @property
    def normalised(self) -> str:
        """The spoken form on one line."""
        return " ".join((word.written or word.text) + word.mark for word in self.words)

    @property
    def phones(self) -> list[tuple[str, ...]]:
        """Phones of each word."""
        return [word.phones for word in self.words]

    def pronounced(self, phones: Mapping[str, tuple[str, ...]]) -> TextReading:
        """The reading with given phones for some words, which are no choice then."""
        if not phones:
            return self
        words = tuple(
            dataclasses.replace(word, phones=phones[word.text]) if word.text in phones else word for word in self.words
        )
        places = tuple(
            place
            for place in self.places
            if not any(word.text in phones for option in place.options for word in option)
        )
        return TextReading(words, places)

    def variant(self, chosen: Sequence[tuple[Place, int]]) -> TextReading:
        """The reading with the option of that index at each of the given places; no place is left to choose."""
        words = list(self.words)
        for place, index in sorted(chosen, key=lambda one: -one[0].first):
            words[place.first : place.last] = place.options[index]
        return TextReading(tuple(words))


def reading_of(written: str, normalised: str, lexicon: Lexicon) -> TextReading:
    """How a clip's text is read.

    Args:
        written: as in the script; used where it has the words of `normalised`.
        normalised: the spoken form that the clip was given, which may be a part of the text or written by hand.
        lexicon: pronunciations.
    """
    words = normalise.words(normalised)
    for text in dict.fromkeys((written, normalised)):
        sentences = read(text, lexicon)
        if [word for sentence in sentences for word in sentence.spoken] == words:
            return _joined(sentences, lexicon)
    return TextReading(tuple(SpokenWord(word, lexicon.pronounce(word).phones) for word in words))


def _joined(sentences: Iterable[ReadSentence], lexicon: Lexicon) -> TextReading:
    words: list[SpokenWord] = []
    places: list[Place] = []
    for sentence in sentences:
        start = len(words)
        words += sentence.words
        found = [
            Place(start + choice.first, start + choice.last, tuple(_options(sentence, choice, lexicon)))
            for choice in sentence.choices
        ]
        taken = {index for place in found for index in range(place.first, place.last)}
        for index, word in enumerate(sentence.words, start):
            if word.alternatives and index not in taken:
                others = (dataclasses.replace(word, phones=phones) for phones in word.alternatives)
                found.append(Place(index, index + 1, tuple((option,) for option in (word, *others))))
        places += sorted((place for place in found if len(place.options) > 1), key=lambda place: place.first)
    return TextReading(tuple(words), tuple(places))


def _options(sentence: ReadSentence, place: ReadingChoice, lexicon: Lexicon) -> list[tuple[SpokenWord, ...]]:
    likely = sentence.words[place.first : place.last]
    options = [likely]
    known = {tuple(word.text for word in likely)}
    for reading in (variant for one in place.readings for variant in _variants(one)):
        if reading not in known and reading and len(options) < MOST_OPTIONS:
            known.add(reading)
            options.append(_spoken(reading, likely, lexicon))
    return options


def _variants(reading: Sequence[str]) -> list[tuple[str, ...]]:
    """A reading of a written form, and the ways in which readers vary it: `and` after hundreds, `oh` for zero."""
    found = [tuple(reading)]
    joined = [
        word
        for index, word in enumerate(reading)
        for word in ((word, "and") if word == "hundred" and _goes_on(reading, index) else (word,))
    ]
    found.append(tuple(joined))
    if "zero" in reading and "point" not in reading:
        found.append(tuple("oh" if word == "zero" else word for word in reading))
    return found


def _goes_on(reading: Sequence[str], index: int) -> bool:
    """Whether tens or ones follow the hundreds of a number."""
    return index > 0 and index + 1 < len(reading) and reading[index + 1] in _BELOW_HUNDRED


def _spoken(reading: Sequence[str], likely: Sequence[SpokenWord], lexicon: Lexicon) -> tuple[SpokenWord, ...]:
    """The words of another reading, with the mark and the capital letter of the likely one."""
    words = []
    for index, word in enumerate(reading):
        around = (*reading[max(0, index - 1) : index], *reading[index + 1 : index + 2])
        letter = word == "a" and any(len(other) == 1 for other in around)
        phones = LETTER_A if letter else lexicon.pronounce(word).phones
        written = word.capitalize() if index == 0 and likely[0].written[:1].isupper() else word
        words.append(SpokenWord(word, phones, likely[-1].mark if index + 1 == len(reading) else "", written))
    return tuple(words)
