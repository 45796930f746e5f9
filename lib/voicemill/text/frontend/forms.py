"""What the modules of written forms share: the text around a form, amounts, signs and letters as words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from voicemill.text.frontend import numbers
from voicemill.text.frontend.units import CURRENCIES, MAGNITUDES, MONTHS, WEEKDAYS, word_list

Reading = list[str]
"""Lower-case words; a single upper-case letter is the letter's name (`A` is /EY/)."""
NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,12}|\d{1,60})"
"""Digits, with or without thousands separators."""
MAGNITUDE = "|".join(sorted(map(re.escape, MAGNITUDES), key=len, reverse=True))
"""Words and letters for powers of ten, as alternatives of a pattern."""
CURRENCY_SIGNS = "".join(map(re.escape, CURRENCIES))
"""Signs of currencies, as characters of a pattern."""

FUNCTION_WORDS = frozenset(
    word_list(
        "of and or in on at to from with for is was are were be by as than per long wide tall high deep away old "
        "thick apart ahead behind below above more less each every a an the this that before after between under "
        "over if when while but so then"
    )
)
"""After a quantity, no noun that it qualifies."""

_DAYS = frozenset(WEEKDAYS) | frozenset(MONTHS)
"""Capitalised words after a quantity that it does not qualify."""

SIGNS: dict[str, Reading] = {
    "&": ["and"],
    "+": ["plus"],
    "=": ["equals"],
    "<": ["less", "than"],
    ">": ["greater", "than"],
    "\u2264": ["less", "than", "or", "equal", "to"],
    "\u2265": ["greater", "than", "or", "equal", "to"],
    "\u2260": ["not", "equal", "to"],
    "\u2248": ["approximately"],
    "\u2192": ["to"],
    "~": ["about"],
    "\u00b1": ["plus", "or", "minus"],
    "\u00d7": ["times"],
    "\u00f7": ["divided", "by"],
    "\u221a": ["square", "root", "of"],
    "\u221e": ["infinity"],
    "\u2211": ["sum", "of"],
    "\u00a7": ["section"],
    "@": ["at"],
    "%": ["percent"],
    "\u00b0": ["degrees"],
    "#": ["hash"],
    "$": ["dollars"],
    "\u20ac": ["euros"],
    "\u00a3": ["pounds"],
    "^": ["to", "the", "power", "of"],
    "\u00b2": ["squared"],
    "\u00b3": ["cubed"],
    "\\": ["backslash"],
}
"""What a sign is called where it is part of no longer form."""


@dataclass(frozen=True)
class Neighbours:
    """Up to 48 characters before and after a written form."""

    before: str
    after: str

    def last_word(self) -> str:
        """The word before, lower case, or an empty string."""
        found = re.search(r"([A-Za-z]+)(?:'s?)?[\s.,:(]*$", self.before)
        return found[1].lower() if found else ""

    def next_word(self) -> str:
        """The word after, as written, or an empty string."""
        found = re.match(r"\s*([A-Za-z]+)", self.after)
        return found[1] if found else ""


Reader = Callable[[str, Neighbours], list[Reading]]
"""Readings of a written form and the text around it, the likely one first."""


@dataclass(frozen=True)
class Form:
    """A written form: the scanner's pattern for it, and its readings."""

    pattern: str
    read: Reader


def parts(pattern: str, text: str) -> re.Match[str]:
    """The groups of a pattern in a form that the scanner matched.

    Raises:
        ValueError: the pattern does not match the whole form, an error of the form's module.
    """
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ValueError(f"{pattern!r} does not match {text!r}")
    return found


def spelled(text: str) -> Reading:
    """Letters by their names, digits by theirs."""
    return [
        numbers.digits(character)[0] if character.isdigit() else "A" if character in "aA" else character.lower()
        for character in text
        if character.isascii() and character.isalnum()
    ]


def integer(text: str) -> int:
    return int(text.replace(",", ""))


def amount_words(text: str) -> Reading:
    """A number with thousands separators and decimals."""
    whole, _, fraction = text.replace(",", "").partition(".")
    if fraction:
        return numbers.decimal(whole, fraction)
    return numbers.cardinal(int(whole)) if len(whole) <= 36 else numbers.digits(whole)


def sign_words(sign: str) -> Reading:
    return {"-": ["minus"], "\u2013": ["minus"], "+": ["plus"], "\u00b1": SIGNS["\u00b1"], "~": SIGNS["~"]}.get(
        sign, []
    )


def is_attributive(around: Neighbours) -> bool:
    """Whether a quantity qualifies the noun after it: `a 27 inch screen`."""
    following = around.next_word()
    if around.last_word() not in ("a", "an", "the") or following.lower() in FUNCTION_WORDS:
        return False
    return following[:1].islower() or (len(following) > 1 and following.lower() not in _DAYS)
