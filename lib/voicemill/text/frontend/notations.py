"""Notations of special fields: sizes of clothes, benefit plans, calibers, hours of American television."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import Form, Neighbours, Reading, spelled

_SIZE = r"(?:X{0,3}[SL]|[2-6]X[SL]|M)"
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
        r"(?<=\b[Tt]he )\d{0,2}[23]d(?= of\b| [A-Z][a-z]+(?:ry|nt|on)\b|\.?$|\.\s+[A-Z]|[,;])", _old_ordinal
    ),
    "caliber": Form(rf"(?<![\w.])\.\d{{2,3}}(?=[ -]{_GUN})", _caliber),
    "broadcast": Form(r"(?<![\w.,/])(?:12/11|11/10|10/9|9/8|8/7|7/6)(?:c| Central)(?!\w)", _broadcast),
}
