"""Plain numbers: fractions, ordinals, ratios, ranges, scores, codes, years without a date."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.abbreviation_lists import STREETS
from voicemill.text.frontend.capitals import is_word
from voicemill.text.frontend.forms import (
    FUNCTION_WORDS,
    MAGNITUDE,
    NUMBER,
    Form,
    Neighbours,
    Reading,
    amount_words,
    integer,
    parts,
    sign_words,
    spelled,
)
from voicemill.text.frontend.units import MAGNITUDES, MONTHS, word_list
from voicemill.text.frontend.word_classes import is_plural

_YEAR_CUES = frozenset(
    word_list(
        "in by since until till from before after year years of during around circa early late mid spring summer "
        "autumn fall winter copyright between and to about than"
    )
    + MONTHS
)
CODE_CUES = frozenset(
    word_list(
        "room flight route highway channel bus apartment apt suite gate extension interstate hwy area unit line "
        "boeing airbus porsche peugeot ferrari bmw audi mazda fiat volvo cessna learjet lockheed fokker embraer piper "
        "gulfstream honda yamaha suzuki kawasaki ducati chrysler pontiac intel nokia boxer studio area psalm sonnet "
        "error http status form proposition lot locker box model fahrenheit levi levis"
    )
)
_DIGIT_CUES = frozenset(word_list("dial call ring text sms code passcode password pin zip extension ext"))
"""Before a number that is read digit by digit."""
_DIGIT_PHRASE = re.compile(
    r"(?:\b(?:pin|code|passcode|password|extension|ext|zip|postcode|id)(?:\s(?:number|code|no))?"
    r"|\b(?:account|card|reference|confirmation|tracking|booking|serial|policy|member|membership|routing|customer|"
    r"order|ticket|case|invoice|claim|registration|part|licen[sc]e)\s(?:number|code|no|id)"
    r"|\b(?:account|card|phone)\b[^.?!]{0,16}\b(?:ending|ends)\s(?:in|with))"
    r"\.?\s?(?:(?:is|was|now|:|=|of)\s?){0,3}$",
    re.IGNORECASE,
)
"""Before a number of three digits or more that is read digit by digit."""
_TEXTED = re.compile(r"\b(?:text(?:ed|ing)?|sms|txt|message|send|sent)\b[^.?!]{1,30}\bto\s$", re.IGNORECASE)
"""Before the short number that a message goes to."""
_ADDRESSED = re.compile(
    r"\b(?:st|ave|rd|blvd|suite|apt|box|street|avenue|road|drive|dr|lane|ln|court|ct|place|pl|way|square|sq|nyc)\b"
    r"[^?!;]{0,30} ?(?:[A-Za-z]{2,15}),?\s$",
    re.IGNORECASE,
)
"""An address before its ZIP code."""
_BATTED = re.compile(
    r"\b(?:hit|hits|hitting|bat|bats|batted|batting|average|averages|averaged|slugging)\b[^.?!]{0,16}$"
)
"""Before a share of hits in baseball: `hit .350`."""
_BEGUN = frozenset(word_list("was is has had saw brought marked will would became began proved ended gave"))
"""Verbs after a year that is their subject."""
_FAILURE = re.compile(r"\s(?:errors?\b|Not Found|not found|page\b|status\b)")
"""After the number of a web server's answer: `a 404 page`."""
_EMERGENCY = re.compile(r"\b(?:dial|call|ring|phone|text)\s+(?:\d{3},?\s+){1,3}(?:or|and)\s+$", re.I)
_STREET = re.compile(
    rf" (?:[NSEW]\.? |[NS][EW] )?(?:[A-Z][a-z]+ |\d+(?:st|nd|rd|th) ){{1,3}}(?:{'|'.join(sorted(STREETS))})\b",
    re.IGNORECASE,
)
_RATED = re.compile(r"\b(?:rate[ds]?|rating|score[ds]?|gave|gives|got)\b[^.]{0,24}$", re.I)
_EQUATION = re.compile(
    r"^\s*(?:[=<>+*/\u00d7\u00f7\u2260\u2264\u2265]\s*[\w(]|minus\b|(?:is|equals|makes|gives)\s+(?:not\s+)?\d)"
)
_ASKED = re.compile(r"(?:[=+\u00d7\u00f7<>]|\b(?:what(?:'s| is)|solve|compute|calculate|work out))\s*$", re.IGNORECASE)


