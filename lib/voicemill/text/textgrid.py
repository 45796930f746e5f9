"""Praat's TextGrid format, long and short text form: the intervals of one tier.

Both forms are a sequence of numbers, quoted strings and flags in a fixed order, with names between them that Praat
itself ignores, as this reader does. Source: https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from voicemill.errors import DatasetError
from voicemill.text.text_files import read_text

PREFERRED = ("sentence", "utterance", "phrase", "text", "transcript", "orthograph", "ort", "word")
"""Prefixes of the names of tiers with text, in order of preference."""
_TOKEN = re.compile(r'"(?:[^"]|"")*"|<[A-Za-z]+>|(?<![^\s])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?=\s|$)')


@dataclass(frozen=True)
class Interval:
    """A part of a recording, in seconds, and its label; `line` is its line in the file."""

    start: float
    end: float
    text: str
    line: int


def read_intervals(path: Path, tier: str | None = None) -> list[Interval]:
    """The labelled intervals of the tier with the text.

    Args:
        path: the file, UTF-8 or UTF-16.
        tier: name of the tier; by default the only interval tier, or the first that matches `PREFERRED`.

    Raises:
        DatasetError: `captions_invalid:<name>:<line>`, `textgrid_tier` or `missing_transcript`.
    """
    tiers = _tiers(path)
    if tier is not None:
        chosen = [intervals for name, intervals in tiers if name == tier]
    elif len(tiers) == 1:
        chosen = [tiers[0][1]]
    else:
        chosen = [found for start in PREFERRED for name, found in tiers if name.lower().startswith(start)]
    if not chosen:
        names = ", ".join(repr(name) for name, _ in tiers) or "none"
        what = "has several tiers" if tier is None else f"has no interval tier {tier[:60]!r}"
        raise DatasetError(
            f"{path.name} {what}; its interval tiers: {names}.",
            reason="textgrid_tier",
            hint="Give the name of the tier with the words as --tier.",
        )
    return chosen[0]


class _Tokens:
    """The values of a file in order, each with its line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._found: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self._text = text
        self._line, self._position = 1, 0

    @property
    def line(self) -> int:
        return self._line

    def next(self, what: str) -> str:
        """The next value of any type."""
        match = next(self._found, None)
        if match is None:
            self.refuse(f"the file ends before {what}")
        self._line += self._text.count("\n", self._position, match.start())
        self._position = match.start()
        return match.group()

    def string(self, what: str) -> str:
        value = self.next(what)
        if not value.startswith('"'):
            self.refuse(f"{value} in place of {what}")
        return value[1:-1].replace('""', '"')

    def number(self, what: str) -> float:
        value = self.next(what)
        if value[0] in '"<':
            self.refuse(f"{value[:20]} in place of {what}")
        return float(value)

    def count(self, what: str) -> int:
        value = self.number(what)
        if not value.is_integer() or not 0 <= value <= 1e6:
            self.refuse(f"{value:g} in place of {what}")
        return int(value)

    def refuse(self, what: str) -> NoReturn:
        raise DatasetError(
            f"{self._path}:{self._line}: {what}.",
            reason=f"captions_invalid:{self._path.name}:{self._line}",
            hint="Save it again from Praat as a text file or a short text file.",
        )


def _tiers(path: Path) -> list[tuple[str, list[Interval]]]:
    """All interval tiers with their names; point tiers are skipped."""
    tokens = _Tokens(path, read_text(path, utf_16=True))
    if (
        tokens.string("the file type") not in ("ooTextFile", "ooTextFile short")
        or tokens.string("the class") != "TextGrid"
    ):
        tokens.refuse("this is not a TextGrid in text format")
    tokens.number("the beginning")
    tokens.number("the end")
    if tokens.next("<exists>") != "<exists>":
        tokens.refuse("the TextGrid has no tiers")
    tiers = []
    for _ in range(tokens.count("the number of tiers")):
        kind = tokens.string("the kind of a tier")
        if kind not in ("IntervalTier", "TextTier"):
            tokens.refuse(f"{kind[:20]!r} is not a kind of tier")
        name = tokens.string("the name of a tier")
        tokens.number("the beginning of a tier")
        tokens.number("the end of a tier")
        count = tokens.count("the number of intervals")
        if kind == "TextTier":
            for _ in range(count):
                tokens.number("a time")
                tokens.string("a label")
            continue
        tiers.append((name, _intervals(tokens, count)))
    return tiers


def _intervals(tokens: _Tokens, count: int) -> list[Interval]:
    found, before = [], 0.0
    for _ in range(count):
        start, end, text = tokens.number("a beginning"), tokens.number("an end"), tokens.string("a label")
        if end <= start or start < before - 1e-6:
            tokens.refuse("this interval ends before it begins, or begins before the previous one ends")
        before = end
        if text.strip():
            found.append(Interval(start, end, text.strip(), tokens.line))
    return found
