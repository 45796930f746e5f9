"""Words that are spelled alike and pronounced differently, chosen by the words around them.

Each entry names its pronunciations by part of speech (Merriam-Webster's first pronunciations, as ARPABET without
stress). The part of speech is guessed from closed-class words: a determiner, an adjective or a preposition before a
word makes it a noun; `to`, a modal verb or a pronoun makes it a verb.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicemill.text.frontend.units import word_list

Phones = tuple[str, ...]

NOUN, VERB, PAST, ADJECTIVE = "noun", "verb", "past", "adjective"

_PRONUNCIATIONS: dict[str, dict[str, str]] = {
    "read": {VERB: "R IY D", PAST: "R EH D"},
    "live": {VERB: "L IH V", ADJECTIVE: "L AY V"},
    "lives": {VERB: "L IH V Z", NOUN: "L AY V Z"},
    "wind": {NOUN: "W IH N D", VERB: "W AY N D"},
    "winds": {NOUN: "W IH N D Z", VERB: "W AY N D Z"},
    "wound": {NOUN: "W UW N D", PAST: "W AW N D"},
    "close": {VERB: "K L OW Z", ADJECTIVE: "K L OW S"},
    "use": {NOUN: "Y UW S", VERB: "Y UW Z"},
    "uses": {NOUN: "Y UW S IH Z", VERB: "Y UW Z IH Z"},
    "used": {VERB: "Y UW Z D", "used to": "Y UW S T"},
    "lead": {VERB: "L IY D", NOUN: "L EH D"},
    "tear": {NOUN: "T IH R", VERB: "T EH R"},
    "tears": {NOUN: "T IH R Z", VERB: "T EH R Z"},
    "bow": {NOUN: "B OW", VERB: "B AW"},
    "bass": {NOUN: "B EY S", "fish": "B AE S"},
    "sow": {VERB: "S OW", NOUN: "S AW"},
    "dove": {NOUN: "D AH V", PAST: "D OW V"},
    "minute": {NOUN: "M IH N AH T", ADJECTIVE: "M AY N UW T"},
    "desert": {NOUN: "D EH Z ER T", VERB: "D IH Z ER T"},
    "object": {NOUN: "AA B JH EH K T", VERB: "AH B JH EH K T"},
    "objects": {NOUN: "AA B JH EH K T S", VERB: "AH B JH EH K T S"},
    "record": {NOUN: "R EH K ER D", VERB: "R AH K AO R D"},
    "records": {NOUN: "R EH K ER D Z", VERB: "R AH K AO R D Z"},
    "present": {NOUN: "P R EH Z AH N T", VERB: "P R IY Z EH N T"},
    "presents": {NOUN: "P R EH Z AH N T S", VERB: "P R IY Z EH N T S"},
    "house": {NOUN: "HH AW S", VERB: "HH AW Z"},
    "project": {NOUN: "P R AA JH EH K T", VERB: "P R AH JH EH K T"},
    "projects": {NOUN: "P R AA JH EH K T S", VERB: "P R AH JH EH K T S"},
    "produce": {NOUN: "P R OW D UW S", VERB: "P R AH D UW S"},
    "content": {NOUN: "K AA N T EH N T", ADJECTIVE: "K AH N T EH N T"},
    "contract": {NOUN: "K AA N T R AE K T", VERB: "K AH N T R AE K T"},
    "conflict": {NOUN: "K AA N F L IH K T", VERB: "K AH N F L IH K T"},
    "conduct": {NOUN: "K AA N D AH K T", VERB: "K AH N D AH K T"},
    "contest": {NOUN: "K AA N T EH S T", VERB: "K AH N T EH S T"},
    "contrast": {NOUN: "K AA N T R AE S T", VERB: "K AH N T R AE S T"},
    "convict": {NOUN: "K AA N V IH K T", VERB: "K AH N V IH K T"},
    "protest": {NOUN: "P R OW T EH S T", VERB: "P R AH T EH S T"},
    "rebel": {NOUN: "R EH B AH L", VERB: "R IH B EH L"},
    "refuse": {NOUN: "R EH F Y UW Z", VERB: "R IH F Y UW Z"},
    "subject": {NOUN: "S AH B JH IH K T", VERB: "S AH B JH EH K T"},
    "perfect": {ADJECTIVE: "P ER F IH K T", VERB: "P ER F EH K T"},
    "excuse": {NOUN: "IH K S K Y UW S", VERB: "IH K S K Y UW Z"},
    "abuse": {NOUN: "AH B Y UW S", VERB: "AH B Y UW Z"},
    "advocate": {NOUN: "AE D V AH K AH T", VERB: "AE D V AH K EY T"},
    "alternate": {ADJECTIVE: "AO L T ER N AH T", VERB: "AO L T ER N EY T"},
    "appropriate": {ADJECTIVE: "AH P R OW P R IY AH T", VERB: "AH P R OW P R IY EY T"},
    "associate": {NOUN: "AH S OW SH IY AH T", VERB: "AH S OW SH IY EY T"},
    "attribute": {NOUN: "AE T R AH B Y UW T", VERB: "AH T R IH B Y UW T"},
    "deliberate": {ADJECTIVE: "D IH L IH B ER AH T", VERB: "D IH L IH B ER EY T"},
    "delegate": {NOUN: "D EH L AH G AH T", VERB: "D EH L AH G EY T"},
    "duplicate": {NOUN: "D UW P L AH K AH T", VERB: "D UW P L AH K EY T"},
    "elaborate": {ADJECTIVE: "IH L AE B R AH T", VERB: "IH L AE B ER EY T"},
    "estimate": {NOUN: "EH S T AH M AH T", VERB: "EH S T AH M EY T"},
    "graduate": {NOUN: "G R AE JH AH W AH T", VERB: "G R AE JH AH W EY T"},
    "intimate": {ADJECTIVE: "IH N T AH M AH T", VERB: "IH N T AH M EY T"},
    "moderate": {ADJECTIVE: "M AA D ER AH T", VERB: "M AA D ER EY T"},
    "separate": {ADJECTIVE: "S EH P ER AH T", VERB: "S EH P ER EY T"},
    "invalid": {NOUN: "IH N V AH L AH D", ADJECTIVE: "IH N V AE L AH D"},
    "entrance": {NOUN: "EH N T R AH N S", VERB: "EH N T R AE N S"},
    "extract": {NOUN: "EH K S T R AE K T", VERB: "IH K S T R AE K T"},
    "export": {NOUN: "EH K S P AO R T", VERB: "IH K S P AO R T"},
    "polish": {VERB: "P AA L IH SH", NOUN: "P AA L IH SH", "proper": "P OW L IH SH"},
    "buffet": {NOUN: "B AH F EY", VERB: "B AH F AH T"},
    "compound": {NOUN: "K AA M P AW N D", VERB: "K AH M P AW N D"},
    "console": {NOUN: "K AA N S OW L", VERB: "K AH N S OW L"},
    "frequent": {ADJECTIVE: "F R IY K W AH N T", VERB: "F R IY K W EH N T"},
    "moped": {NOUN: "M OW P EH D", VERB: "M OW P T"},
    "resume": {VERB: "R IH Z UW M", NOUN: "R EH Z AH M EY"},
    "learned": {VERB: "L ER N D", ADJECTIVE: "L ER N AH D"},
    "blessed": {VERB: "B L EH S T", ADJECTIVE: "B L EH S AH D"},
    "aged": {VERB: "EY JH D", ADJECTIVE: "EY JH AH D"},
}
_DETERMINERS = frozenset(
    word_list(
        "a an the this that these those my your his her its our their no some any each every either neither "
        "another what which whose one two three four five six ten many few several both all more most such"
    )
)
_MODALS = frozenset(
    word_list(
        "to will would can could shall should may might must do does did don't doesn't didn't won't can't "
        "couldn't wouldn't shouldn't let's please not never cannot gotta gonna ll 'll i'll you'll he'll she'll "
        "we'll they'll i'd you'd he'd she'd we'd they'd"
    )
)
_SUBJECTS = frozenset(["i", "you", "we", "they", "who"])
_THIRD = frozenset(["he", "she", "it"])
_HAVE = frozenset(
    word_list(
        "have has had having be been being is are was were am i've you've we've they've he's she's it's hasn't "
        "haven't hadn't isn't aren't wasn't weren't"
    )
)
_PREPOSITIONS = frozenset(
    word_list(
        "of in on at by for with from about into over under after before between against during without through "
        "near behind above below beyond per"
    )
)
_PAST_CUES = frozenset(word_list("yesterday ago last already once earlier before when then had was were did"))
_ADVERBS = frozenset(
    word_list("always often usually sometimes never also still just only really then quickly slowly now")
)
_FISH = frozenset(word_list("fish fishing caught lake river catch striped sea pond boat hook angler trout pike"))
_METAL = frozenset(
    word_list(
        "metal pipe pipes paint poisoning heavy pencil bullet bullets weight acid battery zinc tin copper "
        "exposure toxic free glass solder roof"
    )
)
_WEATHER = frozenset(
    word_list(
        "rain blew blows blowing storm cold north south east west strong rocks wave sun cloud farm turbine power "
        "howled speed gust gusts chill"
    )
)
_WINDABLE = frozenset(
    word_list("clock watch wool string rope yarn bobbin thread bandage cable spring hose wire up down it")
)
_CURTSY = frozenset(word_list("took take takes taking stage audience knees queen king deep final"))


def choose(words: Sequence[str], index: int) -> Phones | None:
    """Phones of the word at `index` of a sentence's lower-case words, or None if it is no heteronym."""
    entry = _PRONUNCIATIONS.get(words[index])
    if entry is None:
        return None
    kind = _SPECIAL[words[index]](words, index) if words[index] in _SPECIAL else _part_of_speech(words, index, entry)
    return tuple(entry.get(kind, next(iter(entry.values()))).split())