def _slang(text: str, _: Neighbours) -> list[Reading]:
    first, second = text.split("/")
    return [[*numbers.cardinal(int(first)), *numbers.cardinal(int(second))]]


def mixed(text: str, around: Neighbours) -> list[Reading]:
    """`2 1/2`."""
    whole, _, part = text.partition(" ")
    numerator, denominator = (int(value) for value in part.split("/"))
    if denominator == 0:
        return [[*numbers.cardinal(int(whole)), *numbers.cardinal(numerator), "over", "zero"]]
    words = numbers.fraction(numerator, denominator)
    joined = ["a", *words[1:]] if numerator == 1 else words
    return [[*numbers.cardinal(int(whole)), "and", *joined], [*numbers.cardinal(int(whole)), "and", *words]]


def fraction(text: str, around: Neighbours) -> list[Reading]:
    """`3/4`."""
    numerator, denominator = (int(value) for value in text.split("/"))
    over = [*numbers.cardinal(numerator), "over", *numbers.cardinal(denominator)]
    if re.search(r"\bodds\b[^.]{0,20}$", around.before):
        return [[*numbers.cardinal(numerator), "to", *numbers.cardinal(denominator)], over]
    if numerator > 31 and 1 <= denominator < 10:  # runs for wickets
        return [[*numbers.cardinal(numerator), "for", *numbers.cardinal(denominator)], over]
    if denominator in (0, 1) or denominator > 100 or numerator > denominator * (3 if denominator < 20 else 1):
        return [over]
    words = numbers.fraction(numerator, denominator)
    if numerator == denominator and around.next_word() in ("vision", "hindsight", "eyesight"):
        return [[*numbers.cardinal(numerator), *numbers.cardinal(denominator)], over]
    if numerator == denominator:
        return [[*numbers.cardinal(numerator), "out", "of", *numbers.cardinal(denominator)], over]
    if denominator in (5, 10, 20, 100) and (
        (around.before.endswith("(") and around.after.startswith(")"))
        or _RATED.search(around.before)
        or around.next_word() in ("rating", "score", "stars")
    ):
        return [[*numbers.cardinal(numerator), "out", "of", *numbers.cardinal(denominator)], words]
    found = [words, over]
    if (numerator, denominator) == (1, 2):
        article = "an" if around.next_word()[:1] in tuple("aeiou") or around.next_word() == "hour" else "a"
        found.insert(0 if around.last_word() not in ("a", "one") else 1, ["half", article])
        following = around.next_word()
        if not following or following in FUNCTION_WORDS:
            found.insert(0, ["half"] if following == "of" else ["one", "half"])
    elif numerator == 1:
        found.insert(1, ["a", *words[1:]])
    return found


def _marked_out_of(text: str, _: Neighbours) -> list[Reading]:
    """`9.75/10`."""
    first, second = map(amount_words, text.split("/"))
    return [[*first, "out", "of", *second], [*first, "over", *second]]


def _ordinal(text: str, _: Neighbours) -> list[Reading]:
    return [numbers.ordinal(integer(re.sub(r"[A-Za-z]", "", text)))]


def _version(text: str, _: Neighbours) -> list[Reading]:
    pieces = text.lstrip("vV").split(".")
    named = [numbers.cardinal(int(piece)) if len(piece) <= 2 else numbers.digits(piece) for piece in pieces]
    point = [*(["version"] if text[0] in "vV" else []), *[word for part in named for word in ("point", *part)][1:]]
    found = [point, ["dot" if word == "point" else word for word in point]]
    return found[::-1] if len(pieces) == 4 else found


def _major_version(text: str, _: Neighbours) -> list[Reading]:
    """`v18`."""
    number = numbers.cardinal(int(text[1:]))
    return [["version", *number], ["v", *number]]


