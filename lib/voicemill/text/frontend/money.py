"""Amounts of money."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers, numerals
from voicemill.text.frontend.forms import (
    CURRENCY_SIGNS,
    FUNCTION_WORDS,
    MAGNITUDE,
    NUMBER,
    Form,
    Neighbours,
    Reading,
    amount_words,
    is_attributive,
    parts,
    sign_words,
    spelled,
)
from voicemill.text.frontend.units import CURRENCIES, CURRENCY_CODES, MAGNITUDES, word_list
from voicemill.text.frontend.word_classes import OBJECTS, PREPOSITIONS, SUBJECTS, THIRD, is_finite, is_past

_CODES = "(?:" + "|".join(map(re.escape, sorted(CURRENCY_CODES, key=len, reverse=True))) + ")"
_RESOLUTIONS = frozenset(word_list("144 240 360 480 540 576 720 1080 1440 2160 4320"))
"""Lines of a picture, before the letter `p`."""
_COUNTRIES = {
    "A": ["australian"],
    "AU": ["australian"],
    "C": ["canadian"],
    "CA": ["canadian"],
    "NZ": ["new", "zealand"],
    "HK": ["hong", "kong"],
    "S": ["singapore"],
}
"""Letters before a dollar sign."""


def _money(text: str, around: Neighbours) -> list[Reading]:
    sign = sign_words(text[0])
    return [[*sign, *words] for words in _amount_of_money(text, around)]


def _amount_of_money(text: str, around: Neighbours) -> list[Reading]:
    found = parts(
        rf"[-\u2013+\u00b1~]?([A-Z]*)([{CURRENCY_SIGNS}]) ?([\d.,]+) ?({MAGNITUDE})??"
        rf"(?: ?[-\u2013] ?[{CURRENCY_SIGNS}]?([\d.,]+))?(?:[ -]?({MAGNITUDE}))?",
        text,
    )
    country, sign, first, scale, second, magnitude = found.groups()
    one, many, cent, cents = CURRENCIES[sign]
    first = re.sub(r",(\d\d)$", r".\1", first)
    whole, _, fraction = first.replace(",", "").partition(".")
    prefix = spelled(country) if country == "US" else _COUNTRIES.get(country, [])
    singular = _qualifies(around)
    whole = whole or ("0" if len(fraction) == 2 else "")
    if magnitude or second or not whole or len(fraction) not in (0, 2):
        amount = [
            *amount_words(first),
            *([MAGNITUDES[scale]] if scale else []),
            *(["to", *amount_words(second)] if second else []),
        ]
        if magnitude:
            amount.append(MAGNITUDES[magnitude])
        return [[*amount, *prefix, one if singular else many]]
    unit = one if singular or int(whole) == 1 else many
    words = [*numbers.cardinal(int(whole)), *prefix, unit] if int(whole) or not fraction else []
    if not fraction or not int(fraction):
        return [words or ["zero", many]]
    part = numbers.cardinal(int(fraction))
    named = [*part, cent if int(fraction) == 1 else cents]
    if not words:
        return [named]
    return [[*words, "and", *named], [*words, *part], [*numbers.cardinal(int(whole)), *part]]


def _qualifies(around: Neighbours) -> bool:
    """Whether an amount qualifies the noun after it: `a $20 bill`, `the $20 one`."""
    last, following = around.last_word(), around.next_word()
    if last in ("a", "an"):
        return following[:1].islower()
    verb = is_past(following) or is_finite(following) or following in SUBJECTS | THIRD | OBJECTS
    return last in ("the", "this", "that", "each", "every") and following[:1].islower() and not (
        verb or following in FUNCTION_WORDS or following in PREPOSITIONS
    )  # fmt: skip


def _pounds_shillings(text: str, around: Neighbours) -> list[Reading]:
    """`\u00a33 10s. 6d.`"""
    pounds, shillings, pence = parts(r"\u00a3([\d,]+),? (\d+)s\.?(?: (\d+)d\.?)?", text).groups()
    words = [*amount_words(pounds), "pound" if pounds == "1" else "pounds"]
    words += [*numbers.cardinal(int(shillings)), "shilling" if shillings == "1" else "shillings"]
    return [[*words, *(["and", *numbers.cardinal(int(pence)), "penny" if pence == "1" else "pence"] if pence else [])]]


def _money_code(text: str, around: Neighbours) -> list[Reading]:
    found = parts(rf"({_CODES}|\u20ac)? ?({NUMBER}(?:\.\d+)?)[ -]?({MAGNITUDE})? ?({_CODES}|\u20ac)?", text)
    before, amount, magnitude, after = found.groups()
    code = before or after
    if code.startswith("Rs") and re.search(r"\dRs", text) and around.last_word() == "the":
        return [[*amount_words(amount), "r", "s"]]
    one, many = CURRENCY_CODES.get(code, CURRENCIES.get(code, ("", ""))[:2])
    single = (amount == "1" and not magnitude) or is_attributive(around)
    scale = [MAGNITUDES[magnitude]] if magnitude else []
    return [[*amount_words(amount), *scale, *(one if single else many).split()]]


def _old_money(text: str, around: Neighbours) -> list[Reading]:
    """Shillings and pence before 1971: `3s. 6d.`, `2 1/2d.`."""
    found = parts(r"(?:(\d+)s\.? ?)?(?:(\d+) ?)??(\d+/\d+)?d\.?", text)
    shillings, whole, part = found.groups()
    if not shillings and not part and around.last_word() in ("in", "a", "the", "full", "true"):
        return [[*numbers.cardinal(int(whole or "0")), "d"]]  # three dimensions
    if part:
        amount = numerals.mixed(f"{whole} {part}", around)[0] if whole else numerals.fraction(part, around)[0]
    else:
        amount = numbers.cardinal(int(whole))
    pence = [*amount, "penny" if whole == "1" and not part else "pence"]
    if not shillings:
        return [pence]
    first = [*numbers.cardinal(int(shillings)), "shilling" if shillings == "1" else "shillings"]
    return [[*first, "and", *pence], [*first, *pence]]


def _pence(text: str, _: Neighbours) -> list[Reading]:
    amount = text[:-1]
    if amount in _RESOLUTIONS:
        return [[*numbers.pairs(amount), "p"], [*amount_words(amount), "p"]]
    return [[*amount_words(amount), "penny" if amount == "1" else "pence"], [*amount_words(amount), "p"]]


FORMS = {
    "money": Form(
        rf"(?:(?<![\w.,)])[-\u2013+\u00b1~])?(?<!\w)(?:US|AU?|CA?|NZ|HK|S)?[{CURRENCY_SIGNS}] ?"
        rf"(?:{NUMBER}(?:\.\d{{1,9}}|,\d\d(?!\d))?|\.\d{{1,9}})"
        rf"(?:(?: ?(?:{MAGNITUDE}))? ?[-\u2013] ?[{CURRENCY_SIGNS}]?{NUMBER}(?:\.\d{{1,9}})?)?"
        rf"(?:[ -]?(?:{MAGNITUDE})(?!\w))?",
        _money,
    ),
    "money_code": Form(
        rf"(?<!\w)(?:{_CODES} ?{NUMBER}(?:\.\d{{1,9}})?(?: ?(?:{MAGNITUDE}))?"
        rf"|{NUMBER}(?:\.\d{{1,9}})?(?: ?(?:{MAGNITUDE}))? ?(?:{_CODES}|\u20ac))(?!\w)",
        _money_code,
    ),
    "pounds_shillings": Form(r"\u00a3\d{1,3}(?:,\d{3})?,? \d{1,2}s(?!\w)\.?(?: \d{1,2}d(?!\w)\.?)?", _pounds_shillings),
    "old_money": Form(
        r"(?<![\w.,/])(?:\d{1,3}s\.? ?(?:\d{1,2} )?\d{1,2}(?:/\d)?d\.?|(?:\d{1,3} )?\d{1,2}/\d{1,2}d\.?|\d{1,3}d\.)"
        r"(?!\w)",
        _old_money,
    ),
    "pence": Form(r"(?<![\w.,])\d{1,4}p(?!\w)", _pence),
}
