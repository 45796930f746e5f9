"""Dates, times of day, years and decades."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers, numerals
from voicemill.text.frontend.forms import (
    Form,
    Neighbours,
    Reading,
    parts,
    spelled,
)
from voicemill.text.frontend.units import MONTHS, WEEKDAYS

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)
_DATED = re.compile(
    rf"\b(?:due|ends?|ending|on|since|dated|starts?|starting|until|till|expires|opens|closes|updated?|edit|edited|posted|effective|{'|'.join(WEEKDAYS)}|"
    r"(?:mon|tue|tues|wed|thu|thurs|fri|sat|sun)\.?),? \(?$",
    re.IGNORECASE,
)
_STAMPED = re.compile(rf"(?:\d{{4}}[-/]\d\d?[-/]\d\d?|{_MONTH} \d{{1,2}}|\d{{4}}),? ?T?$")
"""A date before hours, minutes and seconds of the day."""
_TIME = r"\d{1,2}(?::[0-5]\d)?"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_RATIO_BEFORE = re.compile(
    r"\b(?:dilut\w+|ratio|odds|scale|mix\w*|proportions?|gradient|slope|concentration|leverage|split)\b[^.?!\d]{0,20}$",
    re.I,
)
"""Before two numbers that are a ratio and no time."""
_WEEKDAY = {day[:3]: day for day in WEEKDAYS}
_SHORT_DAY = r"(?:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun)"
_HALF = r"[aApP]\.?[mM](?:\.|(?!\w))"
_DAY_OR_MONTH = (
    rf"(?:{_MONTH}|Mon(?:day)?|Tue(?:s|sday)?|Wed(?:nesday)?|Thu(?:rs|rsday|r)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"
)


def _date_words(month: int, day: int, year: int | None, before: str) -> list[Reading]:
    name, end = MONTHS[month - 1], numbers.year(year) if year is not None else []
    the = [] if re.search(r"\bthe $", before, re.IGNORECASE) else ["the"]
    return [
        [name, *numbers.ordinal(day), *end],
        [*the, *numbers.ordinal(day), "of", name, *end],
        [name, "the", *numbers.ordinal(day), *end],
        [*numbers.cardinal(day), name, *end],
    ]


def _month_number(name: str) -> int:
    return next(index for index, month in enumerate(MONTHS, 1) if month.startswith(name.lower()[:3]))


def _iso_date(text: str, around: Neighbours) -> list[Reading]:
    year, month, day = (int(part) for part in re.split("[-/.]", text))
    return _date_words(month, day, year, around.before)


def _slash_date(text: str, around: Neighbours) -> list[Reading]:
    first, second, year = text.split("/")
    month, day = (int(first), int(second)) if int(first) <= 12 else (int(second), int(first))
    full = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 50 else 1900)
    if month > 12 or day > 31:
        return [
            [*numbers.cardinal(int(first)), "slash", *numbers.cardinal(int(second)), "slash", *numbers.digits(year)]
        ]
    return _date_words(month, day, full, around.before)


def _hyphen_date(text: str, around: Neighbours) -> list[Reading]:
    """`Oct-14-1996`, `22-Feb-2008`."""
    first, second, year = text.split("-")
    name, day = (second, first) if first.isdigit() else (first, second)
    return _date_words(_month_number(name), int(day), int(year), around.before)


def _dotted_date(text: str, around: Neighbours) -> list[Reading]:
    day, month, year = (int(part) for part in text.split("."))
    first, second, *others = _date_words(month, day, year, around.before)
    return [second, first, *others]


def _month_day(text: str, around: Neighbours) -> list[Reading]:
    found = parts(rf"({_MONTH})\.? (\d+)(?:st|nd|rd|th|d)?(?:,? (\d{{4}}))?", text)
    year = int(found[3]) if found[3] else None
    return _date_words(_month_number(found[1]), int(found[2]), year, around.before)


def _day_month(text: str, around: Neighbours) -> list[Reading]:
    found = parts(rf"(\d+)(?:st|nd|rd|th|d)?(?: of)? ({_MONTH})\.?(?:,? (\d{{4}}))?", text)
    year = int(found[3]) if found[3] else None
    first, second, *others = _date_words(_month_number(found[2]), int(found[1]), year, around.before)
    return [second, first, *others]


def _calendar_range(text: str, _: Neighbours) -> list[Reading]:
    first, second = (
        next(name for name in (*WEEKDAYS, *MONTHS) if name.startswith(part.strip(" .").lower()[:3]))
        for part in re.split(r"[-\u2013]", text)
    )
    return [[first, "to", second], [first, "through", second]]


def _minutes(text: str) -> Reading:
    value = int(text)
    if value == 0:
        return []
    return [*(["oh"] if value < 10 else []), *numbers.cardinal(value)]


def _clock(text: str, around: Neighbours) -> list[Reading]:
    found = parts(r"(\d+)[:.](\d\d)(?::(\d\d))?\s?(?:([aApP]))?.*", text)
    hour, minute, second, half = found.groups()
    end = [*spelled(half), "m"] if half else []
    if second is None and not half and _RATIO_BEFORE.search(around.before):
        return [[*numbers.cardinal(int(hour)), "to", *numbers.cardinal(int(minute))]]
    if second is not None:
        named: Reading = []
        for value, name in ((hour, "hour"), (minute, "minute"), (second, "second")):
            if int(value):
                named += [*numbers.cardinal(int(value)), name if int(value) == 1 else name + "s"]
        if _STAMPED.search(around.before) and int(hour) < 24:  # a time of day
            seconds = [*numbers.cardinal(int(second)), "second" if int(second) == 1 else "seconds"]
            start = [*numbers.cardinal(int(hour)), *(_minutes(minute) or ["o'clock"])]
            return [[*start, *(["and", *seconds] if int(second) else []), *end]]
        return [[*named, *end], [*numbers.cardinal(int(hour)), *_minutes(minute), *_minutes(second), *end]]
    if int(hour) > 24:
        return [[*numbers.cardinal(int(hour)), *_minutes(minute), *end]]
    if int(minute) == 0 and not half:
        if int(hour) > 12:
            return [[*numbers.cardinal(int(hour)), "hundred"]]
        return [[*numbers.cardinal(int(hour)), "o'clock"], numbers.cardinal(int(hour))]
    return [[*numbers.cardinal(int(hour)), *_minutes(minute), *end]]


def _lap(text: str, around: Neighbours) -> list[Reading]:
    """A time that was measured, with a part of a second: `1:23.45`."""
    whole, _, part = text.partition(".")
    *others, second = whole.split(":")
    names = ("hour", "minute")[-len(others) :]
    named = [
        word
        for value, name in zip(others, names, strict=True)
        for word in (*numbers.cardinal(int(value)), name if int(value) == 1 else name + "s")
    ]
    seconds = [*numbers.cardinal(int(second)), "point", *numbers.digits(part)]
    short = [
        *numbers.cardinal(int(others[0])), *(word for value in others[1:] for word in _minutes(value)),
        *(_minutes(second) or ["zero"]), "point", *numbers.digits(part),
    ]  # fmt: skip
    return [short, [*named, *seconds, "seconds"], [*named, "and", *seconds, "seconds"]]


def _month_days(text: str, around: Neighbours) -> list[Reading]:
    """Days of one month: `Oct. 3-5`, `3-5 October 2024`."""
    name, year = re.search("[A-Za-z]+", text), re.search(r"\d{4}", text)
    first, last = (int(day) for day in re.findall(r"(?<!\d)\d{1,2}(?!\d)", text))
    month = MONTHS[_month_number(name[0] if name else "") - 1]
    end = numbers.year(int(year[0])) if year else []
    days = [(numbers.ordinal(first), numbers.ordinal(last)), (numbers.cardinal(first), numbers.cardinal(last))]
    the = [] if re.search(r"\bthe $", around.before, re.IGNORECASE) else ["the"]
    found: list[Reading] = []
    for join in ("to", "through"):
        for start, stop in days:
            if text[0].isdigit():
                found += [[*start, join, *stop, month, *end]]
                found += [[*the, *start, join, *stop, "of", month, *end]] if start == days[0][0] else []
            else:
                found.append([month, *start, join, *stop, *end])
    return [found[1], found[0], *found[2:]] if text[0].isdigit() else found


def _short_date(text: str, around: Neighbours) -> list[Reading]:
    """`11/30`: a day where a fraction of these numbers is unlikely, or after a word that a date follows."""
    month, day = map(int, text.split("/"))
    dated = (day == 1 or _DATED.search(around.before) is not None) and around.next_word() != "of"
    if dated or (day > 12 and day not in (16, 20, 24) and around.next_word() != "of"):
        return [*_date_words(month, day, None, around.before), [*numbers.cardinal(month), *numbers.cardinal(day)]]
    return numerals.fraction(text, around)


def _clock_range(text: str, around: Neighbours) -> list[Reading]:
    first, second = re.split(r" ?[-\u2013] ?", text)
    start, end = _time_words(first, around), _time_words(second, around)
    return [[*start, "to", *end], [*start, *end]]


def _time_words(text: str, around: Neighbours) -> Reading:
    """A time of day, without o'clock."""
    text = text.replace(":00", "", 1)
    if ":" in text:
        return _clock(text, around)[0]
    return _hour(text, around)[0] if re.search("[aApP]", text) else numbers.cardinal(int(text))


