"""Words in capitals: initialisms spelled by their letters, acronyms read as words, Roman numerals in context."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import Reading, spelled
from voicemill.text.frontend.names import GIVEN_NAMES
from voicemill.text.frontend.units import word_list

_ACRONYMS = frozenset(
    word_list(
        "qwerty vax hal hipaa fafsa wipo defra toefl "
        "nasa nato unesco unicef opec aids radar sonar laser scuba fifa uefa ikea nafta fema osha covid sars swat "
        "asean interpol brexit pin sim ram rom gif lego visa imax nascar bafta oscar aids ansi ascii wasp yuppie "
        "awol moma nasdaq sat act ged mensa captcha wysiwyg tofu asap epcot maga potus scotus flotus dodge hamas "
        "esa iso zip"
    )
) - {"asap", "ged", "esa", "iso", "sat", "act"}
"""Read as words although they are written in capitals."""
_VOWELS = "(?:ai|au|ea|ee|ei|ie|oa|oe|oi|oo|ou|ue|ui|[aeiou])"
_SPEAKABLE = re.compile(
    r"(?:[bdfghjklmnprstvz]|c(?=[aoiurl])|bl|br|cl|cr|dr|fl|fr|gl|gr|pl|pr|sc|sk|sl|sm|sn|sp|st|str|sw|tr|th|sh|ch|qu)"
    rf"{_VOWELS}(?:(?:[bcdfgklmnprstvxz]|[lmnr][bcdfgkpstvz]|ct|ft|ks|ps|pt|sk|sp|st|ck|ll|ss|nn|tt|ff|dd){_VOWELS})*"
    r"(?:[bcdfgklmnprstxyz]|[lmnr][dfgkmnpst]|ct|ft|ks|ps|pt|sk|st|ts|ck|ll|ss|ff|ng|nk|sh|th|ch)?"
)
"""Unknown letters that are read as a word, as `DARPA` and `NIST` are: they alternate as syllables do."""
_EMPHASISED = frozenset(
    word_list(
        "hey sum bug dot gin lan dos wow yay ugh bye sir god oh ah ha hi ho yo uh um "
        "a i the no not all and or but yes you never very must stop go now only this that he she we they is was are do "
        "did can will new old one two big bad out off up down in on at to of for from with what who why how when where "
        "if so my me your our his her its be been has had have get got let may more most any every ever just too also "
        "here there then than them him some such own same few both each other over under again once about after before "
        "good great best free help please thank thanks hello love live real true false right wrong left high low open "
        "close push pull exit enter danger warning caution note important red fire buy max pro fun win hot wet dry run "
        "job day man men boy guy mom dad car bus gas sun sky war law key cut eat pay end far few six ten yet via top "
        "try use ask put set sit see saw say age air arm bag bar bed bit box cat cup dog egg eye fit fly fox gap gun "
        "hat hit ice joy kid kit lap leg lie lot mad map mix mud net nut oil own pan pen pie pig pot raw rid row sad "
        "sex shy ski tax tea tie tip toe toy van add ago"
    )
)
"""Ordinary words that people write in capitals to stress them."""
_NEVER_AFTER_ARTICLES = frozenset(word_list("who is he she we so me do to of at be my us for"))
"""Stressed words of `_EMPHASISED` that follow no article: there, the capitals are an initialism, as in `the WHO`."""
_ARTICLES = frozenset(["the", "a", "an"])
_LETTERED = frozenset(word_list("us it ai un eu uk tv pc id ip hr pr am pm ad bc la dc ok er or")) - {"or", "ok", "er"}
"""Initialisms that are spelled like ordinary words."""
_MIXED = {
    "phd": ["p", "h", "d"],
    "ok": ["okay"],
    "jpeg": ["j", "peg"],
    "mpeg": ["m", "peg"],
    "covid": ["covid"],
    "ios": ["i", "o", "s"],
    "macos": ["mac", "o", "s"],
    "ipad": ["i", "pad"],
    "iphone": ["i", "phone"],
    "ebook": ["e", "book"],
    "wifi": ["why", "fie"],
    "tv": ["t", "v"],
    "tvs": ["t", "v", "s"],
    "pcs": ["p", "c", "s"],
    "json": ["jason"],
    "dvds": ["d", "v", "d", "s"],
    "cds": ["c", "d", "s"],
    "readme": ["read", "me"],
    "cc": ["c", "c"],
    "bcc": ["b", "c", "c"],
    "gmbh": ["g", "m", "b", "h"],
    "mmhg": ["millimeters", "of", "mercury"],
    "saas": ["sass"],
    "paas": ["pass"],
}
_DEGREE = re.compile(r"([BMD])(Sc|Phil|Eng|Ed|Mus|Litt|Arch|Tech|Com|Res|Des|Pharm|Th|Min|Div)('?s)?")
"""An academic degree: `MSc`, `BEngs`."""
_MONARCHS = frozenset(
    word_list(
        "henry louis elizabeth charles george william james edward richard mary philip napoleon paul john pius "
        "benedict leo gregory innocent clement alexander nicholas peter catherine frederick wilhelm ivan otto "
        "ramses ptolemy xerxes darius cleopatra victoria harald olav haakon gustav christian carl juan felipe "
        "alfonso ferdinand umberto victor emmanuel mehmed murad selim suleiman thutmose amenhotep robert david "
        "leopold albert rudolf joseph stephen francis urban boniface celestine julius sixtus adrian eugene martin "
        "constantine theodosius justinian basil menelik baldwin philippe margrethe maximilian"
    )
)
_ROYAL = frozenset(word_list("king queen pope emperor empress tsar czar prince princess sultan kaiser pharaoh"))
_COUNTED = frozenset(
    word_list(
        "chapter part act scene volume book war phase type class section article figure table appendix bowl stage "
        "level grade title round episode season group unit day division corps mark schedule annex verse canto "
        "sonnet symphony apollo saturn rocky rambo superman page fantasy auto civilization"
    )
)
_SMALL_NUMERALS = frozenset(word_list("scene act chapter page part volume book section appendix"))
"""Before Roman numerals in small letters."""
_NOT_NUMERALS = frozenset(
    word_list("MIX DIM CIVIL LIVID VIVID MILL DID LID MD CD DC MC LC CM MM DM CC CV CI DVI MI DI LI")
)
_INFUSED = frozenset(
    word_list("drip drips line lines fluid fluids bag bags pole therapy antibiotics needle pump treatment")
)
"""After `IV`, which means intravenous there; so it does after `an`."""
_VERBS = frozenset(
    word_list(
        "am was think will have had do did would could should can must may might shall want need know see like "
        "love feel hope guess mean say said went go saw came"
    )
)


@dataclass(frozen=True)
class Surroundings:
    """Words around a word in capitals, as written; empty strings at the ends of a paragraph.

    Attributes:
        before: the word before.
        earlier: the word before that.
        after: the word after.
        shouting: most words of the sentence are in capitals.
        series: how the Roman numeral is read that this word continues, as in `Pius XI and XII`: `ordinal`, `cardinal`,
            or empty where there is none.
    """

    before: str
    earlier: str
    after: str
    shouting: bool
    series: str = ""


def read_capitals(word: str, around: Surroundings, listed: Callable[[str], bool]) -> list[Reading] | None:
    """Readings of a word that has at least one capital letter beyond the first, or is a Roman numeral; else None.

    Args:
        word: letters, as written; an `'s` or plural `s` may follow the capitals.
        around: its neighbours.
        listed: whether the pronunciation dictionary lists a lower-case word that is not spoken as its letters.
    """
    key = word.lower()
    numeral = _numeral(word.removesuffix("'s"), around)
    if numeral:
        return [_with_ending(reading, "'s") for reading in numeral] if word.endswith("'s") else numeral
    if key in _MIXED and (not word.islower() or key in ("wifi", "ebook", "ok", "cc", "bcc")):
        return [list(_MIXED[key])]
    mixed = re.fullmatch(r"(.+?)('?s)", key)
    if mixed and mixed[1] in _MIXED and not word.islower():
        return [_with_ending(_MIXED[mixed[1]], mixed[2])]
    if re.fullmatch(r"[a-z][A-Z]{1,4}|[A-Z][a-z][A-Z]", word):
        return [spelled(word)]
    degree = _DEGREE.fullmatch(word)
    if degree:
        field = degree[2] if degree[2] in ("Phil", "Tech") else ""
        names = [*spelled(degree[1]), *([field.lower()] if field else spelled(degree[2]))]
        return [_with_ending(names, degree[3] or "")]
    joined = _joined_words(word, listed)
    if joined:
        return [joined]
    found = re.fullmatch(r"([A-Z]{2,})('?s)?", word)
    if not found:
        return None
    stem, end = found[1].lower(), found[2] or ""
    letters = spelled(stem)
    if around.before.lower() in _ARTICLES and stem in _NEVER_AFTER_ARTICLES and not around.shouting:
        return [_with_ending(letters, "'s") if end else letters, [stem + end]]
    if around.shouting and (listed(stem) or len(stem) > 5):
        return [[stem + end]]
    word_like = listed(stem) or len(stem) > 6 or _SPEAKABLE.fullmatch(stem) is not None
    if stem in _ACRONYMS or (len(stem) >= 4 and word_like) or stem in _EMPHASISED:
        return [[stem + end], [*spelled(stem), *([end.strip("'")] if end else [])]]
    if end:
        return [[*letters[:-1], letters[-1].lower() + "'s"], [*letters, "s"]]
    return [letters, [stem]] if listed(stem) and stem not in _LETTERED else [letters]


def is_word(stem: str) -> bool:
    """Whether letters of three or more are read as a word although they are written in capitals; lower case."""
    return len(stem) > 2 and (stem in _ACRONYMS or stem in _EMPHASISED)


def numeral_kind(word: str, reading: Reading) -> str:
    """How a word was read: `ordinal` or `cardinal` for a Roman numeral, otherwise empty."""
    value = numbers.roman(word)
    if value is None:
        return ""
    if reading == numbers.cardinal(value):
        return "cardinal"
    return "ordinal" if reading == ["the", *numbers.ordinal(value)] else ""


def _with_ending(words: Reading, ending: str) -> Reading:
    """Words with a plural or possessive ending on the last; a letter's name takes an apostrophe."""
    last = words[-1].lower()
    if not ending:
        return words
    return [*words[:-1], last + ("'s" if len(last) == 1 else ending)]


