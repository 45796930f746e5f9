"""Numbers among spoken words as the names of their digits, so that two readings of the same figures compare as equal.

A recogniser writes `7239` whether "seven two three nine" or "seventy-two thirty-nine" was spoken; which one it was
cannot be found in what it wrote. The digits are the same in every reading.
"""

from __future__ import annotations

from collections.abc import Sequence

_DIGITS = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
_UNITS = {word: value for value, word in enumerate(_DIGITS) if value}
_TEENS = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),  # noqa: SIM905
        range(10, 20),
        strict=True,
    )
)
_TENS = dict(
    zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True)  # noqa: SIM905
)
_ZEROS = frozenset(("zero", "oh", "o"))
_SCALES = {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}


def with_digits(text: str) -> str:
    """Lower-case words with each cardinal number as its digits: `page two hundred five` -> `page two zero five`.

    Numbers that follow each other are kept in order: `five twenty nine` -> `five two nine`. `oh` and `o` are zeros
    beside other numbers only. Ordinals and fractions stay as they are.
    """
    words = text.split()
    made: list[str] = []
    position, after_number = 0, False
    while position < len(words):
        value, used = _number(words[position:], after_number)
        if used:
            made += (_DIGITS[int(digit)] for digit in str(value))
        else:
            made.append(words[position])
        after_number = bool(used)
        position += used or 1
    return " ".join(made)


def _number(words: Sequence[str], after_number: bool) -> tuple[int, int]:
    """The number at the start of the words and how many of them it has; (0, 0) where there is none."""
    if words[0] in _ZEROS:
        beside = after_number or (len(words) > 1 and (words[1] in _ZEROS or _below_hundred(words[1:])[1] > 0))
        return (0, 1) if words[0] == "zero" or beside else (0, 0)
    total, used, bound = 0, 0, 10**12
    while True:
        joined = 1 if used and words[used : used + 1] == ["and"] else 0
        value, length = _below_thousand(words[used + joined :])
        if not length:
            return total, used
        end = used + joined + length
        scale = _SCALES.get(words[end], 1) if end < len(words) else 1
        if value * scale >= bound:
            return total, used
        total, used, bound = total + value * scale, end + (scale > 1), scale
        if scale == 1:
            return total, used


def _below_thousand(words: Sequence[str]) -> tuple[int, int]:
    value, used = _below_hundred(words)
    if not used or words[used : used + 1] != ["hundred"]:
        return value, used
    value, used = value * 100, used + 1
    joined = 1 if words[used : used + 1] == ["and"] else 0
    rest, length = _below_hundred(words[used + joined :])
    return (value + rest, used + joined + length) if length else (value, used)


def _below_hundred(words: Sequence[str]) -> tuple[int, int]:
    if not words:
        return 0, 0
    first = words[0]
    if first in _TENS:
        unit = _UNITS.get(words[1], 0) if len(words) > 1 else 0
        return _TENS[first] + unit, 1 + bool(unit)
    value = _UNITS.get(first) or _TEENS.get(first) or 0
    return value, int(value > 0)
