"""The chooser among pronunciations of words that are spelled alike: rules on the words around them.

A part of speech is guessed from closed-class words. A determiner or a preposition before a word makes it a noun; `to`,
a modal verb, a pronoun, or a plural subject in a clause without another verb makes it a verb. Words whose pronunciation
depends on their meaning have rules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voicemill.text.frontend import heteronym_cues as cues
from voicemill.text.frontend import word_classes as classes
from voicemill.text.frontend.pronunciations import (
    ADJECTIVE,
    MOSTLY_VERBS,
    NAMES,
    NOUN,
    PAST,
    PLACE_NAMES,
    PRONUNCIATIONS,
    PROPER,
    VERB,
)

Phones = tuple[str, ...]


@dataclass(frozen=True)
class _Context:
    """A word in its sentence.

    Attributes:
        words: the sentence, lower case.
        index: of the word.
        marks: the mark after each word, or an empty string.
        written: the sentence with its capital letters, or nothing.
    """

    words: Sequence[str]
    index: int
    marks: Sequence[str]
    written: Sequence[str] = ()

    def is_name(self) -> bool:
        """Whether the word has a capital letter that is not due to the beginning of the sentence."""
        if not self.written or not self.written[self.index][:1].isupper():
            return False
        if self.index and not self.marks[self.index - 1] and not self.written[self.index].isupper():
            return not all(word[:1].isupper() for word in self.written)
        return False

    def before(self, steps: int = 1) -> str:
        """The word `steps` earlier, or an empty string beyond the sentence or a colon, semicolon or stop."""
        first = self.index - steps
        if first < 0 or any(mark and mark != "," for mark in self.marks[first : self.index]):
            return ""
        return self.words[first]

    def after(self, steps: int = 1) -> str:
        """The word `steps` later, likewise."""
        last = self.index + steps
        if last >= len(self.words) or any(mark and mark != "," for mark in self.marks[self.index : last]):
            return ""
        return self.words[last]

    def subject(self) -> tuple[str, str]:
        """The words that come before, adverbs skipped."""
        steps = 1
        while steps < 4 and self.before(steps + 1) and classes.is_adverb(self.before(steps)):
            steps += 1
        return self.before(steps), self.before(steps + 1)

    def near(self, distance: int = 12) -> set[str]:
        """Words up to `distance` away, not beyond another occurrence of the same word."""
        word = self.words[self.index]
        before = self.words[max(0, self.index - distance) : self.index][::-1]
        after = self.words[self.index + 1 : self.index + distance + 1]
        return {word, *before[: _nearer(before, word)], *after[: _nearer(after, word)]}

    def has_other_verb(self) -> bool:
        """Whether another finite verb is near in the word's clause."""
        for step in range(1, 7):
            word = self.before(step)
            if not word or word in classes.CLAUSE_STARTS:
                break
            if word in classes.AUXILIARIES and self.before(step + 1) in _QUESTIONS:
                break
            if classes.is_finite(word):
                return True
        for step in range(1, 4):
            word = self.after(step)
            if not word or word in classes.CLAUSE_STARTS:
                break
            if classes.is_finite(word):
                return True
        return False


def _nearer(words: Sequence[str], word: str) -> int:
    """How many words are nearer to here than to the next occurrence of `word`."""
    return (words.index(word) + 1) // 2 if word in words else len(words)


def choose(words: Sequence[str], index: int, marks: Sequence[str] = (), written: Sequence[str] = ()) -> Phones | None:
    """Phones of the word at `index` of a sentence, or None if it is no heteronym.

    Args:
        words: the sentence, lower case.
        index: the word.
        marks: the mark after each word, or an empty string; none by default.
        written: the sentence with its capital letters; without it, a name is not told from a word.
    """
    entry = PRONUNCIATIONS.get(words[index])
    if entry is None and words[index] not in NAMES:
        return None
    place = _Context(words, index, marks or [""] * len(words), written)
    if entry is None:
        return tuple(NAMES[words[index]].split()) if _is_named(place) else None
    special = _SPECIAL.get(words[index]) or (_mostly_verb if words[index] in MOSTLY_VERBS else None)
    kind = special(place) if special else _part_of_speech(place, entry)
    return tuple(entry.get(kind, next(iter(entry.values()))).split())


