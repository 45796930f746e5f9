"""States of the USA after the name of a place, with the ZIP code."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import Form, Neighbours, Reading, parts, spelled
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
_NO_PLACES = frozenset(word_list("yes no well so sure right now then but and hey oh fine good please thanks"))


def _state(text: str, around: Neighbours) -> list[Reading]:
    found = parts(r"([A-Za-z]+)\.?(?: ([\d-]+))?", text)
    code, digits = found[1], numbers.digits(found[2] or "")
    place = _PLACE_BEFORE.search(around.before)
    name, letters = [*_CODES[code].split("-"), *digits], [*spelled(code), *digits]
    if place is None or place[1].lower() in _NO_PLACES:
        ordinary = code in ("OR", "IN", "ME", "HI", "OH") and not digits
        return [[code.lower()] if ordinary else ["okay"] if code == "OK" else letters, name]
    return [name, letters] if code.isupper() else [name]


FORMS = {"state": Form(rf"(?<=[a-z.], )(?:(?:{_POSTAL})(?!\w)|(?:{_DOTTED})\.){_ZIP}", _state)}
