"""The lexicon: pronunciations from PocketSphinx's CMU dictionary, the user's additions, and guesses for other words.

One pronunciation per word (the first in the dictionary), in ARPABET without stress marks. The aligner and NeMo's
tokenizer use the same entries, so the phones of an alignment and the tokens of a text match one to one.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.errors import DatasetError, DependencyError

Phones = tuple[str, ...]

VOWELS = frozenset(("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"))
CONSONANTS = frozenset(
    ("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "V", "W")
) | {"Y", "Z", "ZH"}
PHONES = VOWELS | CONSONANTS
"""The 39 phones of the CMU dictionary, in the notation of NeMo's EnglishPhonemesTokenizer and PocketSphinx."""

_DICTIONARY = Path("model", "en-us", "cmudict-en-us.dict")
_ALTERNATIVE = re.compile(r"\(\d+\)$")
_TOKENIZER_WORD = re.compile(r"[a-z](?:[a-z'-]*[a-z])?")
"""Words that NeMo's English tokenizer can look up, unlike entries such as `'bout` or `a.m.`."""
_LONGEST_WORD = 48
"""Longest word (letters) that is guessed at once; longer words are guessed in parts, in linear time."""
_MAX_BYTES = 64 * 1024 * 1024
"""Of a user's dictionary; the CMU dictionary has 3 MB."""
_MOST_GUESSES = 20_000
_PLAIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Pronunciation:
    """Phones of a word; `guessed` if no dictionary lists it."""

    phones: Phones
    guessed: bool


def pocketsphinx_folder() -> Path:
    """Folder of the installed PocketSphinx package, without importing it.

    Raises:
        DependencyError: PocketSphinx is not installed.
    """
    spec = util.find_spec("pocketsphinx")
    if spec is None or spec.origin is None:
        raise DependencyError(
            "The package pocketsphinx is not installed.",
            reason="runtime_dependency_missing:pocketsphinx",
            hint="Install the locked dependencies with ./run-direct, or pip install pocketsphinx.",
        )
    return Path(spec.origin).parent


def pocketsphinx_version() -> str:
    """Version of the installed PocketSphinx."""
    return metadata.version("pocketsphinx")


class Lexicon:
    """Words and their phones; immutable except for the cache of its guesses."""

    def __init__(self, entries: Mapping[str, Phones], own: Collection[str] = ()) -> None:
        """
        Args:
            entries: phones of each word.
            own: words whose pronunciation the user gave.
        """
        self._entries = entries
        self.own = frozenset(own)
        self._guesses: dict[str, Phones] = {}

    @classmethod
    def load(cls, extra: Path | None = None) -> Lexicon:
        """The first pronunciations of the CMU dictionary in PocketSphinx's wheel, overridden by the entries of `extra`.

        Args:
            extra: the user's dictionary with lines of `word PHONE PHONE ...`; stress digits, and comments after `;;;`
                and `#`, are allowed.

        Raises:
            DatasetError: `lexicon_missing` or `lexicon_invalid`, with file and line.
            DependencyError: PocketSphinx is not installed.
        """
        listed = _read(pocketsphinx_folder() / _DICTIONARY)
        own = read_own(extra) if extra is not None else {}
        return cls(_Listed(listed | dict.fromkeys(own, "") if own else listed, own), own)

    def __contains__(self, word: str) -> bool:
        return word in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def words(self) -> list[str]:
        """All listed words, in the order of the dictionary."""
        return list(self._entries)

    def phones(self, word: str) -> Phones | None:
        """Phones of a listed word in lower case, or None."""
        return self._entries.get(word)

    def pronounce(self, word: str) -> Pronunciation:
        """Phones of any word of letters and apostrophes; guessed if the dictionary does not list it.

        Raises:
            ValueError: `word` is not a lower-case word as `normalise.words` returns them.
        """
        known = self._entries.get(word)
        if known is not None:
            return Pronunciation(known, guessed=False)
        phones = self._guesses.get(word)  # read once: another thread may clear the guesses
        if phones is None:
            if len(self._guesses) >= _MOST_GUESSES:
                self._guesses.clear()  # a server meets unknown words without end
            if not _PLAIN_WORD.fullmatch(word):
                raise ValueError(f"not a word: {word!r}")
            parts = [word[start : start + _LONGEST_WORD] for start in range(0, len(word), _LONGEST_WORD)]
            phones = tuple(phone for part in parts for phone in self._guess(part.strip("'") or "a"))
            self._guesses[word] = phones
        return Pronunciation(phones, guessed=True)

    def _guess(self, part: str) -> Phones:
        """Phones of a word, or of a part of a long one; each is guessed once."""
        phones = self._guesses.get(part)
        if phones is None:
            from voicemill.text import letters

            phones = letters.guess(part, self._entries.get)
            self._guesses[part] = phones
        return phones

    def write(self, path: Path, extra_words: Iterable[str] = ()) -> list[str]:
        """Write the dictionary and `extra_words` in the CMU format that NeMo's EnglishG2p reads.

        Sorted lines of the upper-case word, two spaces and the phones. One entry per word: NeMo spells ambiguous
        words letter by letter.

        Returns:
            The words of `extra_words` whose pronunciation is guessed.
        """
        spelled = self._entries.lines() if isinstance(self._entries, _Listed) else _joined(self._entries.items())
        lines = {word: phones for word, phones in spelled if _TOKENIZER_WORD.fullmatch(word)}
        guessed = sorted({word for word in extra_words if word not in self._entries})
        lines |= _joined((word, self.pronounce(word).phones) for word in guessed)
        files.write_text(path, "".join(f"{word.upper()}  {phones}\n" for word, phones in sorted(lines.items())))
        return guessed

    def subset(self, path: Path, words: Iterable[str]) -> list[str]:
        """Write only `words` (lower case), in PocketSphinx's format; returns those with a guessed pronunciation."""
        chosen = {word: self.pronounce(word) for word in sorted(set(words))}
        spelled = _joined((word, found.phones) for word, found in chosen.items())
        files.write_text(path, "".join(f"{word} {phones}\n" for word, phones in spelled))
        return [word for word, found in chosen.items() if found.guessed]


