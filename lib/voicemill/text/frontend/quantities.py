"""Numbers with a unit."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers, numerals
from voicemill.text.frontend.abbreviation_lists import STREETS
from voicemill.text.frontend.forms import (
    CURRENCY_SIGNS,
    FUNCTION_WORDS,
    NUMBER,
    Form,
    Neighbours,
    Reading,
    amount_words,
    integer,
    is_attributive,
    parts,
    sign_words,
    spelled,
)
from voicemill.text.frontend.units import PER, UNITS, word_list

_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_AMPERE = r"A(?=\s+(?:at|fuse|of|current|and|or|from|per)\b|[.,;?!)]|$)"
"""The letter is a unit where nothing follows that it could belong to, unlike in `2 A levels`."""
_LABELLED = frozenset(
    word_list(
        "exit gate seat row room apt apartment flat suite unit figure fig figures table section chapter appendix level "
        "platform bay block building bldg page item question exercise part class grade line bus route highway hall"
    )
)
"""Before a number with a letter that is no unit, as in `exit 12A`."""
_STREET = rf"(?:[A-Z][a-z]{{1,20}} ){{1,2}}(?:{'|'.join(name.capitalize() for name in sorted(STREETS))})\b"
"""A street's name, before which a capital letter is a direction and no unit."""
_COUNTED_IN_MILLIONS = frozenset(
    word_list(
        "people users viewers customers subscribers voters jobs homes households women men children workers patients "
        "passengers visitors readers listeners players copies downloads views followers tonnes tons barrels doses "
        "euros dollars pounds records rows tokens parameters streams refugees residents cases deaths tests shares "
        "members tourists students adults employees migrants animals trees votes words lines transactions accounts "
        "devices vehicles cars units tickets fans pensioners taxpayers drivers bottles hits clicks"
    )
)
"""After a number and `m`, which stands for million there and not for meters."""
_PEOPLED = re.compile(
    r"\b(?:population|pop|populace|audience|turnout|sales|membership|revenues?|readership|viewership|downloads|votes|budget|"
    r"profits?|circulation)\b[^?!]{0,32}$",
    re.IGNORECASE,
)
"""Before amounts that are no lengths."""
_PACKED = re.compile(
    r"\.?\)\s*(?:cans?|jars?|packages?|pkgs?|box|boxes|bags?|bottles?|containers?|tins?|packs?|blocks?|cartons?|tubs?|sticks?)\b"
)
"""After the size of a package in parentheses: `1 (28 oz.) can`."""
_SCREEN = re.compile(r"\s+(?:\d{3,4}p|\d{1,2}K|HD|O?LED|QLED|LCD|TV|IPS)\b")
"""After the size of a screen."""
_ROADS = frozenset(word_list("rte route hwy highway interstate us sr"))
"""Before a number that a direction follows, as in `Rte. 66 W`."""
_TYPE = re.compile(r"\b(?:font|type|typeface|Times|Arial|Helvetica|Courier|Garamond|Calibri|spacing|margin)\b")
"""Near sizes in points."""
_CLOCK_UNITS = {"h": "hour", "m": "minute", "s": "second"}
_PER = "|".join(sorted(map(re.escape, PER), key=len, reverse=True))


def _per(text: str, around: Neighbours) -> list[Reading]:
    symbol = len(text) < 4 and not re.search(rf"\d ?(?:[{CURRENCY_SIGNS}%kKmMbB]|bn|{_UNIT})?$", around.before)
    if symbol and not re.search(r"[a-z]{3}$", around.before):
        return [spelled(text)]
    return [["per", *PER[text[1:]].split()], ["a", *PER[text[1:]].split()]]