def pronunciations(word: str) -> list[Phones]:
    """All pronunciations of a heteronym, each once; empty for other words."""
    return list(dict.fromkeys(tuple(phones.split()) for phones in _PRONUNCIATIONS.get(word, {}).values()))


def _before(words: Sequence[str], index: int, steps: int = 1) -> str:
    return words[index - steps] if index >= steps else ""


def _after(words: Sequence[str], index: int) -> str:
    return words[index + 1] if index + 1 < len(words) else ""


def _is_verb(words: Sequence[str], index: int) -> bool:
    """Whether closed-class neighbours make the word a verb."""
    before, after = _before(words, index), _after(words, index)
    if before in _ADVERBS and index >= 2:
        before = _before(words, index, 2) if before not in _MODALS else before
    if before == "to":
        return _before(words, index, 2) not in ("due", "thanks", "close", "according", "access", "of")
    if before in _MODALS or before in _SUBJECTS:
        return True
    if before in ("me", "him", "us", "them", "you") and _before(words, index, 2) in ("let", "help", "make", "makes"):
        return True
    if not before or before in ("and", "or", "but", "then"):
        return after in _DETERMINERS or after in ("it", "them", "him", "me", "us", "up", "down", "and")
    return False


def _part_of_speech(words: Sequence[str], index: int, entry: dict[str, str]) -> str:
    if _is_verb(words, index) or (words[index].endswith("s") and _before(words, index) in _THIRD):
        return VERB
    if ADJECTIVE in entry and NOUN not in entry:
        return ADJECTIVE
    if NOUN in entry:
        before = _before(words, index)
        plural_subject = before.endswith("s") and before not in _DETERMINERS and len(before) > 3
        if plural_subject and _after(words, index) in _DETERMINERS and VERB in entry:
            return VERB
        return NOUN
    return next(iter(entry))