@functools.cache
def default_lexicon() -> Lexicon:
    """The CMU dictionary, loaded once.

    Raises:
        DependencyError: PocketSphinx is not installed.
    """
    return Lexicon.load()


def _joined(entries: Iterable[tuple[str, Phones]]) -> Iterator[tuple[str, str]]:
    """Words with their phones in one string."""
    return ((word, " ".join(phones)) for word, phones in entries)


class _Listed(Mapping[str, Phones]):
    """Entries of a dictionary; the phones of a word are split when they are asked for, which halves the start."""

    def __init__(self, lines: Mapping[str, str], own: Mapping[str, Phones]) -> None:
        """
        Args:
            lines: words and their phones, separated by spaces.
            own: entries that come before these; their words are in `lines`.
        """
        self._lines = lines
        self._own = own
        self._phones = dict(own)

    def __getitem__(self, word: str) -> Phones:
        found: Phones | None = self.get(word)
        if found is None:
            raise KeyError(word)
        return found

    def get(self, word: str, default: Any = None) -> Any:
        """Phones of a word, or the default."""
        found = self._phones.get(word)
        if found is None:
            line = self._lines.get(word)
            if line is None:
                return default
            found = self._phones[word] = tuple(map(sys.intern, line.split()))
        return found

    def lines(self) -> Iterator[tuple[str, str]]:
        """Words with their phones in one string."""
        return ((word, " ".join(self._own.get(word, ())) or phones) for word, phones in self._lines.items())

    def __contains__(self, word: object) -> bool:
        return word in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


@functools.cache
def _read(path: Path) -> dict[str, str]:
    """The first pronunciations of a dictionary in PocketSphinx's format, read once; lexicons share them."""
    entries: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        word, _, phones = line.partition(" ")
        if phones and word[-1:] != ")" and word not in entries:
            entries[word] = phones
    return entries


def read_own(path: Path) -> dict[str, Phones]:
    """The entries of a user's dictionary, see `Lexicon.load`.

    Raises:
        DatasetError: `lexicon_missing` or `lexicon_invalid`, with file and line.
    """
    try:
        text = files.read_whole(path, _MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"Cannot read the pronunciation dictionary {path}: {error}.",
            reason=f"lexicon_missing:{path}",
            hint="Give a UTF-8 text file with lines of `word PHONE PHONE ...`.",
        ) from error
    entries: dict[str, Phones] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#")[0].strip()
        if not content or content.startswith(";;;"):
            continue
        spelling, *spelled = content.split()
        if _ALTERNATIVE.search(spelling):
            continue  # an alternative pronunciation
        word, phones = spelling.lower().replace("\u2019", "'"), tuple(phone.upper().rstrip("012") for phone in spelled)
        wrong = [phone for phone in phones if phone not in PHONES]
        if not phones or wrong or not _PLAIN_WORD.fullmatch(word):
            what = f"unknown phone {wrong[0]!r}" if wrong else "a line needs a word of letters and its phones"
            raise DatasetError(
                f"{path}:{number}: {what}.",
                reason=f"lexicon_invalid:{path}:{number}",
                hint="Write `word PHONE PHONE ...` with the 39 ARPABET phones of the CMU dictionary.",
            )
        entries.setdefault(word, phones)
    return entries
