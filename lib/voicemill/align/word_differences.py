"""Where the words that a recogniser wrote differ from a text by more than spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from voicemill.text.lexicon import Lexicon

_ALIKE_PHONES, _ALIKE_SHARE = 6, 0.7
_LIKE_A_NAME = 0.4
"""Share of equal phones from which a word that no dictionary lists may be another spelling of a word of the text."""
_IN_PIECES = 0.6
"""The same, from which several recognised words may be one word of the text if a dictionary lacks one of them."""
_SPELLED_ALIKE = 0.75
"""Share of equal letters from which a word that no dictionary lists may be an old spelling of another."""

SpokenPhones = tuple[str, Sequence[str]]
"""A word and its phones."""
Region = tuple[int, int, int, int]
"""Words of the text, first and last (exclusive), and the recognised words in their place."""


def differences(words: Sequence[SpokenPhones], recognised: Sequence[SpokenPhones], known: Lexicon) -> list[Region]:
    """Where the recognised words differ from a text by more than spelling.

    Whisper spells names freely: a recognised word that no dictionary lists stands for the word of the text that sounds
    most like it. Words beside a name still differ. Where no word sounds like it, the region is left out, unless the
    text has no word there.

    Args:
        words: of the text.
        recognised: what Whisper wrote.
        known: words that a dictionary lists.
    """
    text, other = ([word for word, _ in each] for each in (words, recognised))
    matcher = difflib.SequenceMatcher(None, text, other, autojunk=False)
    found = [
        region
        for kind, first, last, start, end in matcher.get_opcodes()
        if kind != "equal"
        for region in _without_names((first, last, start, end), words, recognised, known)
    ]

    def same(first: int, last: int, start: int, end: int) -> bool:
        pair = words[first:last], recognised[start:end]
        phones, others = ([phone for _, each in part for phone in each] for part in pair)
        return (
            sound_alike(phones, others)
            or same_letters(text[first:last], other[start:end])
            or old_spelling(text[first:last], other[start:end], known)
        )

    return [region for region in found if not same(*region)]


def _without_names(
    region: Region, words: Sequence[SpokenPhones], recognised: Sequence[SpokenPhones], known: Lexicon
) -> list[Region]:
    """The parts of a region beside the names in it."""
    first, last, start, end = region
    names = [index for index in range(start, end) if recognised[index][0] not in known]
    if not names or first == last:
        return [region] if first < last or start < end else []
    pieces = [phone for _, phones in recognised[start:end] for phone in phones]
    if last - first == 1 and likeness_of(words[first][1], pieces) >= _IN_PIECES:
        return []
    pairs = [(place, name) for place in range(first, last) for name in names]
    likeness, place, name = max((likeness_of(words[at][1], recognised[of][1]), at, of) for at, of in pairs)
    if likeness < _LIKE_A_NAME:
        return []
    return [
        *_without_names((first, place, start, name), words, recognised, known),
        *_without_names((place + 1, last, name + 1, end), words, recognised, known),
    ]


def likeness_of(phones: Sequence[str], others: Sequence[str]) -> float:
    """Share of equal phones, 0..1."""
    return difflib.SequenceMatcher(None, phones, others, autojunk=False).ratio()


def sound_alike(phones: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a recogniser may take one for the other: "flaxen" and "flakes in", "forearms" and "farms".

    Six phones or more that begin and end with the same phone and share most of what lies between. Endings such as those
    of "consider" and "considered" tell words apart.
    """
    if list(phones) == list(others):
        return True
    longest = max(len(phones), len(others))
    if longest < _ALIKE_PHONES or not phones or not others or phones[0] != others[0] or phones[-1] != others[-1]:
        return False
    matcher = difflib.SequenceMatcher(None, phones, others, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) >= _ALIKE_SHARE * longest


def same_letters(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether words differ in their spaces only: "some thing" and "something", "with all" and "withal".

    Where the number of words differs, a doubled letter counts once.
    """
    first, second = "".join(words), "".join(others)
    if len(words) != len(others):
        first, second = (re.sub(r"(.)\1", r"\1", each) for each in (first, second))
    return first == second


def old_spelling(words: Sequence[str], others: Sequence[str], known: Lexicon) -> bool:
    """Whether a word that no dictionary lists is another spelling of the recognised one: "shew" and "show"."""
    if len(words) != 1 or len(others) != 1 or words[0] in known or others[0] not in known:
        return False
    return difflib.SequenceMatcher(None, words[0], others[0], autojunk=False).ratio() >= _SPELLED_ALIKE