def _product(text: str, around: Neighbours) -> list[Reading]:
    parts = [numbers.cardinal(integer(part)) for part in re.split(r" ?[x\u00d7] ?", text)]
    by = [word for part in parts for word in ("by", *part)][1:]
    found = [by, ["times" if word == "by" else word for word in by]]
    return found[::-1] if in_equation(around) or around.after.startswith("^") else found


def in_equation(around: Neighbours) -> bool:
    """Whether a sign of arithmetic is next to the numbers."""
    return _ASKED.search(around.before) is not None or _EQUATION.match(around.after) is not None


def _division(text: str, _: Neighbours) -> list[Reading]:
    first, second = text.split(" / ")
    return [
        [*amount_words(first), "divided", "by", *amount_words(second)],
        [*amount_words(first), "over", *amount_words(second)],
    ]


def _square(text: str, _: Neighbours) -> list[Reading]:
    return [["squared" if text == "\u00b2" else "cubed"]]


def _roman_ordinal(text: str, _: Neighbours) -> list[Reading]:
    """`XIXth`; letters with another ending are a word."""
    value = numbers.roman(text[:-2])
    right = value is not None and numbers.ordinal_ending(value) == text[-2:]
    return [numbers.ordinal(value) if value is not None and right else [text.lower()]]


def _minus(_: str, __: Neighbours) -> list[Reading]:
    """Between terms of an equation: `3x - 5 = 10`."""
    return [["minus"]]


_ENDINGS = frozenset(word_list("ish way ply day man odd bit pin cup can set lap gig bed pax fold"))
"""Words of three letters after a number that are no initialism: `7ish`."""


_SYLLABLE = re.compile(r"[A-Zbcdfghjklmnprstvwyz][aeiou][bcdfgklmnprstvxz]")
"""Three letters that are a word or a part of one: `Win95`, `cat6`."""


def _code(text: str, around: Neighbours) -> list[Reading]:
    words: Reading = []
    for chunk in re.findall(r"[A-Za-z]+|\d+", text):
        if chunk == "s" and text.endswith("s") and words and text[0].isupper():
            words = numbers.plural(words)
        elif chunk.isalpha():
            hyphened = len(chunk) > 1 and chunk.islower() and "-" + chunk in text
            speakable = (
                chunk in _ENDINGS
                or _SYLLABLE.fullmatch(chunk)
                or is_word(chunk.lower())
                or ((len(chunk) > 3 or hyphened) and re.search("[aeiouAEIOU]", chunk))
            )
            words += [chunk.lower()] if speakable else spelled(chunk)
        elif len(chunk) == 4 and text[0].isupper() and 1900 <= int(chunk) <= 2100 and "-" not in text:
            words += numbers.year(int(chunk))
        elif len(chunk) == 3 and text[0].isdigit():
            words += numbers.pairs(chunk)
        elif len(chunk) <= 2 and chunk[0] != "0":
            words += numbers.cardinal(int(chunk))
        else:
            words += numbers.digits(chunk)
    hyphened_number = re.fullmatch(r"[A-Za-z]+-([1-9]\d\d)", text)
    if hyphened_number and hyphened_number[1][1:] != "00":
        name = words[:-3]
        return [[*name, *numbers.pairs(hyphened_number[1])], words, [*name, *numbers.cardinal(int(hyphened_number[1]))]]
    return [words]


