"""Signs of special fields as words: stars of ratings, notes, paragraphs, Greek letters of formulas."""

from __future__ import annotations

import re

from voicemill.text.frontend.units import word_list

_GREEK = dict(
    zip(
        "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b6\u03b7\u03b8\u03b9\u03ba\u03bb\u03bc\u03bd\u03be\u03bf\u03c0\u03c1\u03c3\u03c4\u03c5\u03c6\u03c7\u03c8\u03c9",
        word_list(
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon "
            "phi chi psi omega"
        ),
        strict=True,
    )
)
_ANY_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_SYMBOL = "\u0391-\u03a9\u03b1-\u03c9"
_MATHS = r"[=<>+\u00d7\u00f7\u2260\u2264\u2265\u2248\u221d/^]"
_GREEK_SYMBOL = re.compile(
    rf"(?<![{_ANY_GREEK}])(?:"
    rf"(?<=[A-Za-z]-)[{_SYMBOL}](?![{_ANY_GREEK}\w])"  # TNF-alpha
    rf"|[{_SYMBOL}](?![{_ANY_GREEK}])(?=-?[A-Za-z0-9]|\s?{_MATHS}|,? (?:and|or) [{_SYMBOL}]\b"
    r"|\s(?:is|was|equals|particles?|rays?|decay|waves?|radiation|helix|chains?|cells?)\b)"
    rf"|(?:(?<={_MATHS})|(?<={_MATHS} )|(?<=[{_SYMBOL}] and )|(?<=[{_SYMBOL}] or ))[{_SYMBOL}](?![{_ANY_GREEK}\w])"
    r")"
)
"""A Greek letter that is no part of a Greek word and stands in a formula or a term: `\u03b1-helix`, `\u03bb = 5`."""
_UNIT_BEFORE = re.compile(r"\d ?[kM]?$")
_RATED_THING = r"(?= (?:hotels?|reviews?|ratings?|restaurants?|services?|resorts?|apps?|books?|stays?)\b)"
_STARS = re.compile(rf"(?<=\d)[ -]?[\u2605\u2b50]\ufe0f?(?:{_RATED_THING}|)")
_STAR_ROW = re.compile("(?:[\u2605\u2b50]\ufe0f?){2,10}(\u2606{0,9})|[\u2605\u2b50]\ufe0f?(\u2606{1,9})")
_NOTE = re.compile(r"(?<!\w)([A-G])([\u266d\u266f\u266e])")
_NOTES = {"\u266d": "-flat", "\u266f": "-sharp", "\u266e": "-natural"}
_OTHERS = {
    "\u2116": " No. ",
    "\u00b6\u00b6": " paragraphs ",
    "\u00b6": " paragraph ",
    "\u00a7\u00a7": " sections ",
    "\u2206": " delta ",
    "\u2234": " therefore ",
    "\u2235": " because ",
    "\u221d": " is proportional to ",
    "\u2208": " in ",
    "\u222a": " union ",
    "\u2229": " intersection ",
    "\u21d2": " implies ",
    "\u2191": " up ",
    "\u2193": " down ",
    "\u2261": " is equivalent to ",
    "\u2243": " \u2248 ",
    "\u2245": " \u2248 ",
    "\u223c": "~",
    "\u2220": " angle ",
    "\u22a5": " is perpendicular to ",
    "\u2225": " is parallel to ",
    "\u222b": " the integral of ",
    "\u221b": " the cube root of ",
    "\u2205": " the empty set ",
    "\u2200": " for all ",
    "\u2203": " there exists ",
}
_OTHER = re.compile("|".join(sorted(_OTHERS, key=len, reverse=True)))


def spell_out(text: str) -> str:
    """The text with these signs as English words; others stay."""
    if text.isascii():
        return text
    text = _STAR_ROW.sub(_star_row, _STARS.sub(_stars, text))
    text = _NOTE.sub(lambda match: match[1] + _NOTES[match[2]], text)
    text = _OTHER.sub(lambda match: _OTHERS[match[0]], text)
    return _GREEK_SYMBOL.sub(_greek, text)


def _stars(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 3) : match.start()]
    things = re.match(_RATED_THING, match.string[match.end() :]) is not None
    return " star" if things or re.search(r"(?<![\d.])1$", before) else " stars"


def _star_row(match: re.Match[str]) -> str:
    full = sum(character in "\u2605\u2b50" for character in match[0])
    empty = len(match[1] or match[2] or "")
    return f" {full} out of {full + empty} stars " if empty else f" {full} stars "


def _greek(match: re.Match[str]) -> str:
    letter = match[0]
    before = match.string[max(0, match.start() - 3) : match.start()]
    if letter in "\u03bc\u03a9" and _UNIT_BEFORE.search(before):
        return letter
    after = match.string[match.end() : match.end() + 1]
    name = _GREEK[letter.lower().replace("\u03c2", "\u03c3")]
    return (" " if before[-1:].isalnum() else "") + name + (" " if after.isalnum() else "")