def _fraction_unit(text: str, around: Neighbours) -> list[Reading]:
    found = parts(rf"((?:\d+ )?)(\d+/\d+) ?({_UNIT})\.?", text)
    one, many = UNITS[found[3]]
    if found[1]:
        return [[*words, *many.split()] for words in numerals.mixed(found[1] + found[2], around)]
    numerator, denominator = map(int, found[2].split("/"))
    if numerator != 1:
        return [[*words, *one.split()] for words in numerals.fraction(found[2], around)]
    article = "an" if one[0] in "aeiou" or one == "hour" else "a"
    words = numbers.fraction(numerator, denominator)
    half = [["half", article, *one.split()]] if denominator == 2 else []
    return [*half, [*words, *one.split()], [*words, "of", article, *one.split()]]


def _feet_inches(text: str, _: Neighbours) -> list[Reading]:
    feet, inches = (int(value) for value in re.findall(r"\d+", text))
    foot, inch = "foot" if feet == 1 else "feet", "inch" if inches == 1 else "inches"
    return [[*numbers.cardinal(feet), foot, *numbers.cardinal(inches), inch]]


def _feet_product(text: str, _: Neighbours) -> list[Reading]:
    sides = re.findall(r"\d+", text)
    named = [[*numbers.cardinal(int(side)), *(["foot"] if side == "1" else ["feet"])] for side in sides]
    return [[word for words in named for word in ("by", *words)][1:]]


_DIMENSIONS = frozenset(
    word_list("x wide long tall deep high thick apart across round square below above away off more less longer taller")
)
"""After inches in the plural: `12" wide`."""


_QUOTE = re.compile(r'(?<!\d)"')


def _closes_quotation(around: Neighbours) -> bool:
    """Whether a double quote here ends a quotation, and is no sign of inches."""
    return len(_QUOTE.findall(around.before)) % 2 == 1


def _inches(text: str, around: Neighbours) -> list[Reading]:
    if sides := re.fullmatch(r'(\d+)[-\u2013](\d+)"', text):
        first, second = (numbers.cardinal(int(side)) for side in sides.groups())
        return [[*first, "to", *second, *([] if _closes_quotation(around) else ["inches"])]]
    amount = amount_words(text[:-1])
    if re.fullmatch(r'(?:1[5-9]|20)\d\d"', text):
        return [numbers.year(int(text[:-1]))]
    if _closes_quotation(around):
        return [amount]
    screen = around.last_word() in ("a", "an", "the") and _SCREEN.match(around.after) is not None
    following = around.next_word()
    noun = following.islower() and following not in FUNCTION_WORDS | _DIMENSIONS
    single = text == '1"' or noun or is_attributive(around) or screen
    return [[*amount, "inch" if single else "inches"]]


def _feet(text: str, _: Neighbours) -> list[Reading]:
    found = parts(r"(\d+)' ?(\d*).*", text)
    first, inches = int(found[1]), found[2]
    return [
        [*numbers.cardinal(first), "foot", *numbers.cardinal(int(inches))],
        [*numbers.cardinal(first), "foot" if first == 1 else "feet", *numbers.cardinal(int(inches)), "inches"],
        [*numbers.cardinal(first), "feet", *numbers.cardinal(int(inches))],
    ]


_LENGTHS = frozenset(word_list("mm cm dm m km mi yd yds ft in in. px"))


def _product_unit(text: str, around: Neighbours) -> list[Reading]:
    """`4 x 5 m`, `4 m x 5 m`."""
    sides = re.findall(rf"([\d.,]*\d)[ -]?((?:{_UNIT}|in)?)\.?(?= ?[x\u00d7]|$)", text)
    last, unit = sides[-1]
    named = [_side(amount, own, plural=amount != "1") for amount, own in sides[:-1]]
    named.append(_side(last, unit, plural=last != "1" and not is_attributive(around)))
    found = [[word for side in named for word in (join, *side)][1:] for join in ("by", "times")]
    return found if unit in _LENGTHS else found[::-1]


def _heat(text: str, around: Neighbours) -> list[Reading]:
    """`180C` in a recipe."""
    if around.last_word() in _LABELLED | {"size", "bra", "a"}:
        return [[*amount_words(text[:-1].strip("- ")), text[-1].lower()]]
    sign, text = (["minus"], text[1:]) if text[0] == "-" else ([], text)
    name = "celsius" if text[-1] == "C" else "fahrenheit"
    amount = amount_words(text[:-1].strip())
    return [[*sign, *amount, "degrees", name], [*sign, *amount, text[-1].lower()]]


