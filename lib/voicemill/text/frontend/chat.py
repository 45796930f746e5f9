"""Words of chat and e-mail: shortened words, and initialisms that are written in small letters."""

from __future__ import annotations

import re
from collections.abc import Callable

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import Form, Neighbours, Reading, spelled
from voicemill.text.frontend.units import word_list

_SHORTENED = {
    "thx": "thanks",
    "tnx": "thanks",
    "sry": "sorry",
    "smth": "something",
    "mtg": "meeting",
    "ur": "your",
    "luv": "love",
    "pls": "please",
    "plz": "please",
    "ppl": "people",
    "msg": "message",
    "msgs": "messages",
    "btwn": "between",
    "abt": "about",
    "cuz": "because",
    "bday": "birthday",
    "tmrw": "tomorrow",
    "thru": "through",
    "govt": "government",
    "ofc": "of course",
    "txt": "text",
    "pkg": "package",
    "mgmt": "management",
    "acct": "account",
    "yrs": "years",
    "xmas": "christmas",
    "hr": "hour",
    "yr": "year",
    "wk": "week",
    "wks": "weeks",
    "lb": "pound",
    "lbs": "pounds",
    "kg": "kilogram",
    "tbsp": "tablespoon",
    "tsp": "teaspoon",
    "hrs": "hours",
    "mins": "minutes",
    "secs": "seconds",
}
_WITH_DIGITS = {
    "l8r": "later",
    "l8": "late",
    "gr8": "great",
    "m8": "mate",
    "m8s": "mates",
    "w8": "wait",
    "h8": "hate",
    "str8": "straight",
    "b4": "before",
    "4ever": "forever",
    "2day": "today",
    "2nite": "tonight",
    "2night": "tonight",
    "2morrow": "tomorrow",
    "2moro": "tomorrow",
    "sk8": "skate",
    "some1": "someone",
    "any1": "anyone",
    "every1": "everyone",
    "no1": "no one",
}
_SPELLED = frozenset(
    word_list(
        "afaik afk aka api asap brb btw ceo cfo cpu cto diy eod eom eta eu faq fyi gpu gtg icu icymi idc idk iirc "
        "ikr ily imho imo iou irl iykyk jk lmfao lmk ngl np nvm omg omw ooo pto rsvp smh suv tba tbh ttyl ty tysm "
        "ufo uk url usa usb yw"
    )
)
"""Initialisms that people write in small letters; those without vowels are recognised unless they begin a sentence."""
_SOUNDS = frozenset(word_list("hm hmm mm mmm shh sh psst pst brr grr pfft zzz tsk nth mhm ugh th mr mrs ms dr st vs"))
"""Words without a vowel that are no initialisms."""


def read_small(word: str, listed: Callable[[str], bool]) -> Reading:
    """The words of a shortened word or an initialism in small letters; empty for ordinary words.

    Args:
        word: letters, as written.
        listed: whether the pronunciation dictionary lists a word that is not spoken as its letters.
    """
    key = word.lower()
    if key in _SHORTENED and (word.islower() or word[1:].islower()):
        return _SHORTENED[key].split()
    if key in _SPELLED and (word.islower() or (word[1:].islower() and not listed(key))):
        return spelled(word)
    vowelless = re.fullmatch(r"(?:([b-df-hj-np-tv-xz])(?!\1)){2,4}", word) is not None
    return spelled(word) if vowelless and word not in _SOUNDS and not listed(word) else []


def _with_digits(text: str, _: Neighbours) -> list[Reading]:
    return [_WITH_DIGITS[text.lower()].split()]


def _team(text: str, _: Neighbours) -> list[Reading]:
    """`76ers`."""
    *others, last = numbers.cardinal(int(text[:-3]))
    return [[*others, last.removesuffix("e") + "ers"]]


FORMS = {
    "chat": Form(rf"(?<![\w.,-])(?:{'|'.join(_WITH_DIGITS)}|Gr8|L8r|B4)(?![\w-])", _with_digits),
    "team": Form(r"(?<![\w.,-])\d{1,3}ers(?!\w)", _team),
}
