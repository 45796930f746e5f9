"""Text normalisation: written English to its spoken form, and the spoken form to words.

Text of letters and punctuation is normalised with the standard library alone. Only text with digits, currency signs and
other symbols needs nemo_text_processing, whose grammars take 40 s to build on two cores, and 0.1 s to load from a cache
directory that contains them (`cache_dir`). `needs_grammar` distinguishes the two cases.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voicemill.errors import DatasetError, DependencyError

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_GRAMMAR = re.compile(r"[0-9]|[$\u20ac\u00a3\u00a5%&@#+=*/\u00b0\u00a7<>^_~|\\]|\b(?:[A-Za-z]\.){2,}")
"""Digits, symbols and abbreviations such as `a.m.`, which need a grammar."""

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u0060\u00b4\u2032\u02bc", "'"),
        **dict.fromkeys('"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2033', " "),
        **dict.fromkeys("\u2012\u2013\u2014\u2015\u2212", " - "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\ufeff\u2060", ""),
        **dict.fromkeys("()[]{}", " , "),
        "\u00e6": "ae",
        "\u00c6": "Ae",
        "\u0153": "oe",
        "\u0152": "Oe",
        "\u00f8": "o",
        "\u00d8": "O",
        "\u00df": "ss",
        "\u0142": "l",
        "\u0141": "L",
        "\u00f0": "d",
        "\u00d0": "D",
        "\u0111": "d",
        "\u0110": "D",
        "\u00fe": "th",
        "\u00de": "Th",
    }
)

_TITLES = {
    "mr": "mister",
    "mrs": "missus",
    "ms": "miz",
    "dr": "doctor",
    "prof": "professor",
    "messrs": "messieurs",
    "etc": "et cetera",
    "vs": "versus",
    "jr": "junior",
    "sr": "senior",
}
_TITLE = re.compile(rf"\b({'|'.join(_TITLES)})\.(?=(\s+\S)?)", re.IGNORECASE)


_MARKS = 30
"""Most consecutive combining marks that are kept, as in Unicode's Stream-Safe Text Format (UAX 15, section 13). No
language has longer runs, and Unicode normalisation sorts a run in quadratic time."""
_GRAMMAR_WORDS = 200
"""Words per call of the grammars, whose time grows faster than the length of a text."""
_GRAMMAR_CHARACTERS = 200
"""Longest word (characters) that the grammars get; longer ones are divided."""


def needs_grammar(text: str) -> bool:
    """Whether `normalise` would have to load nemo_text_processing for this text."""
    return _GRAMMAR.search(_compatible(text)) is not None


def normalise(text: str, *, cache_dir: Path | None = None) -> str:
    """The spoken form of an English text, as one line of letters, spaces and `, . ? ! ; : '`.

    Args:
        text: as written, with any whitespace, quotes, dashes and accents.
        cache_dir: of nemo_text_processing's compiled grammars; without it every process builds them again.

    Raises:
        DatasetError: `text_not_english`, the text has letters of another script.
        DependencyError: the text has digits or symbols, and nemo_text_processing is not installed.
    """
    composed = _compatible(text).translate(_CHARACTERS)
    composed = _TITLE.sub(_spoken_title, composed)
    if _GRAMMAR.search(composed):
        grammars = _normaliser(cache_dir)
        spoken = [grammars.normalize(part, verbose=False) for part in _parts(composed.split())]
        composed = " ".join(spoken).translate(_CHARACTERS)
    return _tidy(_plain_letters(composed, text))


def words(text: str) -> list[str]:
    """Lower-case words of a normalised text, the same for the aligner and NeMo's English tokenizer."""
    return _WORD.findall(text.lower())


def _compatible(text: str) -> str:
    """Unicode's compatibility composition (NFKC), with at most `_MARKS` consecutive combining marks."""
    if text.isascii():
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= _MARKS:
            kept.append(character)
    return unicodedata.normalize("NFKC", "".join(kept))


@functools.lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    """Whether a character, or the first one of its decomposition, combines with the one before it."""
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0


def _parts(words: Sequence[str]) -> list[str]:
    """A text in parts for the grammars; a long text is cut at ends of sentences where possible."""
    least = _GRAMMAR_WORDS if len(words) <= _GRAMMAR_WORDS else _GRAMMAR_WORDS // 2
    parts: list[list[str]] = [[]]
    for word in words:
        for start in range(0, len(word), _GRAMMAR_CHARACTERS):
            size = len(parts[-1])
            if size >= _GRAMMAR_WORDS or (size >= least and parts[-1][-1].endswith((".", "?", "!"))):
                parts.append([])
            parts[-1].append(word[start : start + _GRAMMAR_CHARACTERS])
    return [" ".join(part) for part in parts]


def _spoken_title(match: re.Match[str]) -> str:
    spoken = _TITLES[match[1].lower()]
    if match[1][0].isupper():
        spoken = spoken.capitalize()
    return spoken if match[2] else spoken + "."


def _plain_letters(composed: str, original: str) -> str:
    """Remove accents; letters of other scripts are an error."""
    bare = "".join(c for c in unicodedata.normalize("NFD", composed) if unicodedata.category(c) != "Mn")
    foreign = sorted({c for c in bare if c.isalnum() and not (c.isascii() and c.isalpha())})
    if foreign:
        raise DatasetError(
            f"The text {original.strip()[:60]!r} contains {' '.join(foreign[:8])}, which English spelling lacks.",
            reason="text_not_english",
            hint="Write it in English letters, as it is spoken.",
        )
    return bare


def _tidy(text: str) -> str:
    """Punctuation reduced to `, . ? ! ; : '`, in linear time.

    A pattern that begins with a run of white space would be tried at each of its characters, so that runs are reduced
    to one space before it.
    """
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\.{2,}", " - ", text)  # an ellipsis is a pause; punctuation after it is handled below
    text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", " ", text)
    text = re.sub(r"\s+-+(?=\s)|-{2,}", " , ", text)
    text = re.sub(r"[^A-Za-z',.?!;:\s]", " ", text)
    text = re.sub(r"(?<![A-Za-z])'|'(?![A-Za-z])", " ", text)  # a quotation mark, or an elision
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ([,.?!;:])", r"\1", text)
    text = re.sub(r"([,;:])(?=[,.?!;:])", "", text)  # the last of several marks remains
    text = re.sub(r"([.?!])[,.?!;:]+", r"\1", text)
    text = re.sub(r"([,.?!;:])(?=[A-Za-z'])", r"\1 ", text)
    text = " ".join(text.split()).lstrip(",.?!;: ")
    return re.sub(r"[,;:]$", ".", text)


@functools.lru_cache(maxsize=2)
def _normaliser(cache_dir: Path | None) -> Any:
    try:
        from nemo_text_processing.text_normalization.normalize import Normalizer
    except ImportError as error:
        raise DependencyError(
            "The text contains digits or symbols, and nemo_text_processing, which spells them out, is not installed.",
            reason="runtime_dependency_missing:nemo_text_processing",
            hint="Install nemo_text_processing, or write numbers and symbols as words.",
        ) from error
    if cache_dir is not None:
        cache_dir.mkdir(parents=True, exist_ok=True)
    return Normalizer(
        input_case="cased", lang="en", cache_dir=None if cache_dir is None else str(cache_dir), overwrite_cache=False
    )