def _side(amount: str, unit: str, *, plural: bool) -> Reading:
    names = {"": ("", ""), "in": ("inch", "inches")}.get(unit) or UNITS[unit]
    return [*amount_words(amount), *names[plural].split()]


def _unit_range(text: str, around: Neighbours) -> list[Reading]:
    """`60\u00b0-70\u00b0`."""
    found = parts(rf"([-+]?)([\d.,]+) ?({_UNIT})\.?[-\u2013]([\d.,]+) ?({_UNIT})\.?", text)
    sign, first, unit, second, other = found.groups()
    start = [*sign_words(sign), *amount_words(first)]
    end = [*amount_words(second), *UNITS[other][second != "1"].split()]
    whole = [*start, *UNITS[unit][first != "1"].split(), "to", *end]
    return [[*start, "to", *end], whole] if unit == other else [whole]


def _fraction_inches(text: str, around: Neighbours) -> list[Reading]:
    whole, _, part = text[:-1].rpartition(" ")
    words = numerals.mixed(text[:-1], around) if whole else numerals.fraction(part, around)
    if _closes_quotation(around):
        return words
    if whole:
        return [[*one, "inch" if is_attributive(around) else "inches"] for one in words]
    if part == "1/2":
        half = [["half", "inch"], ["half", "an", "inch"], ["one", "half", "inch"]]
        following = around.next_word()
        return half if following and following not in FUNCTION_WORDS else [half[1], half[0], half[2]]
    return [[*words[0], "inch"], [*words[0], "of", "an", "inch"]]


def _unit(text: str, around: Neighbours) -> list[Reading]:
    found = parts(rf"([-\u2013+\u00b1~]?)([\d.,]+)(?:[-\u2013]([\d.,]+))?[ -]?({_UNIT}|{_AMPERE})\.?", text)
    sign, first, second, unit = found.groups()
    if len(unit) == 1 and unit.isalpha() and text[-2].isdigit() and around.last_word() in _LABELLED:
        return [[*numbers.cardinal(integer(first)), *spelled(unit)]] if first.isdigit() else [spelled(text)]
    if unit == "pt" and (re.search(r"\dpt$", text) or _TYPE.search(around.before + around.after)):
        unit = "point"
    if unit == "W" and around.last_word() in _ROADS:
        return [[*numerals.amount_of_road(first), "west"]]
    one, many = {"point": ("point", "point")}.get(unit) or UNITS.get(unit, ("amp", "amps"))
    if unit == "m" and text.endswith("m") and text[-2].isdigit() and _counts_millions(first, around):
        return [[*amount_words(first), *(["to", *amount_words(second)] if second else []), "million"]]
    joined = re.search(r"\d-[A-Za-z]", text) is not None and re.match(r"\)?\s*[A-Za-z]", around.after) is not None
    packed = _PACKED.match(around.after) is not None
    attributive = unit not in ("%", "\u00b0") and (joined or packed or is_attributive(around))
    single = first in ("1", "-1") and not second
    words = [*sign_words(sign), *amount_words(first), *(["to", *amount_words(second)] if second else [])]
    return [[*words, *(one if single or attributive else many).split()]]


def _counts_millions(amount: str, around: Neighbours) -> bool:
    """Whether the letter m stands for a million: `1.5m people`, `2m Britons`."""
    following = around.next_word()
    if following.lower() in _COUNTED_IN_MILLIONS or _PEOPLED.search(around.before):
        return True
    return re.fullmatch(r"[A-Z][a-z]+(?:ans|ons|ese|ish|is)", following) is not None


def _duration(text: str, _: Neighbours) -> list[Reading]:
    """`2h 15m`, `3m20s`."""
    found = re.findall(r"(\d+) ?([hms])", text)
    named = [[*numbers.cardinal(int(value)), _CLOCK_UNITS[unit] + "s" * (value != "1")] for value, unit in found]
    plain = [word for words in named for word in words]
    return [plain, [*(word for words in named[:-1] for word in words), "and", *named[-1]]]