def _read(words: Sequence[str], index: int) -> str:
    before, earlier = _before(words, index), _before(words, index, 2)
    if before in _HAVE or (before in _ADVERBS | {"not"} and earlier in _HAVE):
        return PAST
    if before in _MODALS or (before in _ADVERBS and earlier in _MODALS):
        return VERB
    if before in ("well", "widely", "being"):
        return PAST
    if before in _THIRD or (before and before not in _SUBJECTS | _MODALS | {"and", "or", "but"} and index > 0):
        return PAST if _PAST_CUES & set(words) or before in _THIRD or _after(words, index) in _DETERMINERS else VERB
    return PAST if _PAST_CUES & set(words) else VERB


def _live(words: Sequence[str], index: int) -> str:
    before, after = _before(words, index), _after(words, index)
    if before in _MODALS or before in _SUBJECTS or after in ("in", "on", "at", "with", "here", "there", "near", "by"):
        return (
            ADJECTIVE if before in ("broadcast", "played", "perform", "performed", "went", "streamed", "is") else VERB
        )
    if before in ("people", "who", "men", "women", "children") or (
        before.endswith("s") and after not in ("music", "show")
    ):
        return VERB
    return ADJECTIVE if before or after in ("music", "from", "show", "broadcast", "coverage", "updates") else VERB