def pronunciations(word: str) -> list[Phones]:
    """All pronunciations of a heteronym, each once; empty for other words."""
    return list(dict.fromkeys(tuple(phones.split()) for phones in PRONUNCIATIONS.get(word, {}).values()))


_DEGREES = frozenset(
    ("so", "too", "very", "as", "how", "quite", "really", "extremely", "fairly", "pretty", "more", "most")
)
"""Before adjectives."""
_TIMES = frozenset(("at", "on", "early", "late", "today"))
_QUESTIONS = frozenset(
    ("", "what", "when", "where", "why", "how", "which", "who", "whom", "and", "so", "time", "often")
)
"""Before an auxiliary that asks."""


def _ends_question(place: _Context) -> bool:
    """Whether the word is the verb of a question: `does the shop close?`, `did the band record it?`"""
    after = place.after()
    if after and after not in classes.DETERMINERS | classes.OBJECTS | classes.PLACES | _TIMES:
        return False
    for step in range(2, 6):
        if place.before(step) in classes.AUXILIARIES:
            first, last = place.before(step - 1), place.before()
            if step == 2:
                return classes.is_plural(last) or last in classes.SUBJECTS | classes.THIRD
            return first in classes.DETERMINERS and last not in classes.DETERMINERS | classes.PREPOSITIONS
        if place.before(step) in classes.CLAUSE_STARTS or classes.is_finite(place.before(step)):
            return False
    return False


def _is_verb(place: _Context) -> bool:
    """Whether the neighbours make the word a verb."""
    (before, earlier), after = place.subject(), place.after()
    if _ends_question(place):
        return True
    if before == "to":
        return earlier not in ("due", "thanks", "close", "according", "access", "of", "exposed")
    if before == "not":
        return earlier not in classes.BE | classes.HAVE
    if before in classes.MODALS or before in classes.SUBJECTS:
        return earlier not in classes.BE
    if before in classes.THIRD:
        return earlier in classes.AUXILIARIES or place.words[place.index].endswith("s")
    if before in classes.OBJECTS and earlier in classes.CAUSATIVES:
        return True
    if before in classes.DETERMINERS or before in classes.PREPOSITIONS:
        return False
    if after in classes.OBJECTS or after.endswith(("self", "selves")):
        return True
    if not before or before in ("and", "or", "but", "then", "please"):
        return after in classes.DETERMINERS or after in ("up", "down", "and", "off", "along", "away")
    if place.words[place.index].endswith("s"):
        return not classes.is_plural(before) and not place.has_other_verb() and after not in ("", "of")
    return classes.is_plural(before) and not place.has_other_verb()


def _part_of_speech(place: _Context, entry: dict[str, str]) -> str:
    if _is_verb(place):
        return VERB
    if ADJECTIVE in entry and NOUN not in entry:
        return ADJECTIVE
    return NOUN if NOUN in entry else next(iter(entry))


def _told_in_the_past(words: Sequence[str]) -> bool:
    """Whether a sentence has `read` after he or she, which is in the past without an ending."""
    pairs = zip(("", *words), words, ("", "", *words), strict=False)
    return any(word == "read" and who in ("he", "she") and do not in classes.AUXILIARIES for who, word, do in pairs)


_DEFINITE = frozenset(("the", "his", "this", "that", "it"))
"""Before one thing that was read, unlike `children read books`."""


def _is_repeated(place: _Context) -> bool:
    """Whether a word of frequency belongs to the clause of the word: `I read the news daily`."""
    for step in range(1, 10):
        following = place.after(step)
        if following in classes.FREQUENCY:
            return True
        if not following or following in classes.SUBJECTS | classes.THIRD:
            break
    return any(place.before(step) in classes.FREQUENCY for step in range(1, 6))