def _stones(text: str, _: Neighbours) -> list[Reading]:
    """`14 st. 6 lb.`, `11st 4`."""
    stones, pounds = re.findall(r"\d+", text)
    whole = [*numbers.cardinal(int(stones)), "stone", *numbers.cardinal(int(pounds))]
    return [[*whole, "pound" if pounds == "1" else "pounds"], whole]


def _stone_alone(text: str, around: Neighbours) -> list[Reading]:
    """`15 st`, which is no ordinal."""
    amount = text.removesuffix(".").removesuffix("st").strip()
    if numbers.ordinal_ending(int(amount)) == "st" and not re.search(r"\bweigh\w*\b[^.]{0,20}$", around.before):
        return [numbers.ordinal(int(amount))]
    return [[*numbers.cardinal(int(amount)), "stone"]]


def _feet_alone(text: str, around: Neighbours) -> list[Reading]:
    """`10' high`, `a 6' fence`."""
    amount = numbers.cardinal(integer(text[:-1]))
    if re.search(r"(?:^|[\s(])'\w[^']*$", around.before):  # the mark closes a quotation
        return [amount]
    return [[*amount, "foot" if text == "1'" or is_attributive(around) else "feet"]]


def _per_amount(text: str, around: Neighbours) -> list[Reading]:
    """`/100 km` after a unit."""
    amount, unit = parts(r"/(\d+) ?(.+)", text).groups()
    words = [*numbers.cardinal(int(amount)), *UNITS[unit][amount != "1"].split()]
    if not re.search(rf"\d ?(?:{_UNIT})$", around.before):  # `28 mpg city/36 mpg highway`
        return [words]
    found = [["per", *words]]
    return [*found, ["per", *words[1:]]] if words[:2] == ["one", "hundred"] else found


def _tablespoons(text: str, around: Neighbours) -> list[Reading]:
    amount = text[:-2].strip()
    words = numerals.mixed(amount, around)[0] if " " in amount else amount_words(amount)
    name = "tablespoon" if text[-2] == "T" else "teaspoon"
    return [[*words, name if amount == "1" else name + "s"]]


