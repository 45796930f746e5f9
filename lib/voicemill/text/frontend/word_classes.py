"""Closed-class words and word shapes from which parts of speech are guessed."""

from __future__ import annotations

from voicemill.text.frontend.units import word_list

DETERMINERS = frozenset(
    word_list(
        "a an the this that these those my your his her its our their no some any each every either neither "
        "another what which whose one two three four five six seven eight nine ten many few several both all more most "
        "such"
    )
)
POSSESSIVES = frozenset(word_list("my your his her its our their whose"))
AUXILIARIES = frozenset(
    word_list(
        "will would can could shall should may might must do does did don't doesn't didn't won't can't couldn't "
        "wouldn't shouldn't cannot needn't mustn't mightn't shan't"
    )
)
MODALS = AUXILIARIES | frozenset(
    word_list(
        "to let's please never cannot gotta gonna ll 'll i'll you'll he'll she'll we'll they'll i'd you'd he'd she'd "
        "we'd they'd"
    )
)
SUBJECTS = frozenset(["i", "you", "we", "they", "who"])
THIRD = frozenset(word_list("he she it nobody everybody everyone someone somebody anyone anybody"))
OBJECTS = frozenset(["me", "him", "us", "them", "it", "you"])
CAUSATIVES = frozenset(word_list("let lets help helps make makes made see saw hear heard watch watched"))
BE = frozenset(
    word_list(
        "be been being is are was were am isn't aren't wasn't weren't he's she's it's i'm you're we're they're that's"
    )
)
HAVE = frozenset(
    word_list("have has had having i've you've we've they've he's she's it's hasn't haven't hadn't been being be")
)
SEEMING = frozenset(word_list("seem seems seemed look looks looked feel feels felt sound sounds become became remain"))
PREPOSITIONS = frozenset(
    word_list(
        "of in on at by for with from about into over under after before between against during without through "
        "near behind above below beyond per across around along off toward towards inside outside among within next"
    )
)
PLACES = frozenset(
    word_list("here there alone together nearby upstairs downstairs abroad forever somewhere happily up down like")
)
FREQUENCY = frozenset(word_list("every always often usually sometimes daily weekly never"))
PAST_TIMES = frozenset(word_list("yesterday ago last"))
CLAUSE_STARTS = frozenset(
    word_list(
        "that which who when if because before after as while where and but or so than what how why although though "
        "until unless since whether"
    )
)
_ADVERBS = frozenset(
    word_list("always often usually sometimes never also still just only really then now already ever soon even")
)
_PAST = frozenset(
    word_list(
        "was were had did said told went came sat took saw knew found thought felt wrote got gave left began kept "
        "brought stood lost made heard ran fell held met paid sent sold spoke spent won grew broke chose drew drove "
        "ate flew forgot hid rode rose sang slept stole swam threw woke wore"
    )
)
_PLURALS = frozenset(
    word_list("people men women children police fish sheep cattle deer mice geese parents some others both many mine")
)
_NO_PLURALS = frozenset(
    word_list(
        "is was has this its his us as yes always does perhaps plus across less unless thus news gas bus lens "
        "series species besides sometimes afterwards towards whereas sports sales makes takes gives gets goes "
        "says comes wants needs seems looks knows thinks keeps tells shows finds means helps leaves feels brings "
        "begins holds turns asks becomes sets runs sees hears watches contains includes owns sells buys reads "
        "writes plays starts stops breaks loses wins offers creates follows allows adds remains appears"
    )
)


def is_adverb(word: str) -> bool:
    """Whether a word may stand between a subject and its verb."""
    return word in _ADVERBS or (word.endswith("ly") and len(word) > 4 and word not in ("family", "only", "italy"))


def is_plural(word: str) -> bool:
    """Whether a word looks like a plural noun."""
    if word in _PLURALS:
        return True
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "ous", "'s")) and word not in _NO_PLURALS


def is_past(word: str) -> bool:
    """Whether a word looks like a verb in the past tense."""
    return word in _PAST or (len(word) > 4 and word.endswith("ed"))


def is_finite(word: str) -> bool:
    """Whether a word is, or looks like, a finite verb."""
    return is_past(word) or word in BE or word in HAVE or word in AUXILIARIES


def is_closed_class(word: str) -> bool:
    """Whether a word is of a closed class, or there is none."""
    return not word or word in DETERMINERS | PREPOSITIONS | CLAUSE_STARTS or is_finite(word)
