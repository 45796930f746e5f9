"""Written forms with digits and signs: one scanner pattern, and a function for each form that gives its readings.

A form may have several readings; the likely one comes first. Preparation lets the aligner choose among them. Readings
are lower-case words; a single upper-case letter is the letter's name (`A` is /EY/).

Every repetition is bounded or unambiguous, so that scanning is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from voicemill.text.frontend import numbers
from voicemill.text.frontend.units import (
    CURRENCIES,
    CURRENCY_CODES,
    MAGNITUDES,
    MONTHS,
    UNITS,
    WEEKDAYS,
)

Reading = list[str]


@dataclass(frozen=True)
class Neighbours:
    """Up to 48 characters before and after a written form."""

    before: str
    after: str

    def last_word(self) -> str:
        """The word before, lower case, or an empty string."""
        found = re.search(r"([A-Za-z]+)[\s.,:(]*$", self.before)
        return found[1].lower() if found else ""

    def next_word(self) -> str:
        """The word after, as written, or an empty string."""
        found = re.match(r"\s*([A-Za-z]+)", self.after)
        return found[1] if found else ""


_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY_OR_MONTH = rf"(?:{_MONTH}|Mon(?:day)?|Tue(?:s|sday)?|Wed(?:nesday)?|Thu(?:rs|rsday|r)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"
_N = r"(?:\d{1,3}(?:,\d{3}){1,12}|\d{1,60})"
_MAGNITUDE = "|".join(sorted(map(re.escape, MAGNITUDES), key=len, reverse=True))
_CURRENCY = "".join(map(re.escape, CURRENCIES))
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_TOP_LEVEL = "com|org|net|edu|gov|io|dev|info|co\\.uk|ac\\.uk|org\\.uk|de|fr|nl|eu|ch|at|se|no|jp|au|ca"
_FILE_SUFFIX = "txt|pdf|py|json|csv|tsv|jpe?g|png|gif|svg|mp3|mp4|wav|flac|docx?|xlsx?|pptx?|html?|zip|exe|md|ya?ml|xml|sh"

_FORMS: dict[str, str] = {
    "url": r"https?://[^\s<>\"]{0,1998}[^\s<>\".,;:!?)']",
    "email": r"(?<![\w.+-])[\w+-]{1,64}(?:\.[\w+-]{1,64}){0,8}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    "site": rf"(?<![\w.@-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,6}}(?:{_TOP_LEVEL})(?:/[^\s<>\"]{{0,500}}[\w/])?(?![\w-]|\.\w)",
    "file": rf"(?<![\w.@-])[A-Za-z0-9_-]{{1,64}}\.(?:{_FILE_SUFFIX})(?![\w-])",
    "handle": r"(?<![\w&])[#@][A-Za-z]\w{0,60}",
    "language": r"(?<!\w)(?:[A-Z]\+\+|[CF]#)(?!\w)",
    "phone": (
        r"(?<![\w+-])(?:\+\d{1,3}(?:[ -]\(?\d{1,4}\)?){2,5}|(?:\+?1[ .-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}"
        r"|\d{3}-\d{4})(?![\w-]|[.,]\d)"
    ),
    "iso_date": r"(?<![\d-])\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?![\d-])",
    "slash_date": r"(?<![\d/])(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])/(?:\d{4}|\d{2})(?![\d/])",
    "month_day": rf"(?<!\w){_MONTH}\.? (?:[0-2]?\d|3[01])(?:st|nd|rd|th)?(?:,? (?:1\d|20)\d\d)?(?![\w%]|[.,:/]\d|-\d)",
    "day_month": rf"(?<![\w.,:/-])(?:[0-2]?\d|3[01])(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?(?:,? (?:1\d|20)\d\d)?(?![\w]|[.,:]\d)",
    "calendar_range": rf"(?<!\w){_DAY_OR_MONTH}\.? ?[-\u2013] ?{_DAY_OR_MONTH}(?!\w)",
    "slang": r"(?<![\d/.])(?:9/11|24/7|50/50)(?![\d/])",
    "clock": r"(?<![\d:.])\d{1,2}:[0-5]\d(?::[0-5]\d)?(?:\s?[aApP]\.?\s?[mM](?:\.|(?!\w)))?(?![\d:])",
    "hour": r"(?<![\d:.,])(?:1[0-2]|0?[1-9])\s?[aApP]\.?[mM](?:\.|(?!\w))",
    "decade": r"(?<!\w)(?:(?:1[0-9]|20)\d0|'?[1-9]0)'?s(?!\w)",
    "years": r"(?<![\w$.,-])(?:1[0-9]|20)\d\d ?[-\u2013] ?(?:(?:1[0-9]|20)\d\d|\d\d)(?![\w-]|[.,]\d)",
    "era": r"(?<![\w.,])\d{1,4} ?(?:AD|BC|BCE|CE)(?!\w)",
    "money": (
        rf"(?<!\w)(?:US|A|C|NZ|HK)?[{_CURRENCY}] ?(?:{_N}(?:\.\d{{1,9}}|,\d\d(?!\d))?|\.\d{{1,9}})"
        rf"(?: ?[-\u2013] ?[{_CURRENCY}]?{_N}(?:\.\d{{1,9}})?)?(?:[ -]?(?:{_MAGNITUDE})(?!\w))?"
    ),
    "money_code": rf"(?<!\w)(?:(?:{'|'.join(CURRENCY_CODES)}) ?{_N}(?:\.\d{{1,9}})?|{_N}(?:\.\d{{1,9}})? ?(?:{'|'.join(CURRENCY_CODES)}|\u20ac))(?!\w)",
    "feet": r"(?<![\w.,])\d{1,3}' ?\d{1,2}(?:\"|'')?(?!\w)|(?<![\w.,])\d{1,4}\"(?=\s(?:x|by|wide|tall|long|high|thick)|\s?[x\u00d7])",
    "mixed": r"(?<![\w.,/])\d{1,4} \d{1,2}/\d{1,3}(?![\w/])",
    "fraction": r"(?<![\w.,/])\d{1,4}/\d{1,4}(?![\w/])",
    "unit": rf"(?<![\w.,])[-\u2013+\u00b1~]?(?:{_N}(?:\.\d{{1,9}})?|\.\d{{1,9}})(?:[-\u2013](?:{_N}(?:\.\d{{1,9}})?))?[ -]?(?:{_UNIT})(?![\w\u00b2\u00b3/])(?:(?<=[a-z])\.(?=\s+[a-z]|[,;:]))?",
    "ordinal": r"(?<![\w.,])\d{1,3}(?:,?\d{3}){0,3}(?:st|nd|rd|th)(?!\w)",
    "version": r"(?<![\w.])\d{1,5}(?:\.\d{1,5}){2,6}(?![\w]|\.\d)",
    "ratio": r"(?<![\d:.])\d{1,4}:\d{1,4}(?![\d:])",
    "product": rf"(?<![\w.,]){_N} ?[x\u00d7] ?{_N}(?: ?[x\u00d7] ?{_N})?(?![\w.,]\d)",
    "range": rf"(?<![\w.,-]){_N}(?:\.\d{{1,9}})? ?[-\u2013] ?{_N}(?:\.\d{{1,9}})?(?![\w-]|[.,]\d)",
    "code": r"(?<![\w.,-])(?:[A-Za-z]{1,12}-?\d{1,6}[A-Za-z]{0,3}|\d{1,6}-?[A-Za-z]{1,12}\d{0,4})(?![\w])",
    "number": rf"(?<![\w])[-\u2013+\u00b1~]?(?:{_N}(?:\.\d{{1,60}})?|(?<![\d.])\.\d{{1,60}})(?: ?(?:{_MAGNITUDE})(?!\w))?",
}
SCANNER_FORMS = "|".join(f"(?P<{name}>{pattern})" for name, pattern in _FORMS.items())
"""Alternatives of the scanner's pattern, most specific first."""

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
    "~": ["about"],
    "\u00b1": ["plus", "or", "minus"],
    "\u00d7": ["times"],
    "\u00f7": ["divided", "by"],
    "\u221a": ["square", "root", "of"],
    "\u221e": ["infinity"],
    "\u00a7": ["section"],
    "@": ["at"],
    "%": ["percent"],
    "\u00b0": ["degrees"],
    "#": ["number"],
    "$": ["dollars"],
    "\u20ac": ["euros"],
    "\u00a3": ["pounds"],
    "^": ["to", "the", "power", "of"],
    "\u00b2": ["squared"],
    "\u00b3": ["cubed"],
    "\\": ["backslash"],
}
"""What a sign is called where it is part of no longer form."""