FORMS = {
    "duration": Form(
        r"(?<![\w.,])\d{1,3} ?h(?:rs?)? ?[0-5]?\d ?m(?:ins?)?(?: ?[0-5]?\d ?s(?:ecs?)?)?(?!\w)"
        r"|(?<![\w.,])[0-5]?\d ?m(?:ins?)? ?[0-5]?\d ?s(?:ecs?)?(?!\w)",
        _duration,
    ),
    "stones": Form(r"(?<![\w.,])\d{1,2} ?st\.? \d{1,2} ?lbs?(?!\w)(?:\.(?=\s+[a-z]|[,;:]))?", _stones),
    "stone_alone": Form(r"(?<![\w.,])\d{1,2} ?st(?!\w)(?:\.(?!\s+[A-Z]|$))?", _stone_alone),
    "feet_alone": Form(
        r"(?<![\w.,'])\d{1,4}'(?= (?:high|tall|long|wide|deep|thick|above|below|away|apart|across|by|from|of)\b)"
        r"|(?<![\w.,'])\d{1,3},\d{3}'(?=[\s.,;:)]|$)|(?<=\b[Aa] )\d{1,4}'(?= [a-z])|(?<=\b[Tt]he )\d{1,4}'(?= [a-z])",
        _feet_alone,
    ),
    "per_amount": Form(rf"(?<=[a-zA-Z\d])/\d{{1,6}} ?(?:{_UNIT})(?![\w/])", _per_amount),
    "tablespoons": Form(
        r"(?<![\w.,/-])\d{1,2}(?: \d/\d)? ?T\.(?= [a-z])|(?<![\w.,/-])[1-4](?: \d/\d)? ?t\.(?= (?!of\b)[a-z])",
        _tablespoons,
    ),
    "feet": Form(
        r"(?<![\w.,])\d{1,3}' ?\d{1,2}(?:\"|'')?(?!\w)",
        _feet,
    ),
    "feet_product": Form(r"(?<![\w.,])\d{1,4}'(?: ?[x\u00d7] ?\d{1,4}'){1,2}(?!\w)", _feet_product),
    "feet_inches": Form(
        r"(?<![\w.,])\d{1,3} ?(?:ft|feet|foot)\.? \d{1,2} ?in(?!\w)(?:\.(?!\s+[A-Z]|$))?", _feet_inches
    ),
    "inches": Form(
        r"(?<![\w.,])\d{1,4}(?:\.\d{1,4})?\"(?=\s+[a-z]|\s?[x\u00d7]|\s+(?:\d{3,4}p|\d{1,2}K|HD|O?LED|QLED|LCD|TV|IPS)\b)|(?<![\w.,])\d{1,3}\.\d{1,2}\"|(?<![\w.,-])\d{1,2}[-\u2013]\d{1,3}\"",
        _inches,
    ),
    "per": Form(rf"(?<=[\w%\u00a2\u00b0\u00d7])/(?:{_PER})(?!\w)", _per),
    "fraction_unit": Form(
        rf"(?<![\w.,/])(?:\d{{1,3}} )?\d{{1,2}}/\d{{1,2}} ?(?:{_UNIT})(?![\w\u00b2\u00b3/])"
        r"(?:(?<=[a-z])\.(?=\s+[a-z]|[,;:]))?",
        _fraction_unit,
    ),
    "heat": Form(
        r"(?<=\b(?:at|to|is|of) )\d{2,3} ?[CF](?![\w-]|/\d|\s+[A-Z])"
        r"|(?<![\w.,-])-?\d{2,3}(?:\.\d)?[CF](?![\w-]|/\d|\s+[A-Z])",
        _heat,
    ),
    "unit_range": Form(
        rf"(?<![\w.,])[-+]?{NUMBER}(?:\.\d{{1,9}})? ?(?:{_UNIT})\.?[-\u2013]{NUMBER}(?:\.\d{{1,9}})? ?(?:{_UNIT})"
        r"(?![\w\u00b2\u00b3/])(?:(?<=[a-z])\.(?=\s+[a-z]|[,;:]))?",
        _unit_range,
    ),
    "fraction_inches": Form(
        r"(?<![\w.,/])(?:\d{1,3} )?\d{1,2}/\d{1,2}\"(?=\s+[a-z]|\s?[x\u00d7]|[.,;:)]|$)", _fraction_inches
    ),
    "product_unit": Form(
        rf"(?<![\w.,])(?:{NUMBER}(?:\.\d{{1,9}})?(?: ?(?:{_UNIT}))? ?[x\u00d7] ?){{1,2}}{NUMBER}(?:\.\d{{1,9}})?[ -]?"
        rf"(?:{_UNIT}|in(?=[.,;:?!)]|$))(?![\w\u00b2\u00b3/])(?:(?<=[a-z])\.(?=\s+[a-z]|[,;:]))?",
        _product_unit,
    ),
    "unit": Form(
        rf"(?<![\w.,])[-\u2013+\u00b1~]?(?:{NUMBER}(?:\.\d{{1,9}})?|\.\d{{1,9}})(?:[-\u2013](?:{NUMBER}(?:\.\d{{1,9}})?))?"
        rf"[ -]?(?:{_UNIT}|{_AMPERE})(?![\w\u00b2\u00b3]|(?<!\u00b0[CF])/(?!\d|(?:{_PER})(?!\w)))"
        r"(?!(?<=[NESW]) (?:[A-Z][a-z]|\d{1,3}(?:st|nd|rd|th))"
        rf"|(?<=[NESW])\. (?:\d{{1,3}}(?:st|nd|rd|th)\b|{_STREET}))"
        r"(?:(?<=[a-z])\.(?=\s+[a-z]|[,;:)]))?",
        _unit,
    ),
}