def _joined_words(word: str, listed: Callable[[str], bool]) -> Reading:
    """The words that are joined in names of programs, such as `getUserName` or `PowerPoint`; otherwise empty."""
    if not re.search("[a-z][A-Z]", word) or not word.isalpha() or (word[0].isupper() and listed(word.lower())):
        return []
    pieces = re.findall(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]", word)
    if word[0].isupper() and not all(listed(piece.lower()) for piece in pieces):
        return []
    if min(map(len, pieces)) < 2 or pieces[0] in ("Mc", "Mac", "De", "La", "Le", "Di", "Van", "Von", "Fitz"):
        return []
    return [part for piece in pieces for part in (spelled(piece) if piece.isupper() else [piece.lower()])]


def _numeral(word: str, around: Surroundings) -> list[Reading] | None:
    before = around.before.lower()
    lower = word.islower() and before in _SMALL_NUMERALS and (around.before[:1].isupper() or len(word) > 1)
    upper = word.upper() if lower else word
    value = numbers.roman(upper)
    if upper == "IV" and (before == "an" or around.after.lower() in _INFUSED):
        return [spelled(upper), numbers.cardinal(value or 4)]
    if value is None or upper in _NOT_NUMERALS or (around.shouting and len(upper) < 3):
        return None
    if around.series and value is not None and upper.isupper() and value < 60 and upper not in _NOT_NUMERALS:
        if upper == "I" and around.after.islower():  # the pronoun
            return None
        ordinal, cardinal = ["the", *numbers.ordinal(value)], numbers.cardinal(value)
        return [ordinal, cardinal] if around.series == "ordinal" else [cardinal, ordinal]
    royal = before in _MONARCHS or (around.earlier.lower() in _ROYAL and around.before[:1].isupper())
    if royal and value < 40 and around.before[:1].isupper():
        if len(upper) > 1 or around.earlier.lower() in _ROYAL:
            return [["the", *numbers.ordinal(value)], numbers.cardinal(value)]
        if upper == "I" and (
            not around.after or (around.after.islower() and around.after not in _VERBS - {"was", "had", "did"})
        ):
            return [["the", "first"]]
        return [["the", *numbers.ordinal(value)], spelled(upper)] if upper == "V" else None
    if (before in _COUNTED or before.removesuffix("s") in _COUNTED) and not (
        upper == "I" and before in ("part", "day", "level") and around.after in _VERBS - {"was", "had", "did"}
    ):
        return [numbers.cardinal(value), spelled(upper)]
    if len(upper) == 1:
        return None
    if len(upper) >= 4 and 1000 <= value <= 2100:
        return [numbers.year(value), numbers.cardinal(value)]
    if set(upper) <= set("IVX") and word.isupper():
        if before == "the" or around.after.lower() in ("century", "centuries"):
            return [numbers.ordinal(value), numbers.cardinal(value), spelled(upper)]
        ordinal, cardinal = ["the", *numbers.ordinal(value)], numbers.cardinal(value)
        person = around.before[:1].isupper() and around.earlier.lower() in GIVEN_NAMES and before not in _COUNTED
        first, second = (ordinal, cardinal) if person and value < 10 else (cardinal, ordinal)
        return [first, second, spelled(upper)]
    if len(upper) > 2 and around.before[:1].isupper():
        return [numbers.cardinal(value), spelled(upper)]
    return None
