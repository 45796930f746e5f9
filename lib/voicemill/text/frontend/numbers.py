"""Numbers as English words: cardinals, ordinals, digits, decimals, years, fractions and Roman numerals.

Readings are lists of lower-case words. Numbers beyond 10**36 are read digit by digit.
"""

from __future__ import annotations

import re

from voicemill.text.frontend.units import word_list

_ONES = word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = word_list("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
_SCALES = word_list(
    "thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion decillion"
)
_LIMIT = 10**36
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_DENOMINATORS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_ROMAN = re.compile(r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def cardinal(value: int) -> list[str]:
    """`105` -> one hundred five; negative numbers begin with `minus`."""
    if value < 0:
        return ["minus", *cardinal(-value)]
    if value >= _LIMIT:
        return digits(str(value))
    if value < 1000:
        return _below_thousand(value)
    groups: list[str] = []
    scale = -1
    while value:
        value, rest = divmod(value, 1000)
        if rest:
            groups = [*_below_thousand(rest), *([_SCALES[scale]] if scale >= 0 else []), *groups]
        scale += 1
    return groups


def ordinal(value: int) -> list[str]:
    """`42` -> forty second."""
    return [*(words := cardinal(value))[:-1], _as_ordinal(words[-1])]


def ordinal_ending(value: int) -> str:
    """`st`, `nd`, `rd` or `th`, as it follows a number in digits."""
    return "th" if value // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


def digits(text: str, zero: str = "zero") -> list[str]:
    """Each digit by its name; other characters are skipped."""
    return [zero if character == "0" else _ONES[int(character)] for character in text if character in "0123456789"]


def decimal(whole: str, fraction: str) -> list[str]:
    """`3`, `14` -> three point one four; an empty whole part is left out."""
    return [*(cardinal(int(whole)) if whole else []), "point", *digits(fraction)]


def year(value: int) -> list[str]:
    """`1994` -> nineteen ninety four, `2005` -> two thousand five, `1905` -> nineteen oh five, `476` -> four seventy
    six.
    """
    century, rest = divmod(value, 100)
    if value < 100 or value % 1000 < 10 or value >= 10_000:
        return cardinal(value)
    if rest == 0:
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh"] if rest < 10 else []), *cardinal(rest)]


def pairs(text: str) -> list[str]:
    """A number of three or four digits as a room, route or flight is read: `101` -> one oh one, `370` -> three
    seventy, `2210` -> twenty two ten.
    """
    head, tail = int(text[:-2]), int(text[-2:])
    if tail == 0:
        return cardinal(int(text))
    return [*cardinal(head), *(["oh"] if tail < 10 else []), *cardinal(tail)]


def plural(words: list[str]) -> list[str]:
    """The last word in the plural: sixties, twos, hundreds."""
    last = words[-1]
    if last.endswith("y"):
        last = last[:-1] + "ies"
    else:
        last += "es" if last.endswith("x") else "'s" if len(last) == 1 else "s"
    return [*words[:-1], last]


def fraction(numerator: int, denominator: int) -> list[str]:
    """`3`, `4` -> three quarters; `1`, `2` -> one half."""
    one, many = _DENOMINATORS.get(denominator, ("", ""))
    if not one:
        named = ordinal(denominator)
        one, many = " ".join(named), " ".join(plural(named))
    return [*cardinal(numerator), *(one if numerator == 1 else many).split()]


def roman(text: str) -> int | None:
    """Value of a well-formed upper-case Roman numeral, or None."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUES[letter] for letter in text]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _below_thousand(value: int) -> list[str]:
    if value < 20:
        return [_ONES[value]]
    if value < 100:
        tens, ones = divmod(value, 10)
        return [_TENS[tens], *([_ONES[ones]] if ones else [])]
    hundreds, rest = divmod(value, 100)
    return [_ONES[hundreds], "hundred", *(_below_thousand(rest) if rest else [])]


def _as_ordinal(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    if word.endswith("y"):
        return word[:-1] + "ieth"
    return word + ("h" if word.endswith("t") else "th")
