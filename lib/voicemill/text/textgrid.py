"""Praat's TextGrid, in its long and its short text form: the intervals of one tier.

Both forms are a stream of numbers, quoted strings and flags in a fixed order, with names between them that Praat itself
skips (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html); so does this reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from voicemill.errors import DatasetError
from voicemill.text.reading import read_text

PREFERRED = ("sentence", "utterance", "phrase", "text", "transcript", "orthograph", "ort", "word")
"""Beginnings of the names of tiers that hold text, in the order of preference."""
_TOKEN = re.compile(r'"(?:[^"]|"")*"|<[A-Za-z]+>|(?<![^\s])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?=\s|$)')


@dataclass(frozen=True)
class Interval:
    """A stretch of a recording, in seconds, and its label; `line` is its place in the file."""

    start: float
    end: float
    text: str
    line: int


def read_intervals(path: Path, tier: str | None = None) -> list[Interval]:
    """The intervals of the tier that holds text, those without a label left out.

    Args:
        path: the file, UTF-8 or UTF-16.
        tier: its name; without it, the only interval tier, or the first of `PREFERRED` that is there.

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
        what = "does not say which tier holds the text" if tier is None else f"has no interval tier {tier[:60]!r}"
        raise DatasetError(
            f"{path.name} {what}; its interval tiers: {names}.",
            reason="textgrid_tier",
            hint="Name the tier with the words with --tier.",
        )
    return chosen[0]


class _Tokens:
    """The values of the file one by one, each with its line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._found: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self._text = text
        self._line, self._position = 1, 0

    @property
    def line(self) -> int:
        return self._line

    def next(self, what: str) -> str:
        """The next value, whatever it is."""
        match = next(self._found, None)
        if match is None:
            self.refuse(f"the file ends where {what} should be")
        self._line += self._text.count("\n", self._position, match.start())
        self._position = match.start()
        return match.group()

    def string(self, what: str) -> str:
        value = self.next(what)
        if not value.startswith('"'):
            self.refuse(f"{value} stands where {what} should be")
        return value[1:-1].replace('""', '"')

    def number(self, what: str) -> float:
        value = self.next(what)
        if value[0] in '"<':
            self.refuse(f"{value[:20]} stands where {what} should be")
        return float(value)

    def count(self, what: str) -> int:
        value = self.number(what)
        if not value.is_integer() or not 0 <= value <= 1e6:
            self.refuse(f"{value:g} stands where {what} should be")
        return int(value)

    def refuse(self, what: str) -> NoReturn:
        raise DatasetError(
            f"{self._path}:{self._line}: {what}.",
            reason=f"captions_invalid:{self._path.name}:{self._line}",
            hint="Save it again from Praat as a text file or a short text file.",
        )


def _tiers(path: Path) -> list[tuple[str, list[Interval]]]:
    """All interval tiers by name; point tiers are passed over."""
    tokens = _Tokens(path, read_text(path, utf_16=True))
    if (
        tokens.string("the file type") not in ("ooTextFile", "ooTextFile short")
        or tokens.string("the class") != "TextGrid"
    ):
        tokens.refuse("this is no TextGrid in text form")
    tokens.number("the beginning")
    tokens.number("the end")
    if tokens.next("<exists>") != "<exists>":
        tokens.refuse("the TextGrid has no tiers")
    tiers = []
    for _ in range(tokens.count("the number of tiers")):
        kind = tokens.string("the kind of a tier")
        if kind not in ("IntervalTier", "TextTier"):
            tokens.refuse(f"{kind[:20]!r} is no kind of tier")
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
            tokens.refuse("this interval ends before it begins, or begins before the one before it ends")
        before = end
        if text.strip():
            found.append(Interval(start, end, text.strip(), tokens.line))
    return found
