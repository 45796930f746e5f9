"""Notations of special fields: sizes of clothes, benefit plans, calibers, hours of American television."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers, numerals
from voicemill.text.frontend.forms import Form, Neighbours, Reading, amount_words, parts, spelled
from voicemill.text.frontend.word_classes import is_plural

_SIZE = r"(?:X{0,3}[SL]|[2-6]X[SL]|M)"
_MIXED = r"(?:\d{1,3} )?\d{1,2}/\d{1,2}"
_SIDE = r"(?:\d{1,3}(?: \d{1,2}/\d{1,2}|\.\d{1,2}|/\d{1,2})?)"
_GUN = "(?:caliber|calibre|cal\\b|[Mm]agnum|pistol|revolver|rifle|handgun|gun|rounds?|bullets?|Special|ACP|Winchester)"


def _size_range(text: str, _: Neighbours) -> list[Reading]:
    """`S-XL`."""
    first, second = (spelled(part) for part in re.split(r"[-\u2013]", text))
    return [[*first, "to", *second], [*first, "through", *second]]


def _old_ordinal(text: str, _: Neighbours) -> list[Reading]:
    """`the 3d of May`, `the 2d Cavalry`."""
    return [numbers.ordinal(int(text[:-1]))]


def _caliber(text: str, _: Neighbours) -> list[Reading]:
    """`.22 caliber`, `.357 Magnum`."""
    return [numbers.pairs(text[1:]) if len(text) == 4 else numbers.cardinal(int(text[1:]))]


def _mixed_range(text: str, around: Neighbours) -> list[Reading]:
    """`1-1 1/2` hours, `1/4-1/2` inch."""
    sides = re.split(r" ?[-\u2013] ?", text)
    first, second = (_amount(side, around) for side in sides)
    return [[*first, join, *second] for join in ("to", "or", "through")]


def _amount(text: str, around: Neighbours) -> Reading:
    if "/" not in text:
        return amount_words(text)
    if " " in text:
        return numerals.mixed(text, around)[0]
    numerator, denominator = map(int, text.split("/"))
    return numbers.fraction(numerator, denominator) if denominator else [*numbers.cardinal(numerator), "over", "zero"]


def _letter_decimal(text: str, _: Neighbours) -> list[Reading]:
    """`M6.4`, `USB3.0`, `GPT-4.5`."""
    found = parts(r"([A-Za-z]+)-?([\d.]+)", text)
    spoken = len(found[1]) > 2 and not found[1].isupper() and re.search("[aeiouy]", found[1])
    name = [found[1].lower()] if spoken else spelled(found[1])
    if found[2].count(".") == 1:
        return [[*name, *amount_words(found[2])]]
    counted = [word for part in found[2].split(".") for word in ("point", *numbers.cardinal(int(part)))]
    return [[*name, *counted[1:]]]


def _aperture(text: str, _: Neighbours) -> list[Reading]:
    """`f/2.8`."""
    return [["f", *amount_words(text[2:])]]


def _episode(text: str, _: Neighbours) -> list[Reading]:
    """`S2E5`."""
    season, episode = (numbers.cardinal(int(value)) for value in re.findall(r"\d+", text))
    return [["season", *season, "episode", *episode], ["s", *season, "e", *episode]]


def _plural_product(text: str, _: Neighbours) -> list[Reading]:
    """`2x4s`."""
    first, second = (numbers.cardinal(int(value)) for value in re.findall(r"\d+", text))
    return [[*first, "by", *numbers.plural(second)]]


def _airliners(text: str, _: Neighbours) -> list[Reading]:
    """`747s`."""
    return [numbers.plural(numbers.pairs(text[:-1]))]


def _millions(text: str, around: Neighbours) -> list[Reading]:
    """`1M downloads`, `8B people`."""
    amount = amount_words(text[:-1])
    scaled = [*amount, {"M": "million", "B": "billion"}[text[-1]]]
    lettered = [*amount, text[-1].lower()]
    return [scaled, lettered] if is_plural(around.next_word()) and text != "3M" else [lettered, scaled]


def _age_group(text: str, _: Neighbours) -> list[Reading]:
    """`under-16s`."""
    return [numbers.plural(numbers.cardinal(int(text[:-1])))]


def _plan(text: str, _: Neighbours) -> list[Reading]:
    """`401(k)`, `501(c)(3)`, `401k`."""
    number, *others = re.findall(r"\d+|[A-Za-z]", text)
    named = [word for other in others for word in spelled(other)]
    return [[*numbers.pairs(number), *named], [*numbers.digits(number), *named]]


def _broadcast(text: str, _: Neighbours) -> list[Reading]:
    """`8/7c`: eight o'clock in the east, seven in the middle of North America."""
    first, second = re.findall(r"\d+", text)
    return [[*numbers.cardinal(int(first)), *numbers.cardinal(int(second)), "central"]]


FORMS = {
    "plan": Form(r"(?<![\w.,$])(?:\d{3}\([a-z]\)(?:\(\d{1,2}\))?|40[13][kb])(?![\w(])", _plan),
    "size_range": Form(
        rf"(?<![\w-])(?=[\dA-Z\u2013-]{{0,8}}X[SL]){_SIZE}[-\u2013]{_SIZE}(?![\w-])",
        _size_range,
    ),
    "old_ordinal": Form(
        r"(?<=\b[Tt]he )\d{0,2}[23]d(?= (?:of|inst|ult|prox)\b| [A-Z][a-z]+(?:ry|nt|on)\b|\.?$|\.\s+[A-Z]|[,;])"
        r"|(?<![\w.,-])\d{0,2}[23]d(?= (?:Cir|Dist|Cav|Inf|Regt|Div)\b)",
        _old_ordinal,
    ),
    "mixed_range": Form(
        rf"(?<![\w.,/-]){_MIXED} ?[-\u2013] ?{_SIDE}(?![\w/])|(?<![\w.,/-]){_SIDE}[-\u2013]{_MIXED}(?![\w/])",
        _mixed_range,
    ),
    "letter_decimal": Form(r"(?<![\w.-])[A-Za-z]{1,12}-?\d{1,3}(?:\.\d{1,4}){1,4}(?![\w-]|\.\w)", _letter_decimal),
    "aperture": Form(r"(?<!\w)f/\d{1,2}(?:\.\d)?(?![\w/])", _aperture),
    "episode": Form(r"(?<!\w)[Ss]\d{1,2}[Ee]\d{1,3}(?!\w)", _episode),
    "plural_product": Form(r"(?<![\w.,])\d{1,2}[x\u00d7]\d{1,2}s(?!\w)", _plural_product),
    "airliners": Form(r"(?<![\w.,])7[0-8]7s(?!\w)", _airliners),
    "millions": Form(r"(?<![\w.,-])\d{1,3}(?:\.\d{1,2})?[MB](?= [a-z]+s\b)", _millions),
    "age_group": Form(r"(?:(?<=[Uu]nder-)|(?<=[Oo]ver-))\d{1,3}s(?!\w)", _age_group),
    "caliber": Form(rf"(?<![\w.])\.\d{{2,3}}(?=[ -]{_GUN})", _caliber),
    "broadcast": Form(r"(?<![\w.,/])(?:12/11|11/10|10/9|9/8|8/7|7/6)(?:c| Central)(?!\w)", _broadcast),
}
