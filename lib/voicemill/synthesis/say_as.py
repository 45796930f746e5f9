"""The element `<say-as>`: what a text is, where the front end would have to guess (W3C's note "SSML 1.0 say-as")."""

from __future__ import annotations

import re
from collections.abc import Callable

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import SIGNS, Reading, amount_words, spelled
from voicemill.text.frontend.units import MONTHS

_ORDERS = ("mdy", "dmy", "ymd", "ydm", "md", "dm", "ym", "my", "d", "m", "y")
_TIME = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?:[:.m](\d{2}))?\s*([ap])?\.?m?\.?", re.IGNORECASE)
_AMOUNT = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3}){1,11}|\d{1,36})?(?:\.(\d{1,36}))?")
_FRACTION = re.compile(r"(?:(\d{1,9})[ +])?(\d{1,9})/(\d{1,9})")
_NAMES = {
    **{sign: words for sign, words in SIGNS.items()},
    ".": ["dot"],
    ",": ["comma"],
    "-": ["dash"],
    "_": ["underscore"],
    "/": ["slash"],
    ":": ["colon"],
    ";": ["semicolon"],
    "!": ["exclamation", "mark"],
    "?": ["question", "mark"],
    "*": ["star"],
    "'": ["apostrophe"],
    '"': ["quote"],
    "(": ["open", "parenthesis"],
    ")": ["close", "parenthesis"],
}


def read_as(text: str, kind: str, form: str = "") -> Reading | None:
    """The words of a text, or None where the front end reads it by itself.

    Args:
        text: content of the element.
        kind: attribute `interpret-as`.
        form: attribute `format`, for dates and times.

    Raises:
        LookupError: this kind is unknown.
        ValueError: the text is not of this kind.
    """
    reader = _READERS[kind]
    return reader(" ".join(text.split()), form) if reader is not None else None


def _cardinal(text: str, _: str) -> Reading:
    found = _AMOUNT.fullmatch(text)
    if found is None or (found[2] is None and found[3] is None):
        raise ValueError(text)
    words = amount_words(f"{found[2] or ''}.{found[3]}" if found[3] else found[2])
    return ([{"-": "minus", "+": "plus"}[found[1]]] if found[1] else []) + words


def _ordinal(text: str, _: str) -> Reading:
    found = re.fullmatch(r"(\d{1,12}|\d{1,3}(?:,\d{3}){1,3})(?:st|nd|rd|th)?", text, re.IGNORECASE)
    value = int(found[1].replace(",", "")) if found else numbers.roman(text)
    if value is None:
        raise ValueError(text)
    return numbers.ordinal(value)


def _characters(text: str, _: str) -> Reading:
    words = [word for character in text for word in _NAMES.get(character) or spelled(character)]
    if not words:
        raise ValueError(text)
    return words


def _digits(text: str, _: str) -> Reading:
    words = numbers.digits(text)
    if not words:
        raise ValueError(text)
    return words


def _telephone(text: str, _: str) -> Reading:
    if not re.fullmatch(r"\+?[\d\s().x/#*-]{2,40}", text):
        raise ValueError(text)
    return (["plus"] if text.startswith("+") else []) + _characters(re.sub(r"[^\d#*]", "", text), "")


def _fraction(text: str, _: str) -> Reading:
    found = _FRACTION.fullmatch(text)
    if found is None or int(found[3]) == 0:
        raise ValueError(text)
    words = numbers.fraction(int(found[2]), int(found[3]))
    return [*numbers.cardinal(int(found[1])), "and", *words] if found[1] else words


def _date(text: str, form: str) -> Reading | None:
    form = form.lower().replace("yyyy", "y").replace("mm", "m").replace("dd", "d")
    fields = re.findall(r"\d+", text)
    if not form and not re.fullmatch(r"[\d\s./-]+", text):
        return None  # a date in words, which the front end reads
    order = form or ("ymd" if len(fields) == 3 and len(fields[0]) == 4 else "mdy"[: len(fields)])
    if order not in _ORDERS or len(fields) != len(order):
        raise ValueError(text)
    values = dict(zip(order, map(int, fields), strict=True))
    month, day, year = values.get("m"), values.get("d"), values.get("y")
    if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
        raise ValueError(text)
    if year is not None and year < 100 and len(order) > 1:
        year += 2000 if year < 70 else 1900
    if year is not None and year > 9999:
        raise ValueError(text)
    return [
        *([MONTHS[month - 1]] if month is not None else []),
        *(numbers.ordinal(day) if day is not None else []),
        *(numbers.year(year) if year is not None else []),
    ]


def _time(text: str, form: str) -> Reading:
    found = _TIME.fullmatch(text)
    if found is None or form.lower() not in ("", "hms12", "hms24", "hm", "hms", "h:m", "h:m:s"):
        raise ValueError(text)
    hour, minute, second, half = int(found[1]), found[2], found[3], found[4]
    if hour > 24 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise ValueError(text)
    words = numbers.cardinal(hour)
    if minute is not None and int(minute):
        words += (["oh"] if int(minute) < 10 else []) + numbers.cardinal(int(minute))
    elif not half:
        words += ["hundred", "hours"] if form == "hms24" else ["o'clock"] if 1 <= hour <= 12 else ["hundred"]
    if second is not None:
        words += ["and", *numbers.cardinal(int(second)), "second" if int(second) == 1 else "seconds"]
    return words + (["A" if half in "aA" else half.lower(), "m"] if half else [])


_READERS: dict[str, Callable[[str, str], Reading | None] | None] = {
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "characters": _characters,
    "spell-out": _characters,
    "verbatim": _characters,
    "digits": _digits,
    "telephone": _telephone,
    "fraction": _fraction,
    "date": _date,
    "time": _time,
    "unit": None,
    "currency": None,
    "address": None,
    "name": None,
}
KINDS = tuple(_READERS)
