"""Pronunciations of words that are spelled alike, by part of speech.

Merriam-Webster's first pronunciations, as ARPABET without stress.
"""

from __future__ import annotations

from voicemill.text.endings import plural
from voicemill.text.frontend.units import word_list

NOUN, VERB, PAST, ADJECTIVE, PROPER = "noun", "verb", "past", "adjective", "proper"

PRONUNCIATIONS: dict[str, dict[str, str]] = {
    "read": {VERB: "R IY D", PAST: "R EH D"},
    "live": {VERB: "L IH V", ADJECTIVE: "L AY V"},
    "lives": {VERB: "L IH V Z", NOUN: "L AY V Z"},
    "wind": {NOUN: "W IH N D", VERB: "W AY N D"},
    "winds": {NOUN: "W IH N D Z", VERB: "W AY N D Z"},
    "wound": {NOUN: "W UW N D", PAST: "W AW N D"},
    "close": {VERB: "K L OW Z", ADJECTIVE: "K L OW S"},
    "does": {VERB: "D AH Z", NOUN: "D OW Z"},
    "use": {NOUN: "Y UW S", VERB: "Y UW Z"},
    "uses": {NOUN: "Y UW S IH Z", VERB: "Y UW Z IH Z"},
    "used": {VERB: "Y UW Z D", "used to": "Y UW S T"},
    "lead": {VERB: "L IY D", NOUN: "L EH D"},
    "tear": {NOUN: "T IH R", VERB: "T EH R"},
    "tears": {NOUN: "T IH R Z", VERB: "T EH R Z"},
    "bow": {NOUN: "B OW", VERB: "B AW"},
    "bows": {NOUN: "B OW Z", VERB: "B AW Z"},
    "shew": {VERB: "SH OW"},
    "shews": {VERB: "SH OW Z"},
    "shewed": {PAST: "SH OW D"},
    "shewn": {PAST: "SH OW N"},
    "shewing": {VERB: "SH OW IH NG"},
    "row": {NOUN: "R OW", "quarrel": "R AW"},
    "rows": {NOUN: "R OW Z", "quarrel": "R AW Z"},
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
    "estimates": {NOUN: "EH S T AH M AH T S", VERB: "EH S T AH M EY T S"},
    "contracts": {NOUN: "K AA N T R AE K T S", VERB: "K AH N T R AE K T S"},
    "conflicts": {NOUN: "K AA N F L IH K T S", VERB: "K AH N F L IH K T S"},
    "rebels": {NOUN: "R EH B AH L Z", VERB: "R IH B EH L Z"},
    "excuses": {NOUN: "IH K S K Y UW S IH Z", VERB: "IH K S K Y UW Z IH Z"},
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
    "polish": {VERB: "P AA L IH SH", NOUN: "P AA L IH SH", PROPER: "P OW L IH SH"},
    "buffet": {NOUN: "B AH F EY", VERB: "B AH F AH T"},
    "compound": {NOUN: "K AA M P AW N D", VERB: "K AH M P AW N D"},
    "console": {NOUN: "K AA N S OW L", VERB: "K AH N S OW L"},
    "frequent": {ADJECTIVE: "F R IY K W AH N T", VERB: "F R IY K W EH N T"},
    "moped": {NOUN: "M OW P EH D", VERB: "M OW P T"},
    "resume": {VERB: "R IH Z UW M", NOUN: "R EH Z AH M EY"},
    "learned": {VERB: "L ER N D", ADJECTIVE: "L ER N AH D"},
    "blessed": {VERB: "B L EH S T", ADJECTIVE: "B L EH S AH D"},
    "aged": {VERB: "EY JH D", ADJECTIVE: "EY JH AH D"},
    "dogged": {VERB: "D AO G D", ADJECTIVE: "D AO G AH D"},
    "progress": {NOUN: "P R AA G R EH S", VERB: "P R AH G R EH S"},
    "refund": {NOUN: "R IY F AH N D", VERB: "R IH F AH N D"},
    "defect": {NOUN: "D IY F EH K T", VERB: "D IH F EH K T"},
    "proceeds": {NOUN: "P R OW S IY D Z", VERB: "P R AH S IY D Z"},
    "convert": {VERB: "K AH N V ER T", NOUN: "K AA N V ER T"},
    "construct": {VERB: "K AH N S T R AH K T", NOUN: "K AA N S T R AH K T"},
    "exploit": {VERB: "IH K S P L OY T", NOUN: "EH K S P L OY T"},
    "recall": {VERB: "R IH K AO L", NOUN: "R IY K AO L"},
    "reject": {VERB: "R IH JH EH K T", NOUN: "R IY JH EH K T"},
    "converse": {VERB: "K AH N V ER S", NOUN: "K AA N V ER S"},
    "diffuse": {VERB: "D IH F Y UW Z", ADJECTIVE: "D IH F Y UW S"},
    "coordinate": {VERB: "K OW AO R D AH N EY T", NOUN: "K OW AO R D AH N AH T"},
    "initiate": {VERB: "IH N IH SH IY EY T", NOUN: "IH N IH SH IY AH T"},
    "affiliate": {VERB: "AH F IH L IY EY T", NOUN: "AH F IH L IY AH T"},
    "articulate": {VERB: "AA R T IH K Y AH L EY T", ADJECTIVE: "AA R T IH K Y AH L AH T"},
    "animate": {VERB: "AE N AH M EY T", ADJECTIVE: "AE N AH M AH T"},
    "approximate": {ADJECTIVE: "AH P R AA K S AH M AH T", VERB: "AH P R AA K S AH M EY T"},
    "aggregate": {NOUN: "AE G R AH G AH T", VERB: "AE G R AH G EY T"},
    "legitimate": {ADJECTIVE: "L AH JH IH T AH M AH T", VERB: "L AH JH IH T AH M EY T"},
    "subordinate": {ADJECTIVE: "S AH B AO R D AH N AH T", VERB: "S AH B AO R D AH N EY T"},
    "predicate": {NOUN: "P R EH D AH K AH T", VERB: "P R EH D AH K EY T"},
    "syndicate": {NOUN: "S IH N D AH K AH T", VERB: "S IH N D AH K EY T"},
    "degenerate": {ADJECTIVE: "D IH JH EH N ER AH T", VERB: "D IH JH EH N ER EY T"},
    "consummate": {ADJECTIVE: "K AA N S AH M AH T", VERB: "K AA N S AH M EY T"},
    "houses": {NOUN: "HH AW Z AH Z", VERB: "HH AW Z AH Z"},
}
MOSTLY_VERBS = frozenset(
    word_list(
        "convert construct exploit recall reject converse diffuse coordinate initiate affiliate articulate animate"
    )
)
"""Words that are verbs unless a determiner, a preposition or a form of `be` is before them."""
_WITH_S = word_list(
    "protest conduct contest contrast convict extract export compound subject refund convert construct defect "
    "exploit reject console advocate alternate associate delegate duplicate graduate separate attribute abuse "
    "coordinate initiate affiliate aggregate predicate house subordinate syndicate recall perfect"
)
for _word in _WITH_S:  # the plural of the noun and the third person of the verb
    PRONUNCIATIONS.setdefault(
        _word + "s",
        {
            NOUN if kind == ADJECTIVE else kind: " ".join((*phones.split(), *plural(tuple(phones.split()))))
            for kind, phones in PRONUNCIATIONS[_word].items()
        },
    )
MOSTLY_VERBS |= {_word + "s" for _word in MOSTLY_VERBS & set(_WITH_S)}

NAMES = {
    "nice": "N IY S",
    "reading": "R EH D IH NG",
    "mobile": "M OW B IY L",
    "job": "JH OW B",
    "herb": "HH ER B",
    "lima": "L IY M AH",
    "slough": "S L AW",
    "natal": "N AH T AA L",
}
"""Words that are pronounced otherwise as names; the dictionary has the word."""
PLACE_NAMES = frozenset(["nice", "reading", "mobile", "slough", "natal"])
"""Those that are names of places, which a preposition shows."""