_YEAR_CUES = frozenset(
    "in by since until till from before after year years of during around circa early late mid spring summer autumn "
    "fall winter copyright between and to about than".split() + MONTHS
)
_CODE_CUES = frozenset(
    "room flight route highway channel bus apartment apt suite gate extension interstate hwy area unit line".split()
)
_DIGIT_CUES = frozenset("dial call code pin zip extension".split())
_SCORE_CUES = re.compile(r"\b(?:won|win|lost|lose|beat|score|scored|ended|finished|lead|leads|led|drew|tied|trail\w*)\b", re.I)
_FUNCTION_WORDS = frozenset(
    "of and or in on at to from with for is was are were be by as than per long wide tall high deep away old thick "
    "apart ahead behind below above more less each every a an the this that before after between under over if when "
    "while but so then".split()
)


def readings(form: str, text: str, neighbours: Neighbours) -> list[Reading]:
    """Readings of one written form, the likely one first.

    Args:
        form: name of the scanner's group that matched.
        text: what it matched.
        neighbours: the text around it.
    """
    return _READERS[form](text, neighbours)


def spelled(text: str) -> Reading:
    """Letters by their names, digits by theirs."""
    return [
        numbers.digits(character)[0] if character.isdigit() else "A" if character in "aA" else character.lower()
        for character in text
        if character.isascii() and character.isalnum()
    ]