def _read(place: _Context) -> str:
    (before, earlier), after = place.subject(), place.after()
    if before in classes.SUBJECTS and earlier not in classes.AUXILIARIES and _told_in_the_past(place.words):
        return PAST
    if before in classes.BE | classes.HAVE or (before == "not" and earlier in classes.BE | classes.HAVE):
        return PAST
    if before in classes.SUBJECTS | classes.THIRD and earlier in classes.HAVE - {"be", "been", "being"}:
        return PAST
    if before == "to" or before in classes.MODALS or not before:
        return VERB
    if before in classes.SUBJECTS | classes.THIRD and earlier in classes.AUXILIARIES:
        return VERB
    if before in classes.OBJECTS and earlier in classes.CAUSATIVES:
        return VERB
    if place.before().endswith("ly") or place.before() == "well":
        described = place.before() == "well" and place.before(2) in classes.BE
        return PAST if described or place.before(2) in classes.DETERMINERS or after == "" else VERB
    if before in ("a", "good", "quick", "great", "must", "long", "easy", "interesting"):
        return VERB
    past = any(classes.is_past(word) for word in place.near() - {"read"}) or classes.PAST_TIMES & place.near()
    if past or before in classes.THIRD:
        return PAST
    if before in ("and", "or", "but"):
        return VERB
    if before in ("i", "we", "they") and after not in ("every", "about", "a", "in", "to", "and", "books", ""):
        return PAST if after in classes.DETERMINERS and not _is_repeated(place) else VERB
    if classes.is_plural(before) and after in _DEFINITE and not _is_repeated(place):
        return PAST
    if before in classes.SUBJECTS or classes.is_plural(before):
        return VERB
    return PAST


def _live(place: _Context) -> str:
    (before, earlier), after = place.subject(), place.after()
    if before in classes.BE or before in ("going", "went", "go", "goes") or after in ("music", "show", "broadcast"):
        return ADJECTIVE
    if before in ("long", "and", "or", "where"):
        return VERB if before == "long" or after in classes.PREPOSITIONS | classes.PLACES else ADJECTIVE
    if not before:
        return VERB if after in classes.DETERMINERS | {"and", "with", "like", "in", "for", "as", "your"} else ADJECTIVE
    if before == "to" and earlier in ("listen", "listened", "listening", "switch"):
        return ADJECTIVE
    if after == "where" or before == "rather":
        return VERB
    located = after in classes.PREPOSITIONS | classes.PLACES and not place.has_other_verb()
    return VERB if _is_verb(place) or (located and not cues.SHOWING & place.near()) else ADJECTIVE


def _lives(place: _Context) -> str:
    (before, _), after = place.subject(), place.after()
    if before in classes.THIRD or before in (
        "who",
        "that",
        "which",
        "nobody",
        "everyone",
        "everybody",
        "one",
        "someone",
    ):
        return VERB
    if before in classes.DETERMINERS or before in classes.PREPOSITIONS or not before:
        return NOUN
    if cues.LIFE_VERBS & {place.before(step) for step in range(1, 4)}:
        return NOUN
    if "where" in place.words[max(0, place.index - 5) : place.index]:
        return VERB
    return VERB if after in classes.PREPOSITIONS | classes.PLACES | classes.DETERMINERS else NOUN


def _wind(place: _Context) -> str:
    nearby = {place.after(step) for step in range(1, 4)}
    if nearby & cues.WEATHER or (place.words[place.index] == "winds" and not place.before()):
        return NOUN
    start = not place.before() and bool(nearby & (cues.WINDABLE | classes.DETERMINERS)) and place.after() != "and"
    return VERB if start or _is_verb(place) else NOUN


def _wound(place: _Context) -> str:
    before = place.subject()[0]
    winding = (
        place.after() in classes.DETERMINERS | classes.OBJECTS and before not in classes.DETERMINERS
    ) or place.after() in ("up", "around", "down", "its", "his", "her", "round", "through")
    rolled = before in classes.DETERMINERS and place.after() in cues.WINDABLE
    if before in classes.BE or place.before() in classes.BE:
        return PAST
    return PAST if before in classes.THIRD | classes.SUBJECTS or winding or rolled else NOUN