def _short_year(text: str, _: Neighbours) -> list[Reading]:
    value = int(text[1:])
    if value == 0:
        return [["two", "thousand"], ["oh", "oh"]]
    return [[*(["oh"] if value < 10 else []), *numbers.cardinal(value)]]


def _hour(text: str, _: Neighbours) -> list[Reading]:
    found = parts(r"(\d+)\s?([aApP]).*", text)
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


def _month_year(text: str, _: Neighbours) -> list[Reading]:
    """`9/1990`."""
    month, year = map(int, text.split("/"))
    return [[MONTHS[month - 1], *numbers.year(year)], [*numbers.cardinal(month), "slash", *numbers.year(year)]]


def _era(text: str, _: Neighbours) -> list[Reading]:
    found = parts(r"(\d+) ?([A-Z]+)", text.replace(".", ""))
    value = int(found[1])
    years = [numbers.cardinal(value), numbers.year(value)] if "." in text and value < 1000 else [numbers.year(value)]
    return [[*year, *spelled(found[2])] for year in years]


def _weekdays(text: str, _: Neighbours) -> list[Reading]:
    """`Mon, Wed & Fri`."""
    words = re.findall(r"[A-Za-z]+", text.replace("&", " and "))
    return [[_WEEKDAY.get(word[:3].lower(), word) if word != "and" else word for word in words]]