def _number(text: str, around: Neighbours) -> list[Reading]:
    found = parts(rf"([-\u2013+\u00b1~]?)([\d.,]+?)(?: ?({MAGNITUDE}))?", text)
    sign, amount, magnitude = found.groups()
    prefix = sign_words(sign)
    if magnitude:
        scaled = MAGNITUDES[magnitude] if len(magnitude) > 1 else magnitude.lower()
        return [[*prefix, *amount_words(amount), scaled]]
    whole = amount_words(amount)
    if re.fullmatch(r"\.\d{3}", amount) and not sign and _BATTED.search(around.before):
        return [numbers.pairs(amount[1:]), whole]
    if sign or "," in amount or "." in amount or len(amount) == 1:
        return [[*prefix, *whole]]
    if len(amount) == 4 and around.next_word() in ("hours", "hrs") and int(amount[:2]) < 25:
        end = ["hundred"] if amount[2:] == "00" else numbers.cardinal(int(amount[2:]))
        return [[*(["zero"] if amount[0] == "0" else []), *numbers.cardinal(int(amount[:2])), *end], whole]
    if 3 <= len(amount) <= 4 and around.next_word() in ("AM", "FM"):  # a radio station
        return [numbers.pairs(amount), whole]
    if len(amount) == 4 and _STREET.match(around.after):
        hundreds = [*numbers.cardinal(int(amount[:2])), "hundred"]
        return [hundreds if amount[2:] == "00" and amount[1] != "0" else numbers.pairs(amount), whole]
    spelled_out = numbers.digits(amount)
    last = around.last_word()
    if amount[0] == "0" or len(amount) > 15:
        return [spelled_out, ["oh" if word == "zero" else word for word in spelled_out], whole]
    called = len(amount) > 2 and not _counts(around) and (last in _DIGIT_CUES or _DIGIT_PHRASE.search(around.before))
    if called or (len(amount) == 3 and _EMERGENCY.search(around.before)):
        return [spelled_out, whole, numbers.pairs(amount)] if len(amount) < 5 else [spelled_out, whole]
    if len(amount) in (5, 6) and _TEXTED.search(around.before):
        return [spelled_out, whole]
    if len(amount) == 5 and not around.next_word()[:1].islower() and _ADDRESSED.search(around.before):
        return [spelled_out, whole]
    failed = len(amount) == 3 and amount[0] in "45" and _FAILURE.match(around.after)
    if failed or (3 <= len(amount) <= 4 and (last.removesuffix("s") in CODE_CUES or _is_next_code(around))):
        return [numbers.pairs(amount), whole, spelled_out]
    if len(amount) == 4 and _is_year(int(amount), around, last):
        return [numbers.year(int(amount)), whole, spelled_out]
    if len(amount) == 4:
        return [whole, numbers.pairs(amount), spelled_out]
    return [whole, spelled_out] if len(amount) < 3 else [whole, spelled_out, numbers.pairs(amount)]


def amount_of_road(text: str) -> Reading:
    """The number of a road, such as `101` or `66`."""
    return numbers.pairs(text) if 3 <= len(text) <= 4 and text.isdigit() else amount_words(text)


def _counts(around: Neighbours) -> bool:
    """Whether the number counts what follows: `call 100 people`."""
    following = around.next_word()
    return following[:1].islower() and is_plural(following)


def _is_next_code(around: Neighbours) -> bool:
    """Whether a number continues others that name rooms, flights and the like: `rooms 101 and 102`."""
    found = re.search(r"(\w+) (?:\d{3,4}, ){0,3}\d{3,4},? (?:and|or|to) $", around.before)
    return found is not None and found[1].lower().removesuffix("s") in CODE_CUES


def _is_year(value: int, around: Neighbours, last: str) -> bool:
    if not 1000 <= value <= 2100:
        return False
    if re.search(r"\b(?:A\.? ?D|B\.? ?C(?:\.? ?E)?)\.?\s*$", around.before):
        return True
    if last in _YEAR_CUES or re.search(r"\b(?:pre|post|mid)-$", around.before, re.IGNORECASE):
        return True
    following = around.next_word()
    in_series = re.search(r"\b(?:1\d|20)\d\d, (?:and |or )?$", around.before) is not None
    counted = following.endswith("s") and following[:1].islower() and following not in ("was", "is", "has")
    if 1010 <= value < 1100 and value % 10 and last in ("the", "a") and following[:1].islower() and not counted:
        return True
    subject = following in _BEGUN or (value >= 1900 and not following)
    return value >= 1100 and not counted and (bool(last) or subject or in_series)


def _hexadecimal(text: str, _: Neighbours) -> list[Reading]:
    return [["zero", "x", *spelled(text[2:])]]


def _scientific(text: str, _: Neighbours) -> list[Reading]:
    """`3e-4`, `1.5E6`."""
    amount, exponent = re.split("[eE]", text)
    power = [*(["minus"] if "-" in exponent else []), *numbers.cardinal(int(exponent.lstrip("+-")))]
    return [[*amount_words(amount), "e", *power], [*amount_words(amount), "times", "ten", "to", "the", *power]]