def _close(place: _Context) -> str:
    (before, earlier), after = place.subject(), place.after()
    if (
        before in ("a", "the", "day's")
        and after in ("", "of")
        and earlier in ("to", "at", "by", "before", "near", "until")
    ):
        return VERB
    if after in ("to", "by", "enough", "together", "friend", "friends", "call", "range", "relative", "look"):
        return VERB if before in classes.MODALS and after not in ("to", "by") else ADJECTIVE
    if before in classes.DETERMINERS:
        return VERB if after in ("it", "them") else ADJECTIVE
    if place.before() in _DEGREES and after not in classes.DETERMINERS - {"that"}:
        return ADJECTIVE
    held = cues.KEEPING & {place.before(step) for step in range(1, 5)}
    if held and after not in classes.DETERMINERS:
        return ADJECTIVE
    closing = after in ("the", "your", "it", "my", "this", "that", "a", "our", "his", "her")
    return VERB if _is_verb(place) or closing else ADJECTIVE


def _use(place: _Context) -> str:
    after = place.after()
    starts = place.before() in ("", "and", "or", "then", "but", "please", "just")
    imperative = starts and not classes.is_closed_class(after) and after not in ("case", "cases")
    return VERB if imperative or _is_verb(place) else NOUN


def _used(place: _Context) -> str:
    passive = place.subject()[0] in classes.BE
    what = place.after(2)
    familiar = what.endswith("ing") or what in classes.DETERMINERS or what in classes.OBJECTS  # `he is used to it`
    return "used to" if place.after() == "to" and (familiar or not passive) else VERB


def _lead(place: _Context) -> str:
    if place.after() in cues.LEADEN:
        return NOUN
    if place.before() in ("of", "contain", "contains", "contained", "melted", "molten"):
        return NOUN
    return NOUN if cues.METAL & place.near() and not _is_verb(place) else VERB


def _tear(place: _Context) -> str:
    near = place.near()
    if cues.CRYING & near:
        return NOUN
    ripped = place.after() in ("in", "up", "down", "off", "apart", "out") and place.words[place.index] == "tear"
    return VERB if _is_verb(place) or cues.RIPPED & near or ripped else NOUN


def _bow(place: _Context) -> str:
    near = place.near()
    if cues.BOWED & near:
        return NOUN
    return VERB if _is_verb(place) or cues.CURTSY & near else NOUN


def _row(place: _Context) -> str:
    near = {place.before(step) for step in range(1, 3)}
    after = place.after()
    quarrel = after in cues.QUARRELS or (near & cues.QUARRELSOME and after not in ("of", "boat", "boats", "house"))
    return "quarrel" if quarrel else NOUN


def _bass(place: _Context) -> str:
    if place.after() in ("player", "guitar", "line", "drum", "clef", "notes", "singer", "voice", "guitarist", "solo"):
        return NOUN
    return "fish" if cues.FISH & place.near() else NOUN


def _dove(place: _Context) -> str:
    moving = place.after() in ("into", "in", "off", "under", "down", "for", "from", "right", "straight", "headfirst")
    return PAST if moving and place.before() not in classes.DETERMINERS | {"white", "grey", "gray"} else NOUN


def _minute(place: _Context) -> str:
    before, after = place.before(), place.after()
    if before in classes.BE or (
        before in ("so", "too", "very", "extremely", "almost") and place.before(2) not in ("this", "that")
    ):
        return ADJECTIVE
    if after in ("amount", "detail", "quantity", "trace", "fraction", "particle", "examination", "difference"):
        return ADJECTIVE
    counted = before in classes.DETERMINERS - {"the", "some", "many", "these"} or before in ("last", "per", "the")
    if before == "a" and not classes.is_closed_class(after) and after not in cues.AFTER_MINUTE:
        return ADJECTIVE
    if classes.is_plural(after) and (
        not counted or after in ("amounts", "details", "traces", "particles", "quantities")
    ):
        return ADJECTIVE
    return NOUN


def _content(place: _Context) -> str:
    (before, earlier), after = place.subject(), place.after()
    if place.marks[place.index] and not before:  # `Content, she slept.`
        return ADJECTIVE if place.marks[place.index] == "," else NOUN
    if place.index and place.marks[place.index - 1] == ",":  # `He sighed, content.`, `The cat, content, purred.`
        last = before in classes.OBJECTS or classes.is_past(before)
        if (last and after == "") or (place.marks[place.index] == "," and classes.is_past(after)):
            return ADJECTIVE
    if before in classes.BE | classes.SEEMING or before in ("quite", "very", "perfectly", "not", "more"):
        return ADJECTIVE
    if before in classes.SUBJECTS | classes.THIRD and earlier in classes.BE:
        return ADJECTIVE
    if before in ("and", "or") and earlier in ("happy", "warm", "calm", "quiet", "safe", "peaceful"):
        return ADJECTIVE
    return ADJECTIVE if after in ("with", "to") or after in cues.CONTENTED else NOUN


