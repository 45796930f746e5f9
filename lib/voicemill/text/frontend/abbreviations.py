"""Abbreviations with and without their dot: titles, streets, months, weekdays, Latin, business, measures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from voicemill.text.frontend import abbreviation_lists as lists
from voicemill.text.frontend.forms import FUNCTION_WORDS
from voicemill.text.frontend.names import AFTER_STREETS, BEFORE_SAINTS, SAINTS, STREET_NAMES


@dataclass(frozen=True)
class Abbreviation:
    """What an abbreviation stands for, and whether its dot also ends the sentence.

    Attributes:
        counted: the word that the next one is read by: with a capital letter where a Roman numeral follows, in small
            letters before the letter A or `no.`, otherwise an empty string.
    """

    words: list[str]
    ends_sentence: bool = False
    counted: str = ""


@dataclass(frozen=True)
class WordContext:
    """The neighbours of a word that may be an abbreviation.

    Attributes:
        dotted: a dot follows it.
        before: the word or number right before it, as written, or an empty string.
        after: the word or number right after it, as written, or an empty string; empty at the end of a paragraph and
            before a mark.
        mark: the mark of punctuation right after it and its dot, or an empty string.
    """

    dotted: bool
    before: str
    after: str
    mark: str


def expand(word: str, context: WordContext) -> Abbreviation | None:
    """The words that `word` abbreviates in this context; None if it is no abbreviation.

    Args:
        word: letters, as written, without the dot.
        context: its neighbours.
    """
    before_name = context.after[:1].isupper()
    final = context.dotted and not context.mark
    final = final and (not context.after or (before_name and context.after not in lists.DIRECTIONS))
    for kind in (_beside_numbers, _in_phrases, _titles_and_streets, _before_others):
        found = kind(word, context, final)
        if found is not None:
            return found
    key, dotted = word.lower(), context.dotted
    if (
        word in ("EST", "VS")
        and not (word == "EST" and context.after[:1].isdigit())
        and context.after in ("", "Code", "and")
    ):
        return None
    if key in lists.GENERAL and (dotted or key in lists.BARE) and not (word.isupper() and key in lists.SMALL_LETTERS):
        ends = final and (key in lists.SENTENCE_FINAL or not context.after)
        return Abbreviation(
            lists.GENERAL[key].split(), ends, lists.GENERAL[key] if context.after in ("no", "nos") else ""
        )
    return None


def _beside_numbers(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Abbreviations of what a number counts or names."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    numbered = re.fullmatch(r"\d+(?:st|nd|rd|th|d)", context.before) is not None
    if key in lists.AFTER_NUMBERS and dotted and not word[1:2].isupper() and context.before[-1:].isdigit():
        one, many = lists.AFTER_NUMBERS[key]
        part = re.fullmatch(r"\d+/\d+", context.before) is not None
        return _done(one if part or context.before == "1" else many, final and not context.after)
    if key in lists.AFTER_ORDINALS and dotted and numbered:
        return _done(lists.AFTER_ORDINALS[key], final and not context.after)
    if word in lists.BEFORE_YEARS and dotted and lists.YEAR.match(context.after):
        return _done(lists.BEFORE_YEARS[word])
    numeral = (
        dotted and (lists.PART_NUMERAL if key in lists.PARTS else lists.NUMERAL).fullmatch(context.after) is not None
    )
    if (
        key in lists.BEFORE_NUMBERS
        and (capital or key not in lists.WORDS_TOO)
        and (
            numeral
            or (
                context.after[:1].isdigit()
                and (dotted or (capital and key in lists.BARE_BEFORE_NUMBERS) or key in lists.BARE_PARTS)
            )
        )
    ):
        several = "-" in context.after or "\u2013" in context.after
        single = key == "no" and (
            context.before.lower() in lists.COUNTED_BY_NUMBER or re.match(r"\d\d-\d{4}", context.after)
        )
        names = lists.BEFORE_NUMBERS[key][several and not single]
        return Abbreviation([names], counted=names.capitalize() if numeral else "")
    if (
        dotted
        and key in lists.LETTERED
        and re.fullmatch("[A-HJ-Z]", context.after)
        and (capital or context.after != "A")
    ):
        name = lists.BEFORE_NUMBERS[key][0]
        return Abbreviation([name], counted=name if context.after == "A" else "")
    if dotted and key in ("no", "nos") and context.before.lower() in lists.COUNTED_BY_NUMBER:
        return _done(lists.BEFORE_NUMBERS[key][0])
    return None


def _in_phrases(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Abbreviations whose neighbours give them another sense, months and weekdays."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    if key in ("min", "maj") and dotted and re.fullmatch("[A-G]", context.before):
        return _done({"min": "minor", "maj": "major"}[key], final and not context.after)
    if key == "sec" and dotted and capital and context.after == "of":
        return _done("secretary")
    if word == "Min" and dotted and context.before.lower() in lists.MINISTRIES:
        return _done("minister")
    if key == "assoc" and dotted and context.after.lower() in ("prof", "professor", "editor", "dean", "director"):
        return _done("associate")
    if (
        capital
        and (dotted or key in lists.BARE_CALENDAR or (key in ("sat", "sun") and context.after[:1].isdigit()))
        and key in lists.CALENDAR
        and _is_calendar(key, context, shouted=word.isupper())
    ):
        return _done(lists.CALENDAR[key], final and not context.after)
    return None


def _titles_and_streets(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Titles before names, streets after them."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    before_name, after_name = context.after[:1].isupper(), context.before[:1].isupper()
    numbered = re.fullmatch(r"\d+(?:st|nd|rd|th|d)", context.before) is not None
    street = key == "st" and after_name and _is_street_before(context)
    if (
        capital
        and dotted
        and key in lists.BIBLE
        and (re.match(r"\d{1,3}:\d", context.after) or (key == "ps" and context.after.isdigit()))
    ):
        return _done(lists.BIBLE[key])
    if capital and key in lists.BEFORE_PLACES and before_name and (key == "st" or dotted) and not street:
        return _done(lists.BEFORE_PLACES[key])
    bare_title = key in lists.BARE_TITLES or (
        key in lists.BARE_BEFORE_NAMES and _is_name(context.after) and word[1:].islower()
    )
    if word == "v" and dotted and before_name and context.before[:1].isalpha():  # of a trial
        return _done("versus")
    if (
        capital
        and key in lists.NOUNS
        and dotted
        and context.before.lower() in lists.OWNERS
        and context.after in lists.NEW_SENTENCE
    ):
        return _done(lists.TITLES[key], True)
    if capital and key in lists.TITLES and (dotted or bare_title):
        if before_name and not (key == "dr" and after_name and _street_before(context.before)):
            return _done(lists.TITLES[key])
        if key not in lists.PLACES and dotted and context.after:
            return _done(lists.TITLES[key])
    if capital and key in lists.JOINED_TITLES and context.after in ("and", "or", "&"):
        return _done(lists.TITLES[key])
    if capital and key in lists.NOUNS and context.before.lower() in lists.OWNERS and not before_name:
        return _done(lists.TITLES[key], final and not context.after)
    if capital and key in lists.PLACES and (after_name or numbered or (dotted and key in lists.STREETS_ONLY)):
        return _done(lists.PLACES[key], final and context.after.lower() not in AFTER_STREETS)
    if (
        key == "sr"
        and word == "Sr"
        and (dotted or not context.before)
        and before_name
        and not after_name
        and context.after not in lists.POSITIONS
    ):
        return _done("sister")
    return None


def _before_others(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Short words that are abbreviations only beside certain others."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    before_name, after_name = context.after[:1].isupper(), context.before[:1].isupper()
    if not capital and key in lists.NOUNS and dotted and context.before.lower() in lists.OWNERS:
        return _done(lists.TITLES[key], final)
    if word == "Hon" and context.before.lower() in ("the", "rt", "right"):
        return _done(lists.TITLES[key])
    if word == "Ste" and before_name:
        return _done("saint")
    if word in ("Sta", "Sto") and dotted and before_name and not after_name:
        return _done({"Sta": "santa", "Sto": "santo"}[word])
    if word == "c" and dotted and context.after in ("A.D.", "AD", "A.D"):
        return _done("circa")
    if word == "Sts" and dotted and before_name:
        return _done("saints")
    if key in lists.SIZES and dotted and not capital and (context.after[:1].islower() or context.before[-1:].isdigit()):
        return _done(lists.SIZES[key])
    if (word if len(word) == 1 else key) in lists.FIGURES and dotted and context.after[:1].isdigit():
        return _done(lists.FIGURES[key])
    if key == "yr" and context.after.lower() in lists.SIGNED:
        return _done("your")
    if key == "conf" and dotted and context.after.lower() in ("rm", "room", "call", "center", "centre", "ctr"):
        return _done("conference")
    if key in lists.SUFFIXES and capital:
        return _done(lists.SUFFIXES[key], final and not context.after)
    return None


def _is_name(word: str) -> bool:
    """Whether a word is written as a name is: a capital letter and small ones."""
    return re.match(r"[A-Z](?:'[A-Z]|[A-Z]?[a-z])", word) is not None


def expand_dotted(text: str) -> list[str]:
    """Words of a Latin abbreviation that the scanner matched, such as `e.g.`."""
    return lists.LATIN[text.lower().rstrip(".")].split()


def direction(letters: str, before: Sequence[str], after: Sequence[str]) -> str:
    """The compass direction that one or two letters abbreviate, in the name of a street or after `from the`, or an
    empty string.

    Args:
        letters: capitals.
        before: words before, as written, the nearest first; an empty string is a mark.
        after: words after, likewise.
    """
    if letters not in lists.DIRECTIONS:
        return ""
    if before[0].lower() in lists.BLOWING and not after[0][:1].isupper():
        return lists.DIRECTIONS[letters]
    if before[0].lower() in lists.MOVING and (not after[0] or after[0] in FUNCTION_WORDS or after[0] in lists.ALONG):
        return lists.DIRECTIONS[letters]
    towards = before[0].lower() == "due" or (before[0].lower() == "the" and before[1].lower() in lists.TOWARDS)
    if towards and (not after[0] or after[0] in FUNCTION_WORDS):
        return lists.DIRECTIONS[letters]
    if after[0] in ("wind", "winds", "corner") or (len(letters) == 2 and after[0] in ("of", "coast", "side")):
        return lists.DIRECTIONS[letters]
    if len(letters) == 1 and re.search(r"\d ?\u00b0$", before[0]):
        return lists.DIRECTIONS[letters]
    if len(letters) == 1 and after[0] in lists.REGIONS:
        return lists.DIRECTIONS[letters] + ("ern" if after[0] in ("Ireland", "Territory") else "")
    numbered = before[0].isdigit() and before[1].lower() in ("hwy", "highway", "route", "rte", "interstate")
    if len(letters) == 1 and (numbered or re.fullmatch(r"(?:I|US|SR)-?\d+", before[0])):
        return lists.DIRECTIONS[letters]
    nearest = before[0] or (before[1] if before[1].lower() in lists.PLACES else "")
    if _is_street(nearest) and nearest[:1].isupper() and not (len(letters) == 1 and after[0][:1].isupper()):
        return lists.DIRECTIONS[letters]
    if before[0][:1].isupper() and before[0].lower() not in lists.STARTERS:
        return ""
    for position, word in enumerate(after):
        if position and _is_street(word):
            return lists.DIRECTIONS[letters]
        if not (word[:1].isupper() or re.fullmatch(r"\d+(?:st|nd|rd|th)", word)):
            break
    return ""


def _is_street(word: str) -> bool:
    return word.lower() in lists.STREETS


def _done(words: str, ends_sentence: bool = False) -> Abbreviation:
    return Abbreviation(words.split(), ends_sentence)


def _is_calendar(key: str, context: WordContext, *, shouted: bool) -> bool:
    if shouted and not (context.after[:1].isdigit() or re.search(r"\d(?:st|nd|rd|th)?$", context.before)):
        return context.dotted  # `4% APR`, `the SAT`
    if key not in lists.AMBIGUOUS_CALENDAR:
        return True
    if key == "sun" and context.before == "the" and not context.after[:1].islower():
        return False  # `from the Sun.`
    if key == "jan" and not (_dates(context.before) or context.after[:1].isdigit() or context.mark):
        return False  # `I met Jan.`
    if context.after[:1].isdigit() or context.before[:1].isdigit():
        return True
    return context.dotted and (key in ("mon", "sat", "sun", "wed", "jan", "jun"))


def _dates(word: str) -> bool:
    """Whether a date may follow a word, which is empty at the start or after a mark."""
    return word.lower() in lists.BEFORE_DATES or word[-1:].isdigit() or word == ""


def _is_street_before(context: WordContext) -> bool:
    """Whether a capitalised word before `St.` and a name after it make it a street and no saint."""
    before, after = context.before.lower(), context.after.lower().removesuffix("'s")
    if before in BEFORE_SAINTS:
        return False
    if before in STREET_NAMES:
        return True
    return after not in SAINTS and _street_before(context.before)


def _street_before(word: str) -> bool:
    """Whether a capitalised word right before reads like a street's name and not like the start of a sentence."""
    return word[:1].isupper() and word.lower() not in lists.STARTERS
