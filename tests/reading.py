"""Sentences with their right readings (`tests/data/reading/*.tsv`) and with heteronyms (`tests/data/heteronyms`), used by
the tests of the text front end and its benchmark.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "data/reading"
HETERONYMS = Path(__file__).parent / "data/heteronyms/sentences.txt"


@dataclass(frozen=True)
class ReadingCase:
    """One sentence as written.

    Attributes:
        category: the kind of difficulty.
        text: as written.
        readings: every acceptable reading, each a tuple of lower-case words.
        phones: for chosen words, `(word, occurrence counted from 0)`, every pronunciation that is right.
    """

    category: str
    text: str
    readings: frozenset[tuple[str, ...]]
    phones: dict[tuple[str, int], frozenset[tuple[str, ...]]]

    def accepts(self, spoken: Sequence[str], phones: Sequence[Sequence[str]] | None = None) -> bool:
        """Whether a reading is right: the words, and where phones are given, those of the chosen words."""
        if tuple(spoken) not in self.readings:
            return False
        if phones is None:
            return True
        found: dict[tuple[str, int], tuple[str, ...]] = {}
        seen: dict[str, int] = {}
        for word, said in zip(spoken, phones, strict=True):
            found[word, seen.get(word, 0)] = tuple(said)
            seen[word] = seen.get(word, 0) + 1
        return all(found.get(place) in wanted for place, wanted in self.phones.items())


@dataclass(frozen=True)
class HeteronymPlace:
    """A sentence with a heteronym.

    Attributes:
        word: the heteronym, lower case.
        text: the sentence.
        phones: for each occurrence of the word, every pronunciation that is right.
    """

    word: str
    text: str
    phones: tuple[frozenset[tuple[str, ...]], ...]


def heteronym_places() -> Iterator[HeteronymPlace]:
    """All sentences of the list of heteronyms; its header documents the format."""
    word, keys = "", dict[str, frozenset[tuple[str, ...]]]()
    for line in HETERONYMS.read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            _, word, legend = line.split(" ", 2)
            entries = (entry.strip().partition("=") for entry in legend.split(";"))
            keys = {key: frozenset(tuple(way.split()) for way in ways.split("/")) for key, _, ways in entries}
        elif line and not line.startswith("#"):
            marked = re.findall(rf"(?i)\b{word}_([A-Z])\b", line)
            yield HeteronymPlace(word, re.sub(r"_[A-Z]\b", "", line), tuple(keys[key] for key in marked))


def cases(files: Iterable[Path] | None = None) -> Iterator[ReadingCase]:
    """All cases of the given files, by default of all files in the folder, in order."""
    for path in sorted(files if files is not None else FOLDER.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("# "):
                category, text, readings, *phones = line.split("\t")
                yield ReadingCase(
                    category,
                    text,
                    frozenset(words for pattern in readings.split("|") for words in _expand(pattern)),
                    dict(_phones(phones[0])) if phones else {},
                )


def _expand(pattern: str) -> Iterator[tuple[str, ...]]:
    """Every way through a reading whose optional words are in parentheses."""
    parts = re.findall(r"\(([^)]*)\)|([^()\s]+)", pattern)
    choices = [[(), tuple(optional.split())] if optional else [(word,)] for optional, word in parts]
    for way in itertools.product(*choices):
        yield tuple(itertools.chain(*way))


def _phones(column: str) -> Iterator[tuple[tuple[str, int], frozenset[tuple[str, ...]]]]:
    for entry in column.split(";"):
        place, _, phones = entry.partition("=")
        word, _, occurrence = place.partition("#")
        yield (word, int(occurrence or 1) - 1), frozenset(tuple(way.split()) for way in phones.split("/"))