def _mostly_verb(place: _Context) -> str:
    (before, earlier), after = place.subject(), place.after()
    entry = PRONUNCIATIONS[place.words[place.index]]
    other = next(kind for kind in entry if kind != VERB)
    if before == "to" or before in classes.MODALS or after in classes.OBJECTS:
        return VERB
    described = other == ADJECTIVE and (before in classes.BE or before in _DEGREES or place.before() in _DEGREES)
    named = before in classes.DETERMINERS and earlier not in classes.CLAUSE_STARTS
    ended = not after or classes.is_closed_class(after)
    named = named or (ended and earlier in classes.DETERMINERS and not classes.is_closed_class(before))
    named = named or before in classes.PREPOSITIONS or place.before().endswith("'s")
    return other if described or (named and after not in classes.DETERMINERS) else VERB


def _polish(place: _Context) -> str:
    starts = not place.index and bool(place.written)
    named = place.is_name() or (starts and place.after() not in classes.DETERMINERS | {"up", "it", "and"})
    return PROPER if named else VERB


def _is_named(place: _Context) -> bool:
    """Whether a word is a name that is pronounced otherwise than the word: `Nice`, `Job`."""
    if not place.is_name():
        return False
    before = place.subject()[0]
    if place.words[place.index] in PLACE_NAMES:
        return before in ("in", "to", "from", "near", "of", "at", "between", "for")
    return before not in classes.DETERMINERS


def _does(place: _Context) -> str:
    before, after = place.before(), place.after()
    asked = not before or before in classes.CLAUSE_STARTS or before in ("and", "so", "how")
    if asked and (after in classes.DETERMINERS or after in classes.SUBJECTS | classes.THIRD | {"anyone", "anybody"}):
        return VERB
    counted = before in ("the", "two", "three", "four", "five", "six", "wild", "several", "female", "these", "those")
    herd = cues.DEER & place.near() and before not in classes.THIRD | {
        "what",
        "how",
        "which",
        "who",
        "that",
        "why",
        "when",
    }
    return NOUN if counted or before == "of" or herd else VERB


def _invalid(place: _Context) -> str:
    noun = place.before() in classes.DETERMINERS and classes.is_closed_class(place.after())
    return NOUN if noun else ADJECTIVE


def _learned(place: _Context) -> str:
    scholarly = place.before() in ("a", "the", "very", "most", "my") and place.after() not in ("to", "that")
    return ADJECTIVE if scholarly else VERB


def _aged(place: _Context) -> str:
    old = place.before() == "the" or place.after() in ("man", "woman", "mother", "father", "parents")
    return ADJECTIVE if old else VERB


def _dogged(place: _Context) -> str:
    """`dogged`: the adjective before a noun."""
    before = place.subject()[0]
    return ADJECTIVE if before in classes.DETERMINERS | classes.PREPOSITIONS and place.after() != "by" else VERB


def _refuse(place: _Context) -> str:
    return VERB if place.after() == "to" or _is_verb(place) else NOUN


_SPECIAL: dict[str, Callable[[_Context], str]] = {
    "read": _read,
    "use": _use,
    "live": _live,
    "lives": _lives,
    "wind": _wind,
    "winds": _wind,
    "wound": _wound,
    "close": _close,
    "used": _used,
    "lead": _lead,
    "tear": _tear,
    "tears": _tear,
    "bow": _bow,
    "bows": _bow,
    "row": _row,
    "rows": _row,
    "bass": _bass,
    "dove": _dove,
    "minute": _minute,
    "content": _content,
    "does": _does,
    "invalid": _invalid,
    "learned": _learned,
    "blessed": _learned,
    "aged": _aged,
    "dogged": _dogged,
    "refuse": _refuse,
    "polish": _polish,
}
