"""Pronunciations: the CMU dictionary of PocketSphinx's wheel, one's own additions, and guesses for the rest.

One pronunciation a word (the dictionary's first), ARPABET without stress marks: the aligner and NeMo's tokenizer read
the same entries, so the phones of an alignment and the tokens of a text match one to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from voicemill import files
from voicemill.errors import DatasetError, DependencyError

Phones = tuple[str, ...]

VOWELS = frozenset(("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"))
CONSONANTS = frozenset(
    ("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "V", "W")
) | {"Y", "Z", "ZH"}
PHONES = VOWELS | CONSONANTS
"""The 39 phones of the CMU dictionary, as NeMo's EnglishPhonemesTokenizer and PocketSphinx's en-us model both spell
them.
"""

_DICTIONARY = Path("model", "en-us", "cmudict-en-us.dict")
_ALTERNATIVE = re.compile(r"\(\d+\)$")
_TOKENIZER_WORD = re.compile(r"[a-z](?:[a-z'-]*[a-z])?")
"""Words that NeMo's English tokenizer can look up; entries such as `'bout` or `a.m.` never reach its dictionary."""
_LONGEST_WORD = 48
"""Letters that are guessed at once; a longer word is guessed in parts, because the search's time grows faster than its
length.
"""
_PLAIN_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Pronunciation:
    """Phones of a word; `guessed` when no dictionary lists it."""

    phones: Phones
    guessed: bool


def pocketsphinx_folder() -> Path:
    """Folder of the installed PocketSphinx package, found without importing it.

    Raises:
        DependencyError: PocketSphinx is not installed.
    """
    spec = util.find_spec("pocketsphinx")
    if spec is None or spec.origin is None:
        raise DependencyError(
            "The package pocketsphinx is not installed.",
            reason="runtime_dependency_missing:pocketsphinx",
            hint="Install the locked dependencies: ./run-direct does it, or pip install pocketsphinx.",
        )
    return Path(spec.origin).parent


def pocketsphinx_version() -> str:
    """Version of the installed PocketSphinx."""
    return metadata.version("pocketsphinx")


class Lexicon:
    """Words and their phones; immutable but for the memory of its guesses."""

    def __init__(self, entries: dict[str, Phones]) -> None:
        self._entries = entries
        self._guesses: dict[str, Phones] = {}

    @classmethod
    def load(cls, extra: Path | None = None) -> Lexicon:
        """The CMU dictionary of PocketSphinx's wheel, first pronunciations; entries of `extra` come before it.

        Args:
            extra: a dictionary of one's own, `word PHONE PHONE ...` a line; stress digits, `;;;` and `#` comments are
                allowed.

        Raises:
            DatasetError: `lexicon_missing` or `lexicon_invalid` (names file and line).
            DependencyError: PocketSphinx is not installed.
        """
        own = _read_own(extra) if extra is not None else {}
        return cls(_read(pocketsphinx_folder() / _DICTIONARY) | own)

    def __contains__(self, word: str) -> bool:
        return word in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def words(self) -> list[str]:
        """All listed words, in the dictionary's order."""
        return list(self._entries)

    def phones(self, word: str) -> Phones | None:
        """Phones of a listed word in lower case, or None."""
        return self._entries.get(word)

    def pronounce(self, word: str) -> Pronunciation:
        """Phones of any word of letters and apostrophes; guessed where the dictionary does not list it.

        Raises:
            ValueError: `word` is not a lower-case word as `normalise.words` gives them.
        """
        known = self._entries.get(word)
        if known is not None:
            return Pronunciation(known, guessed=False)
        if word not in self._guesses:
            if not _PLAIN_WORD.fullmatch(word):
                raise ValueError(f"not a word: {word!r}")
            from voicemill.text import letters

            parts = [word[start : start + _LONGEST_WORD] for start in range(0, len(word), _LONGEST_WORD)]
            guesses = [letters.guess(part.strip("'") or "a", self._entries.get) for part in parts]
            self._guesses[word] = tuple(phone for phones in guesses for phone in phones)
        return Pronunciation(self._guesses[word], guessed=True)

    def write(self, path: Path, extra_words: Iterable[str] = ()) -> list[str]:
        """Write the whole dictionary and `extra_words` in the CMU format that NeMo's EnglishG2p reads; returns the
        guessed words.

        Upper-case words, two spaces, phones; sorted. One entry a word, because NeMo spells ambiguous words letter by
        letter.
        """
        entries = {word: phones for word, phones in self._entries.items() if _TOKENIZER_WORD.fullmatch(word)}
        guessed = sorted({word for word in extra_words if word not in self._entries})
        entries |= {word: self.pronounce(word).phones for word in guessed}
        _write(path, ((word.upper(), phones) for word, phones in sorted(entries.items())), separator="  ")
        return guessed

    def subset(self, path: Path, words: Iterable[str]) -> list[str]:
        """Write only `words` (lower case), in the form that PocketSphinx reads; returns the guessed ones."""
        chosen = {word: self.pronounce(word) for word in sorted(set(words))}
        _write(path, ((word, found.phones) for word, found in chosen.items()), separator=" ")
        return [word for word, found in chosen.items() if found.guessed]


def _write(path: Path, entries: Iterable[tuple[str, Phones]], *, separator: str) -> None:
    files.write_text(path, "".join(f"{word}{separator}{' '.join(phones)}\n" for word, phones in entries))


def _read(path: Path) -> dict[str, Phones]:
    """The shipped dictionary: first pronunciations only."""
    entries: dict[str, Phones] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, *phones = line.split()
            if phones and not word.endswith(")"):
                entries.setdefault(word, tuple(phones))
    return entries


def _read_own(path: Path) -> dict[str, Phones]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"Cannot read the pronunciation dictionary {path}: {error}.",
            reason=f"lexicon_missing:{path}",
            hint="Give a UTF-8 text file with one `word PHONE PHONE ...` a line.",
        ) from error
    entries: dict[str, Phones] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#")[0].strip()
        if not content or content.startswith(";;;"):
            continue
        spelling, *spelled = content.split()
        if _ALTERNATIVE.search(spelling):
            continue  # one pronunciation a word: the first
        word, phones = spelling.lower().replace("\u2019", "'"), tuple(phone.upper().rstrip("012") for phone in spelled)
        wrong = [phone for phone in phones if phone not in PHONES]
        if not phones or wrong or not _PLAIN_WORD.fullmatch(word):
            what = f"unknown phone {wrong[0]!r}" if wrong else "a word of letters and its phones are needed"
            raise DatasetError(
                f"{path}:{number}: {what}.",
                reason=f"lexicon_invalid:{path}:{number}",
                hint="Write `word PHONE PHONE ...` with the 39 ARPABET phones of the CMU dictionary.",
            )
        entries.setdefault(word, phones)
    return entries
