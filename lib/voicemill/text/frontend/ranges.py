"""Two numbers or letters with a hyphen or a colon: ranges, scores, ratios, verses, dockets."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.abbreviation_lists import BIBLE
from voicemill.text.frontend.forms import NUMBER, Form, Neighbours, Reading, amount_words, spelled
from voicemill.text.frontend.numerals import CODE_CUES, in_equation
from voicemill.text.frontend.units import word_list
from voicemill.text.frontend.word_classes import is_finite, is_plural

_SCORE_CUES = re.compile(
    r"\b(?:won|win|lost|lose|beat|score|scored|ended|finished|lead|leads|led|drew|tied|trail\w*)\b", re.I
)
_SCRIPTURES = frozenset((*BIBLE, *BIBLE.values())) | frozenset(
    word_list(
        "acts amos esther ezra habakkuk haggai job joel jonah jude koran nahum obadiah philemon psalms quran "
        "ruth sirach solomon songs sura surah titus tobit zephaniah"
    )
)
"""Books whose chapters and verses a colon parts."""


def _ratio(text: str, around: Neighbours) -> list[Reading]:
    first, second = text.split(":")
    if around.last_word() in _SCRIPTURES:
        chapter, verse = numbers.cardinal(int(first)), numbers.cardinal(int(second))
        return [[*chapter, *verse], ["chapter", *chapter, "verse", *verse], [*chapter, "verse", *verse]]
    found = [[*numbers.cardinal(int(first)), join, *numbers.cardinal(int(second))] for join in ("to", "by")]
    return found[::-1] if text in ("16:9", "4:3", "21:9") else found


def _verses(text: str, _: Neighbours) -> list[Reading]:
    """`23:1-4`."""
    chapter, first, last = (numbers.cardinal(int(part)) for part in re.split("[:\\-\u2013]", text))
    return [
        [*chapter, *first, "to", *last],
        [*chapter, *first, "through", *last],
        [*chapter, "verses", *first, "to", *last],
    ]


def _roman_range(text: str, _: Neighbours) -> list[Reading]:
    first, second = (numbers.roman(part) for part in re.split(r"[-\u2013]", text))
    if first is None or second is None or first >= second:
        return [[word for part in re.split(r"[-\u2013]", text) for word in spelled(part)]]
    joined = [*numbers.cardinal(first), "to", *numbers.cardinal(second)]
    return [joined, ["through" if word == "to" else word for word in joined]]


def _letter_range(text: str, around: Neighbours) -> list[Reading]:
    """`rows A-F`, `A\u2013F`; other letters with a hyphen are spelled."""
    first, second = spelled(text)
    found = [[first, "to", second], [first, "through", second]]
    ranged = text[1] != "-" or is_plural(around.last_word())
    return [*found, [first, second]] if ranged and text[0] < text[2] else [[first, second], *found]


def _range(text: str, around: Neighbours) -> list[Reading]:
    first, second = re.split(r" ?[-\u2013] ?", text)
    if len(first) > 2 and first.isdigit() and first[0] == "0" and second.isdigit():  # a code, not two amounts
        return [[*numbers.digits(first), *numbers.digits(second)]]
    if _is_docket(first, second) and not is_plural(around.next_word()):
        docket = [*numbers.cardinal(int(first)), *numbers.pairs(second)] if len(second) == 4 else None
        spelled_out = [*numbers.cardinal(int(first)), *numbers.digits(second)]
        return [docket, spelled_out] if docket else [spelled_out]
    joined = [*amount_words(first), "to", *amount_words(second)]
    if re.fullmatch(r"\d{3}-\d{1,3}", text) and _names_model(first, second, around):
        paired = len(second) == 3 and not second.endswith("00")
        model = [*numbers.pairs(first), *(numbers.pairs(second) if paired else amount_words(second))]
        return [model, joined]
    apart = [*amount_words(first), *amount_words(second)]
    if " - " in text and in_equation(around):
        return [[*amount_words(first), "minus", *amount_words(second)], joined]
    if re.fullmatch(r"\d{1,2}[-\u2013]\d{1,2}", text) and _is_score(int(first), int(second), around):
        return [apart, joined]
    between_names = re.search(r"[A-Z][a-z]+ $", around.before) and re.match(r" [A-Z][a-z]", around.after)
    if len(first) <= 3 and (between_names or _SCORE_CUES.search(around.before[-40:])):
        if len(first) == 3:
            named = [
                *numbers.pairs(first),
                "to",
                *(numbers.pairs(second) if len(second) == 3 else amount_words(second)),
            ]
            return [named, joined, apart]
        return [apart, joined]
    return [joined, apart]


def _is_score(first: int, second: int, around: Neighbours) -> bool:
    """Whether two numbers are a score, because they fall or follow one, and no hours of work, as in `9-5`."""
    before = re.search(r"(?<![\w-])(\d{1,2})[-\u2013](\d{1,2})(?: \([\d-]+\))?,? (?:and )?$", around.before)
    if before and int(before[1]) > int(before[2]):
        return not 7 <= int(before[1]) <= 12
    return first > second and not (7 <= first <= 12 and 1 <= second <= 8)


def _is_docket(first: str, second: str) -> bool:
    """Whether two numbers with a hyphen are the year and the number of a case, as in `22-1047`."""
    return len(first) == 2 and 4 <= len(second) <= 5 and second.isdigit() and first.isdigit() and second[-1] != "0"


def _names_model(first: str, second: str, around: Neighbours) -> bool:
    """Whether two numbers with a hyphen name one thing, as in `the 747-400`, and are no range."""
    last, following = around.last_word(), around.next_word()
    if last in CODE_CUES or (re.fullmatch("7[0-8]7", first) and second.endswith("00")):
        return True
    return last in ("a", "an", "the") and (int(first) > int(second) or not following or is_finite(following))


FORMS = {
    "verses": Form(r"(?:(?<=[a-z] )|(?<=[a-z]\. ))\d{1,3}:\d{1,3}[-\u2013]\d{1,3}(?![\d:])", _verses),
    "ratio": Form(r"(?<![\d:.])\d{1,4}:\d{1,4}(?![\d:])", _ratio),
    "letter_range": Form(r"(?<![\w-])[A-Z][-\u2013][A-Z](?![\w-])", _letter_range),
    "roman_range": Form(r"(?<![\w-])[IVXLC]{1,8}[-\u2013][IVXLC]{1,8}(?![\w-])", _roman_range),
    "range": Form(
        rf"(?<![\w.,-]){NUMBER}(?:\.\d{{1,9}})? ?[-\u2013] ?{NUMBER}(?:\.\d{{1,9}})?(?![\w-]|[.,]\d)", _range
    ),
}