def _integer(text: str) -> int:
    return int(text.replace(",", ""))


def _amount(text: str) -> Reading:
    """A number with thousands separators and decimals."""
    whole, _, fraction = text.replace(",", "").partition(".")
    if fraction:
        return numbers.decimal(whole, fraction)
    return numbers.cardinal(int(whole)) if len(whole) <= 36 else numbers.digits(whole)


def _address_part(part: str) -> Reading:
    """One part of a web address: a word, or letters where it cannot be spoken."""
    found: Reading = []
    for chunk in re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]", part):
        if chunk.isalpha():
            lower = chunk.lower()
            spell = lower in {"uk", "eu", "ac", "io", "ai", "tv", "de", "fr", "nl", "ch", "www", "faq"} or not re.search(
                "[aeiouy]", lower
            )
            found += spelled(chunk) if spell or len(lower) == 1 else [lower]
        elif chunk.isdigit():
            found += numbers.cardinal(int(chunk)) if len(chunk) <= 2 and chunk[0] != "0" else numbers.digits(chunk)
        else:
            found += {
                ".": ["dot"],
                "/": ["slash"],
                "-": ["dash"],
                "_": ["underscore"],
                "@": ["at"],
                ":": ["colon"],
                "~": ["tilde"],
                "+": ["plus"],
                "?": ["question", "mark"],
                "=": ["equals"],
                "&": ["and"],
                "#": ["hash"],
                "%": ["percent"],
            }.get(chunk, [])
    return found