def _working_days(_: str, around: Neighbours) -> list[Reading]:
    """`M-F`."""
    hours = re.search(r"\b(?:open|hours|closed|daily|available)\b[^.]{0,24}$", around.before, re.I)
    timed = re.match(r"[,:]? ?(?:from )?\d", around.after)
    return (
        [["monday", join, "friday"] for join in ("to", "through")] if hours or timed else [["m", "f"], ["m", "to", "f"]]
    )


FORMS = {
    "weekdays": Form(
        rf"(?<!\w){_SHORT_DAY}\.?(?:(?:,? (?:&|and) |, |/){_SHORT_DAY}(?:\.(?=,| ?&| and))?){{1,6}}(?!\w)", _weekdays
    ),
    "working_days": Form(r"(?<!\w)M ?[-\u2013] ?F(?!\w)", _working_days),
    "iso_date": Form(
        r"(?<![\w./-])(?:1\d|20)\d\d(?:-(?:0[1-9]|1[0-2])-|/(?:0?[1-9]|1[0-2])/|\.(?:0[1-9]|1[0-2])\.)"
        r"(?:0[1-9]|[12]\d|3[01])(?![\w/-]|\.\d)",
        _iso_date,
    ),
    "hyphen_date": Form(rf"(?<![\w.-])(?:{_MONTH}-{_DAY}|{_DAY}-{_MONTH})-(?:1\d|20)\d\d(?![\w-])", _hyphen_date),
    "dotted_date": Form(
        r"(?<![\w.])(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.(?:1\d|20)\d\d(?![\w]|\.\d)", _dotted_date
    ),
    "slash_date": Form(
        r"(?<![\d/])(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])/(?:\d{4}|\d{2})(?![\d/])", _slash_date
    ),
    "month_day": Form(
        rf"(?<!\w){_MONTH}\.? (?:[0-2]?\d|3[01])(?:st|nd|rd|th|d)?(?:,? (?:1\d|20)\d\d)?(?![\w%]|[.,:/]\d|-\d)",
        _month_day,
    ),
    "day_month": Form(
        rf"(?<![\w.,:/-])(?:[0-2]?\d|3[01])(?:st|nd|rd|th|d)?(?: of)? {_MONTH}\.?"
        r"(?:,? (?:1\d|20)\d\d)?(?![\w]|[.,:]\d)",
        _day_month,
    ),
    "month_days": Form(
        rf"(?<!\w){_MONTH}\.? {_DAY}(?:st|nd|rd|th)? ?[-\u2013] ?{_DAY}(?:st|nd|rd|th)?"
        r"(?:,? (?:1\d|20)\d\d)?(?![\w%]|[.,:/-]\d)"
        rf"|(?<![\w.,:/-]){_DAY}(?:st|nd|rd|th)? ?[-\u2013] ?{_DAY}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b(?:\.(?=\s\d))?"
        r"(?:,? (?:1\d|20)\d\d)?(?![\w]|[.,:]\d)",
        _month_days,
    ),
    "short_date": Form(r"(?<![\w.,/])(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])(?![\w/])", _short_date),
    "lap": Form(r"(?<![\d:.])(?:\d{1,2}:)?\d{1,2}:[0-5]\d\.\d{1,3}(?![\w:]|\.\d)", _lap),
    "calendar_range": Form(rf"(?<!\w){_DAY_OR_MONTH}\.? ?[-\u2013] ?{_DAY_OR_MONTH}(?!\w)", _calendar_range),
    "clock_range": Form(
        rf"(?<![\d:.,-]){_TIME} ?[-\u2013] ?(?:{_TIME}\s?{_HALF}|\d{{1,2}}:[0-5]\d(?![\d:]))"
        rf"|(?<![\d:.,-])\d{{1,2}}(?::[0-5]\d)?\s?{_HALF} ?[-\u2013] ?{_TIME}\s?{_HALF}",
        _clock_range,
    ),
    "dotted_clock": Form(rf"(?<![\d:.])(?:1[0-2]|0?[1-9])\.[0-5]\d\s?{_HALF}", _clock),
    "timetable": Form(
        r"(?<=[Tt]he )(?:[01]?\d|2[0-3])\.[0-5]\d(?= (?:trains?|bus|flight|ferry|boat|coach|tram|express|news|bulletin|"
        r"show|showing|performance|service|class|mass|bell)\b)",
        _clock,
    ),
    "short_year": Form(r"(?<!\w)'\d\d(?![\w'])", _short_year),
    "clock": Form(r"(?<![\d:.])\d{1,2}:[0-5]\d(?::[0-5]\d)?(?:\s?[aApP]\.?\s?[mM](?:\.|(?!\w)))?(?![\d:])", _clock),
    "hour": Form(r"(?<![\d:.,])(?:1[0-2]|0?[1-9])\s?[aApP]\.?[mM](?:\.|(?!\w))", _hour),
    "decade": Form(r"(?<!\w)(?:(?:1[0-9]|20)\d0|'?[1-9]0)'?s(?!\w)", _decade),
    "years": Form(r"(?<![\w$.,-])(?:1[0-9]|20)\d\d ?[-\u2013] ?(?:(?:1[0-9]|20)\d\d|\d\d)(?![\w-]|[.,]\d)", _years),
    "era": Form(r"(?<![\w.,])\d{1,4} ?(?:AD|BCE?|CE|(?:A\.D|B\.C|B\.C\.E|C\.E)(?:\.(?!\s+[A-Z]|\s*$))?)(?!\w)", _era),
    "month_year": Form(r"(?<![\w./,-])(?:0?[1-9]|1[0-2])/(?:19|20)\d\d(?![\w/])", _month_year),
}