def _lives(words: Sequence[str], index: int) -> str:
    before = _before(words, index)
    if before in _DETERMINERS or before in _PREPOSITIONS or before in ("saved", "save", "lost", "own", "human"):
        return NOUN
    return VERB


def _wind(words: Sequence[str], index: int) -> str:
    nearby = set(words[index + 1 : index + 4])
    if _before(words, index) in _MODALS | _SUBJECTS or (index == 0 and nearby & (_WINDABLE | _DETERMINERS)):
        return VERB if not nearby & _WEATHER else NOUN
    return NOUN


def _wound(words: Sequence[str], index: int) -> str:
    before = _before(words, index)
    return (
        PAST
        if before in _THIRD | _SUBJECTS or _after(words, index) in ("up", "around", "down", "its", "his", "her")
        else NOUN
    )


def _close(words: Sequence[str], index: int) -> str:
    before, after = _before(words, index), _after(words, index)
    if after in ("to", "by", "enough", "together", "friend", "friends", "up", "call", "range", "relative", "look"):
        return VERB if before in _MODALS and after not in ("to", "by") else ADJECTIVE
    return (
        VERB if _is_verb(words, index) or after in ("the", "your", "it", "my", "this", "that", "at", "a") else ADJECTIVE
    )


def _used(words: Sequence[str], index: int) -> str:
    return (
        "used to"
        if _after(words, index) == "to" and _before(words, index) not in ("is", "are", "was", "were", "be")
        else VERB
    )


def _lead(words: Sequence[str], index: int) -> str:
    if _METAL & set(words) and not _is_verb(words, index):
        return NOUN
    return VERB


def _tear(words: Sequence[str], index: int) -> str:
    return VERB if _is_verb(words, index) or _after(words, index) in ("up", "down", "off", "apart") else NOUN


def _bow(words: Sequence[str], index: int) -> str:
    return VERB if _is_verb(words, index) or _CURTSY & set(words) else NOUN


def _bass(words: Sequence[str], index: int) -> str:
    return "fish" if _FISH & set(words) else NOUN


def _dove(words: Sequence[str], index: int) -> str:
    return (
        PAST
        if _after(words, index) in ("into", "in", "off", "under", "down", "for")
        and _before(words, index) not in _DETERMINERS
        else NOUN
    )


def _minute(words: Sequence[str], index: int) -> str:
    return (
        ADJECTIVE
        if _after(words, index) in ("amounts", "amount", "details", "detail", "traces", "particles", "quantities")
        else NOUN
    )


def _content(words: Sequence[str], index: int) -> str:
    before = _before(words, index)
    return ADJECTIVE if before in _HAVE | {"quite", "very", "perfectly", "not", "feel", "felt", "seemed"} else NOUN


def _learned(words: Sequence[str], index: int) -> str:
    return (
        ADJECTIVE
        if _before(words, index) in ("a", "the", "very", "most", "my") and _after(words, index) not in ("to", "that")
        else VERB
    )


def _aged(words: Sequence[str], index: int) -> str:
    return (
        ADJECTIVE
        if _before(words, index) == "the" or _after(words, index) in ("man", "woman", "mother", "father", "parents")
        else VERB
    )


_SPECIAL = {
    "read": _read,
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
    "bass": _bass,
    "dove": _dove,
    "minute": _minute,
    "content": _content,
    "learned": _learned,
    "blessed": _learned,
    "aged": _aged,
}