def _url(text: str, _: Neighbours) -> list[Reading]:
    scheme, _, rest = text.partition("://")
    rest = rest.rstrip("/")
    return [_address_part(rest), [*spelled(scheme), "colon", "slash", "slash", *_address_part(rest)]]


def _address(text: str, _: Neighbours) -> list[Reading]:
    return [_address_part(text.rstrip("/"))]


def _file(text: str, _: Neighbours) -> list[Reading]:
    name, _, suffix = text.rpartition(".")
    spoken = [suffix] if re.search("[aeiou]", suffix) and len(suffix) > 3 else spelled(suffix)
    return [[*_address_part(name), "dot", *spoken]]


def _handle(text: str, _: Neighbours) -> list[Reading]:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[1:]).replace("_", " ").lower()
    words = [word for chunk in name.split() for word in _address_part(chunk)]
    return [[*(["hashtag"] if text[0] == "#" else ["at"]), *words]]


def _language(text: str, _: Neighbours) -> list[Reading]:
    return [[*spelled(text[0]), *(["sharp"] if text[1] == "#" else ["plus", "plus"])]]


def _phone(text: str, _: Neighbours) -> list[Reading]:
    words: Reading = []
    for group in re.findall(r"\+|\d+", text):
        if group == "+":
            words.append("plus")
        elif group in ("800", "900") and words:
            words += [*numbers.digits(group[0]), "hundred"]
        else:
            words += numbers.digits(group)
    return [words, ["oh" if word == "zero" else word for word in words]]


def _date_words(month: int, day: int, year: int | None, before: str) -> list[Reading]:
    name, end = MONTHS[month - 1], numbers.year(year) if year is not None else []
    the = [] if re.search(r"\bthe $", before) else ["the"]
    return [
        [name, *numbers.ordinal(day), *end],
        [*the, *numbers.ordinal(day), "of", name, *end],
        [name, "the", *numbers.ordinal(day), *end],
        [*numbers.cardinal(day), name, *end],
    ]


def _month_number(name: str) -> int:
    return next(index for index, month in enumerate(MONTHS, 1) if month.startswith(name.lower()[:3]))


def _iso_date(text: str, around: Neighbours) -> list[Reading]:
    year, month, day = (int(part) for part in text.split("-"))
    return _date_words(month, day, year, around.before)


def _slash_date(text: str, around: Neighbours) -> list[Reading]:
    first, second, year = text.split("/")
    month, day = (int(first), int(second)) if int(first) <= 12 else (int(second), int(first))
    full = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 50 else 1900)
    if month > 12 or day > 31:
        return [[*numbers.cardinal(int(first)), "slash", *numbers.cardinal(int(second)), "slash", *numbers.digits(year)]]
    return _date_words(month, day, full, around.before)