def _times(text: str, _: Neighbours) -> list[Reading]:
    """`2x faster`."""
    amount = amount_words(text[:-1])
    return [[*amount, "times"], [*amount, "x"]]


def _long_digits(text: str, _: Neighbours) -> list[Reading]:
    return [numbers.digits(text)]


FORMS = {
    "book": Form(
        r"(?<![\w.,:-])[123](?= (?:Sam|Kgs|Chr|Chron|Cor|Thess|Tim|Pet|Jn)\. \d)",
        lambda text, _: [numbers.ordinal(int(text))],
    ),
    "long_digits": Form(r"(?<!\w)\d{61,}", _long_digits),
    "hexadecimal": Form(r"(?<!\w)0x[\dA-Fa-f]{1,32}(?!\w)", _hexadecimal),
    "scientific": Form(r"(?<![\w.,])\d{1,9}(?:\.\d{1,9})?[eE][+-]?\d{1,3}(?![\w.,]\d)(?!\w)", _scientific),
    "times": Form(rf"(?<![\w.,]){NUMBER}(?:\.\d{{1,9}})?x(?= [a-z])", _times),
    "slang": Form(r"(?<![\d/.])(?:9/11|24/7|50/50)(?![\d/])", _slang),
    "mixed": Form(r"(?<![\w.,/])\d{1,4} \d{1,2}/\d{1,3}(?![\w/])", mixed),
    "fraction": Form(r"(?<![\w.,/])\d{1,4}/\d{1,4}(?![\w/])", fraction),
    "marked_out_of": Form(r"(?<![\w.,/])\d{1,3}\.\d{1,2}/\d{1,3}(?![\w/])", _marked_out_of),
    "ordinal": Form(r"(?<![\w.,])\d{1,3}(?:,?\d{3}){0,3}(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)", _ordinal),
    "version": Form(r"(?<![\w.])(?:\d{1,5}(?:\.\d{1,5}){2,6}|[vV]\d{1,5}(?:\.\d{1,5}){1,6})(?![\w]|\.\d)", _version),
    "major_version": Form(r"(?<![\w.-])v\d{1,3}(?![\w.-]|\+\d)", _major_version),
    "product": Form(rf"(?<![\w.,]){NUMBER} ?[x\u00d7] ?{NUMBER}(?: ?[x\u00d7] ?{NUMBER})?(?![\w.,]\d)", _product),
    "division": Form(rf"(?<![\w.,/]){NUMBER} / {NUMBER}(?![\w/]|[.,]\d)", _division),
    "square": Form(r"[\u00b2\u00b3]", _square),
    "minus": Form(
        r"(?:(?<=[ (\d][a-z])|(?<=^[a-z])|(?<=[)\u00b2\u00b3])|(?<=\^\d)) [-\u2013] "
        r"(?=\d{0,9}[a-z]?(?!\w)(?:[^.!?]{0,24}[=<>\u2264\u2265]|\)))",
        _minus,
    ),
    "roman_ordinal": Form(r"(?<![\w-])[IVXLC]{1,8}(?:st|nd|rd|th)(?!\w)", _roman_ordinal),
    "code": Form(
        r"(?<![\w.,-])(?!(?i:mid|pre|post|non|anti|early|late|over|under|sub|ex|all|top)-\d)(?:[A-Za-z]{1,12}-?\d{1,6}[A-Za-z]{0,3}|\d{1,6}-?[A-Za-z]{1,12}\d{0,4})(?![\w])",
        _code,
    ),
    "mixed_code": Form(r"(?<![A-Za-z\d])(?=[A-Za-z]{1,20}\d|\d{1,20}[A-Za-z])[A-Za-z\d]{2,}(?![A-Za-z\d])", _code),
    "number": Form(
        rf"(?<![\w])[-\u2013+\u00b1~]?(?:{NUMBER}(?:\.\d{{1,60}})?|(?<![\d.])\.\d{{1,60}})(?: ?(?:{MAGNITUDE})(?!\w))?",
        _number,
    ),
}
