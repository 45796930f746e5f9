"""States of the USA after the name of a place, with the ZIP code."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.abbreviation_lists import DIRECTIONS
from voicemill.text.frontend.forms import Form, Neighbours, Reading, parts, spelled
from voicemill.text.frontend.names import GIVEN_NAMES
from voicemill.text.frontend.units import word_list

_CODES = dict(
    entry.split("=")
    for entry in word_list(
        "AL=alabama AK=alaska AZ=arizona AR=arkansas CA=california CO=colorado CT=connecticut DC=d-c DE=delaware "
        "FL=florida GA=georgia HI=hawaii ID=idaho IL=illinois IN=indiana IA=iowa KS=kansas KY=kentucky "
        "LA=louisiana ME=maine MD=maryland MA=massachusetts MI=michigan MN=minnesota MS=mississippi MO=missouri "
        "MT=montana NE=nebraska NV=nevada NH=new-hampshire NJ=new-jersey NM=new-mexico NY=new-york "
        "NC=north-carolina ND=north-dakota OH=ohio OK=oklahoma OR=oregon PA=pennsylvania RI=rhode-island "
        "SC=south-carolina SD=south-dakota TN=tennessee TX=texas UT=utah VT=vermont VA=virginia WA=washington "
        "WV=west-virginia WI=wisconsin WY=wyoming "
        "Ala=alabama Ariz=arizona Ark=arkansas Calif=california Colo=colorado Conn=connecticut Del=delaware "
        "Fla=florida Ga=georgia Ill=illinois Ind=indiana Kan=kansas Ky=kentucky La=louisiana Mass=massachusetts "
        "Md=maryland Mich=michigan Minn=minnesota Miss=mississippi Mo=missouri Mont=montana Neb=nebraska Nev=nevada "
        "Okla=oklahoma Ore=oregon Pa=pennsylvania Penn=pennsylvania Tenn=tennessee Tex=texas Va=virginia Vt=vermont "
        "Wash=washington Wis=wisconsin Wyo=wyoming"
    )
)
_POSTAL = "|".join(code for code in _CODES if code.isupper())
_DOTTED = "|".join(code for code in _CODES if not code.isupper())
_ZIP = r"(?: \d{5}(?:-\d{4})?(?![\w-]))?"
_PLACE_BEFORE = re.compile(r"\b([A-Z][a-z]+)\.?, $")
_GRADUATE = re.compile(
    rf"(?:\b(?:Dr|Prof)\b\.?|(?<![\w.])[A-DF-MO-RT-VX-Z]\.|\b(?:{'|'.join(sorted(map(str.capitalize, GIVEN_NAMES)))}))"
    r" [A-Z][^,.?!]{0,24}, $"
)
"""A person before a degree: `Dr. Ruiz, MD`."""
_NO_PLACES = frozenset(word_list("yes no well so sure right now then but and hey oh fine good please thanks"))


def _state(text: str, around: Neighbours) -> list[Reading]:
    found = parts(r"([A-Za-z]+)\.?(?: ([\d-]+))?", text)
    code, digits = found[1], numbers.digits(found[2] or "")
    place = _PLACE_BEFORE.search(around.before)
    name, letters = [*_CODES[code].split("-"), *digits], [*spelled(code), *digits]
    if code in ("MD", "DO", "MA", "PA") and _GRADUATE.search(around.before):
        return [letters, name]
    if place is None or place[1].lower() in _NO_PLACES:
        ordinary = code in ("OR", "IN", "ME", "HI", "OH") and not digits
        return [[code.lower()] if ordinary else ["okay"] if code == "OK" else letters, name]
    return [name, letters] if code.isupper() else [name]


def _party(text: str, _: Neighbours) -> list[Reading]:
    """`D-Mass.` after a legislator's name."""
    return [[*spelled(text[0]), *_CODES[text[2:].rstrip(".")].split("-")]]


def _dotted_state(text: str, _: Neighbours) -> list[Reading]:
    letters = text.replace(".", "").replace(" ", "")
    code = {"WVa": "WV"}.get(letters, letters)
    return [_CODES[code].split("-"), spelled(code)]


def _state_name(text: str, _: Neighbours) -> list[Reading]:
    return [_CODES[text.rstrip(".")].split("-")]


_INITIALS = "|".join(
    f"{code[0]}\\.{code[1]}" for code in _CODES if code.isupper() and "-" in _CODES[code] and code != "DC"
)
"""States of two words, `N.Y.`; others are written as one word."""
_NAMED = "Ariz|Calif|Colo|Conn|Fla|Mass|Mich|Minn|Mont|Neb|Nev|Okla|Penn|Tenn|Tex|Wash|Wis|Wyo"
"""States before a name without a comma, `the 54th Mass. Infantry`."""
_STARTERS = (
    "The|A|An|He|She|It|We|They|I|You|This|That|These|Those|There|Here|But|And|Or|So|If|When|Then|Now|Later|After|"
    "Before|Once|While|As|In|On|At|By|For|From|With|To|My|Our|Your|His|Her|Its|Their|What|Who|Why|How|Where"
)

FORMS = {
    "bearing": Form(r"(?<=\d\u00b0)[NSEW](?!\w)", lambda text, _: [[DIRECTIONS[text]]]),
    "party": Form(rf"(?<=\()[DRI]-(?:(?:{_DOTTED})\.|(?:{_POSTAL}))(?=\))", _party),
    "state_dotted": Form(rf"(?<=[a-z.], )(?:{_INITIALS}|W\. ?Va)\.(?![A-Z]\.)", _dotted_state),
    "state_name": Form(
        rf"(?<=[a-z\d] )(?:{_NAMED})\.(?= (?:state|law|statutes?)\b| (?!(?:{_STARTERS})\b)[A-Z][a-z])", _state_name
    ),
    "state": Form(rf"(?<=[a-z.], )(?:(?:{_POSTAL})(?!\w)|(?:{_DOTTED})\.){_ZIP}", _state),
}