def _month_day(text: str, around: Neighbours) -> list[Reading]:
    found = re.fullmatch(rf"({_MONTH})\.? (\d+)(?:st|nd|rd|th)?(?:,? (\d{{4}}))?", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    year = int(found[3]) if found[3] else None
    return _date_words(_month_number(found[1]), int(found[2]), year, around.before)


def _day_month(text: str, around: Neighbours) -> list[Reading]:
    found = re.fullmatch(rf"(\d+)(?:st|nd|rd|th)?(?: of)? ({_MONTH})\.?(?:,? (\d{{4}}))?", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    year = int(found[3]) if found[3] else None
    first, second, *others = _date_words(_month_number(found[2]), int(found[1]), year, around.before)
    return [second, first, *others]


def _calendar_range(text: str, _: Neighbours) -> list[Reading]:
    first, second = (
        next(name for name in (*WEEKDAYS, *MONTHS) if name.startswith(part.strip(" .").lower()[:3]))
        for part in re.split(r"[-\u2013]", text)
    )
    return [[first, "to", second], [first, "through", second]]


def _slang(text: str, _: Neighbours) -> list[Reading]:
    first, second = text.split("/")
    return [[*numbers.cardinal(int(first)), *numbers.cardinal(int(second))]]


def _minutes(text: str) -> Reading:
    value = int(text)
    if value == 0:
        return []
    return [*(["oh"] if value < 10 else []), *numbers.cardinal(value)]


def _clock(text: str, around: Neighbours) -> list[Reading]:
    found = re.match(r"(\d+):(\d\d)(?::(\d\d))?\s?(?:([aApP]))?", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    hour, minute, second, half = found.groups()
    end = [*spelled(half), "m"] if half else []
    if second is not None:
        named: Reading = []
        for value, name in ((hour, "hour"), (minute, "minute"), (second, "second")):
            if int(value):
                named += [*numbers.cardinal(int(value)), name if int(value) == 1 else name + "s"]
        return [[*named, *end], [*numbers.cardinal(int(hour)), *_minutes(minute), *_minutes(second), *end]]
    if int(hour) > 24:
        return [[*numbers.cardinal(int(hour)), *_minutes(minute), *end]]
    if int(minute) == 0 and not half:
        if int(hour) > 12:
            return [[*numbers.cardinal(int(hour)), "hundred"]]
        return [[*numbers.cardinal(int(hour)), "o'clock"], numbers.cardinal(int(hour))]
    return [[*numbers.cardinal(int(hour)), *_minutes(minute), *end]]


def _hour(text: str, _: Neighbours) -> list[Reading]:
    found = re.match(r"(\d+)\s?([aApP])", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    return [[*numbers.cardinal(int(found[1])), *spelled(found[2]), "m"]]


def _decade(text: str, _: Neighbours) -> list[Reading]:
    value = int(re.sub(r"\D", "", text))
    if value < 100:
        return [numbers.plural(numbers.cardinal(value))]
    if value % 1000 == 0:
        return [numbers.plural(numbers.cardinal(value))]
    return [numbers.plural(numbers.year(value))]


def _years(text: str, _: Neighbours) -> list[Reading]:
    first, second = re.split(r" ?[-\u2013] ?", text)
    end = numbers.year(int(second)) if len(second) == 4 else numbers.cardinal(int(second))
    return [[*numbers.year(int(first)), "to", *end], [*numbers.year(int(first)), *end]]


def _era(text: str, _: Neighbours) -> list[Reading]:
    found = re.fullmatch(r"(\d+) ?([A-Z]+)", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    return [[*numbers.year(int(found[1])), *spelled(found[2])]]


def _money(text: str, around: Neighbours) -> list[Reading]:
    found = re.fullmatch(
        rf"([A-Z]*)([{_CURRENCY}]) ?([\d.,]+)(?: ?[-\u2013] ?[{_CURRENCY}]?([\d.,]+))?(?:[ -]?({_MAGNITUDE}))?", text
    )
    assert found  # noqa: S101 - the scanner matched the same pattern
    country, sign, first, second, magnitude = found.groups()
    one, many, cent, cents = CURRENCIES[sign]
    first = re.sub(r",(\d\d)$", r".\1", first)
    whole, _, fraction = first.replace(",", "").partition(".")
    prefix = spelled(country) if country == "US" else {"A": ["australian"], "C": ["canadian"]}.get(country, [])
    singular = around.last_word() in ("a", "an") and around.next_word()[:1].islower()
    if magnitude or second or not whole or len(fraction) not in (0, 2):
        amount = [*_amount(first), *(["to", *_amount(second)] if second else [])]
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


def _money_code(text: str, _: Neighbours) -> list[Reading]:
    amount = re.search(r"[\d.,]+", text)
    code = re.search(r"[A-Z]{3}|\u20ac", text)
    assert amount and code  # noqa: S101 - the scanner matched both
    one, many = CURRENCY_CODES.get(code[0], CURRENCIES.get(code[0], ("", ""))[:2])
    name = one if amount[0].rstrip(".,") == "1" else many
    return [[*_amount(amount[0].rstrip(".,")), *name.split()]]


def _feet(text: str, _: Neighbours) -> list[Reading]:
    found = re.match(r"(\d+)(['\"]) ?(\d*)", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    first, inches = int(found[1]), found[3]
    if found[2] == '"':
        return [[*numbers.cardinal(first), "inch" if first == 1 else "inches"]]
    return [
        [*numbers.cardinal(first), "foot", *numbers.cardinal(int(inches))],
        [*numbers.cardinal(first), "foot" if first == 1 else "feet", *numbers.cardinal(int(inches)), "inches"],
        [*numbers.cardinal(first), "feet", *numbers.cardinal(int(inches))],
    ]


def _mixed(text: str, _: Neighbours) -> list[Reading]:
    whole, _, part = text.partition(" ")
    numerator, denominator = (int(value) for value in part.split("/"))
    if denominator == 0:
        return [[*numbers.cardinal(int(whole)), *numbers.cardinal(numerator), "over", "zero"]]
    words = numbers.fraction(numerator, denominator)
    joined = ["a", *words[1:]] if numerator == 1 else words
    return [[*numbers.cardinal(int(whole)), "and", *joined], [*numbers.cardinal(int(whole)), "and", *words]]


def _fraction(text: str, around: Neighbours) -> list[Reading]:
    numerator, denominator = (int(value) for value in text.split("/"))
    if denominator in (0, 1) or denominator > 100 or numerator > denominator * 3:
        return [[*numbers.cardinal(numerator), "over", *numbers.cardinal(denominator)]]
    words = numbers.fraction(numerator, denominator)
    found = [words, [*numbers.cardinal(numerator), "over", *numbers.cardinal(denominator)]]
    if (numerator, denominator) == (1, 2):
        found.insert(0 if around.last_word() not in ("a", "one") else 1, ["half", "a"])
        found[0] = ["one", "half"] if not around.next_word() else found[0]
    elif numerator == 1:
        found.insert(1, ["a", *words[1:]])
    return found


def _unit(text: str, around: Neighbours) -> list[Reading]:
    found = re.fullmatch(rf"([-\u2013+\u00b1~]?)([\d.,]+)(?:[-\u2013]([\d.,]+))?[ -]?({_UNIT})\.?", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    sign, first, second, unit = found.groups()
    one, many = UNITS[unit]
    following = around.next_word()
    attributive = (
        around.last_word() in ("a", "an", "the")
        and following[:1].islower()
        and following not in _FUNCTION_WORDS
        and unit not in ("%", "\u00b0")
    )
    single = first in ("1", "-1") and not second
    words = [*_sign(sign), *_amount(first), *(["to", *_amount(second)] if second else [])]
    return [[*words, *(one if single or attributive else many).split()]]


def _ordinal(text: str, _: Neighbours) -> list[Reading]:
    return [numbers.ordinal(_integer(re.sub(r"[a-z]", "", text)))]


def _version(text: str, _: Neighbours) -> list[Reading]:
    parts = [numbers.cardinal(int(part)) if len(part) <= 2 else numbers.digits(part) for part in text.split(".")]
    point = [word for part in parts for word in ("point", *part)][1:]
    return [point, ["dot" if word == "point" else word for word in point]]


def _ratio(text: str, _: Neighbours) -> list[Reading]:
    first, second = text.split(":")
    return [[*numbers.cardinal(int(first)), "to", *numbers.cardinal(int(second))]]


def _product(text: str, _: Neighbours) -> list[Reading]:
    parts = [numbers.cardinal(_integer(part)) for part in re.split(r" ?[x\u00d7] ?", text)]
    by = [word for part in parts for word in ("by", *part)][1:]
    return [by, ["times" if word == "by" else word for word in by]]


def _range(text: str, around: Neighbours) -> list[Reading]:
    first, second = re.split(r" ?[-\u2013] ?", text)
    joined = [*_amount(first), "to", *_amount(second)]
    apart = [*_amount(first), *_amount(second)]
    if _SCORE_CUES.search(around.before[-40:]) and len(first) <= 3:
        return [apart, joined]
    return [joined, apart]


def _code(text: str, around: Neighbours) -> list[Reading]:
    words: Reading = []
    for chunk in re.findall(r"[A-Za-z]+|\d+", text):
        if chunk.isalpha():
            speakable = len(chunk) > 3 and re.search("[aeiouAEIOU]", chunk)
            words += [chunk.lower()] if speakable else spelled(chunk)
        elif len(chunk) == 3 and text[0].isdigit():
            words += numbers.pairs(chunk)
        elif len(chunk) <= 2 and chunk[0] != "0":
            words += numbers.cardinal(int(chunk))
        else:
            words += numbers.digits(chunk)
    return [words]


def _number(text: str, around: Neighbours) -> list[Reading]:
    found = re.fullmatch(rf"([-\u2013+\u00b1~]?)([\d.,]+?)(?: ?({_MAGNITUDE}))?", text)
    assert found  # noqa: S101 - the scanner matched the same pattern
    sign, amount, magnitude = found.groups()
    prefix = _sign(sign)
    if magnitude:
        scaled = MAGNITUDES[magnitude] if len(magnitude) > 1 else magnitude.lower()
        return [[*prefix, *_amount(amount), scaled]]
    whole = _amount(amount)
    if sign or "," in amount or "." in amount or len(amount) == 1:
        return [[*prefix, *whole]]
    spelled_out = numbers.digits(amount)
    last = around.last_word()
    if amount[0] == "0" or len(amount) > 15:
        return [spelled_out, ["oh" if word == "zero" else word for word in spelled_out], whole]
    if len(amount) == 3 and last in _DIGIT_CUES:
        return [spelled_out, whole]
    if 3 <= len(amount) <= 4 and last in _CODE_CUES:
        return [numbers.pairs(amount), whole, spelled_out]
    if len(amount) == 4 and _is_year(int(amount), around, last):
        return [numbers.year(int(amount)), whole, spelled_out]
    if len(amount) == 4:
        return [whole, numbers.pairs(amount), spelled_out]
    return [whole, spelled_out] if len(amount) < 3 else [whole, spelled_out, numbers.pairs(amount)]


def _is_year(value: int, around: Neighbours, last: str) -> bool:
    if not 1000 <= value <= 2100:
        return False
    if last in _YEAR_CUES:
        return True
    following = around.next_word()
    counted = following.endswith("s") and following[:1].islower() and following not in ("was", "is", "has")
    return 1100 <= value and not counted and bool(last)


def _sign(sign: str) -> Reading:
    return {"-": ["minus"], "\u2013": ["minus"], "+": ["plus"], "\u00b1": SIGNS["\u00b1"], "~": SIGNS["~"]}.get(sign, [])


_READERS: dict[str, Callable[[str, Neighbours], list[Reading]]] = {
    "url": _url,
    "email": _address,
    "site": _address,
    "file": _file,
    "handle": _handle,
    "language": _language,
    "phone": _phone,
    "iso_date": _iso_date,
    "slash_date": _slash_date,
    "month_day": _month_day,
    "day_month": _day_month,
    "calendar_range": _calendar_range,
    "slang": _slang,
    "clock": _clock,
    "hour": _hour,
    "decade": _decade,
    "years": _years,
    "era": _era,
    "money": _money,
    "money_code": _money_code,
    "feet": _feet,
    "mixed": _mixed,
    "fraction": _fraction,
    "unit": _unit,
    "ordinal": _ordinal,
    "version": _version,
    "ratio": _ratio,
    "product": _product,
    "range": _range,
    "code": _code,
    "number": _number,
}
