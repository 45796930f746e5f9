"""Abbreviations with and without their dot: titles, streets, months, weekdays, Latin, business, measures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from voicemill.text.frontend.forms import FUNCTION_WORDS
from voicemill.text.frontend.names import AFTER_STREETS, BEFORE_SAINTS, SAINTS, STREET_NAMES
from voicemill.text.frontend.units import MONTHS, WEEKDAYS, word_list

_TITLES = {
    "mr": "mister",
    "mrs": "missus",
    "ms": "miz",
    "mx": "mix",
    "dr": "doctor",
    "prof": "professor",
    "messrs": "messieurs",
    "mme": "madame",
    "mlle": "mademoiselle",
    "capt": "captain",
    "cpt": "captain",
    "lt": "lieutenant",
    "sgt": "sergeant",
    "cpl": "corporal",
    "pvt": "private",
    "maj": "major",
    "cmdr": "commander",
    "col": "colonel",
    "gen": "general",
    "brig": "brigadier",
    "lieut": "lieutenant",
    "ens": "ensign",
    "cdr": "commander",
    "comdr": "commander",
    "msgr": "monsignor",
    "bp": "bishop",
    "abp": "archbishop",
    "atty": "attorney",
    "rt": "right",
    "wm": "william",
    "geo": "george",
    "chas": "charles",
    "jas": "james",
    "thos": "thomas",
    "jos": "joseph",
    "robt": "robert",
    "benj": "benjamin",
    "saml": "samuel",
    "edw": "edward",
    "adm": "admiral",
    "rev": "reverend",
    "fr": "father",
    "sen": "senator",
    "sec": "secretary",
    "rep": "representative",
    "gov": "governor",
    "pres": "president",
    "hon": "honorable",
    "supt": "superintendent",
    "insp": "inspector",
    "det": "detective",
    "amb": "ambassador",
    "br": "brother",
    "dep": "deputy",
    "cllr": "councillor",
    "drs": "doctors",
    "profs": "professors",
    "revs": "reverends",
    "gens": "generals",
    "sens": "senators",
    "reps": "representatives",
    "govs": "governors",
}
"""Before a name, and first names as letters and documents abbreviate them."""
_BARE_TITLES = frozenset(word_list("mr mrs ms dr prof capt lt sgt cpl rev"))
"""Those that are also written without a dot."""
_BARE_BEFORE_NAMES = frozenset(
    word_list(
        "mx mme mlle messrs gen col maj adm cmdr cdr pvt sen rep gov pres msgr supt insp det amb hon fr cllr rt brig"
    )
)
"""Those that are also written without a dot, with one capital letter, before a name."""
_JOINED_TITLES = frozenset(word_list("mr mrs ms dr"))
"""Those that are also written without a dot and a name, as in `Mr and Mrs`."""
_NOUNS = frozenset(word_list("dr prof sgt rev capt"))
"""Those that also stand alone: `is there a Dr here`."""
_OWNERS = frozenset(word_list("a the my your his her our their this that another"))
"""Before a title that stands alone."""
_NEW_SENTENCE = frozenset(word_list("He She It They We I The A This That But And Then When"))
"""Capitalised words that begin a sentence and are no names."""
_PLACES = {
    "st": "street",
    "ave": "avenue",
    "av": "avenue",
    "blvd": "boulevard",
    "rd": "road",
    "ln": "lane",
    "ct": "court",
    "pl": "place",
    "sq": "square",
    "hwy": "highway",
    "pkwy": "parkway",
    "dr": "drive",
    "ter": "terrace",
    "terr": "terrace",
    "cir": "circle",
    "hts": "heights",
    "xing": "crossing",
    "expy": "expressway",
    "tpke": "turnpike",
    "cres": "crescent",
}
"""After a name."""
STREETS = _PLACES.keys() | frozenset(_PLACES.values())
"""Kinds of streets, lower case, abbreviated or in full."""
_BEFORE_PLACES = {"st": "saint", "mt": "mount", "ft": "fort", "pt": "point"}
_SUFFIXES = {"jr": "junior", "sr": "senior", "esq": "esquire"}
_POSITIONS = frozenset(
    word_list(
        "Vice Engineer Manager Editor Director Developer Analyst Executive Consultant Associate Partner Officer "
        "Lecturer Fellow Counsel Scientist Producer Writer Designer Architect Account Project Software"
    )
)
"""After `Sr.`, which means senior there and sister before other names."""
DIRECTIONS = {
    "N": "north",
    "S": "south",
    "E": "east",
    "W": "west",
    "NE": "northeast",
    "NW": "northwest",
    "SE": "southeast",
    "SW": "southwest",
}
"""Compass points."""
_REGIONS = frozenset(
    word_list(
        "Africa America Asia Atlantic Carolina Dakota Europe Germany Ireland Korea Macedonia Pacific Sudan Virginia "
        "Vietnam Wales Yorkshire Sussex Midlands Hampshire London Timor Anglia England Yemen Bengal Australia Sea "
        "Coast Territory Island Islands"
    )
)
"""Names of places after a compass letter, besides streets: `N. Korea`."""
_BLOWING = frozenset(word_list("wind winds breeze breezes gusts"))
_MOVING = frozenset(
    word_list(
        "flows flow flowed runs run ran heads head headed heading drive drove turn turned go went travel miles km mi"
    )
)
_ALONG = frozenset(word_list("through along past across toward towards until"))
"""Before and after a compass letter besides streets: `flows N through Egypt`."""
_TOWARDS = frozenset(word_list("from to toward towards in into on facing lies"))
"""Before `the` and a direction: wind from the W."""
_GENERAL = {
    "etc": "et cetera",
    "vs": "versus",
    "dept": "department",
    "svc": "service",
    "svcs": "services",
    "univ": "university",
    "assn": "association",
    "assoc": "association",
    "govt": "government",
    "intl": "international",
    "natl": "national",
    "approx": "approximately",
    "incl": "including",
    "excl": "excluding",
    "misc": "miscellaneous",
    "tel": "telephone",
    "temp": "temperature",
    "lat": "latitude",
    "ret": "retired",
    "est": "established",
    "avg": "average",
    "inc": "incorporated",
    "ltd": "limited",
    "corp": "corporation",
    "bros": "brothers",
    "tbsp": "tablespoon",
    "tsp": "teaspoon",
    "viz": "namely",
    "cf": "compare",
    "ca": "circa",
    "apt": "apartment",
    "bldg": "building",
    "mfg": "manufacturing",
    "mgr": "manager",
    "asst": "assistant",
    "min": "minimum",
    "max": "maximum",
    "co": "company",
    "ed": "edition",
    "al": "al",
    "feat": "featuring",
    "orig": "original",
    "esp": "especially",
    "equiv": "equivalent",
    "cont": "continued",
    "attn": "attention",
    "qty": "quantity",
    "std": "standard",
    "tech": "technical",
    "exec": "executive",
    "encl": "enclosed",
    "diam": "diameter",
    "transl": "translated",
    "usu": "usually",
    "prev": "previous",
    "mts": "mountains",
    "mtn": "mountain",
    "ctrl": "control",
    "pkg": "package",
    "doz": "dozen",
    "mdse": "merchandise",
    "appt": "appointment",
    "utd": "united",
    "sta": "station",
    "acct": "account",
    "ext": "extension",
    "prof": "professor",
    "supt": "superintendent",
    "atty": "attorney",
    "capt": "captain",
    "sgt": "sergeant",
    "lieut": "lieutenant",
    "hosp": "hospital",
    "stn": "station",
    "jct": "junction",
    "gdns": "gardens",
    "twp": "township",
    "ctr": "center",
    "acad": "academy",
    "inst": "institute",
    "treas": "treasurer",
    "chmn": "chairman",
    "anon": "anonymous",
    "contd": "continued",
    "recd": "received",
    "suppl": "supplement",
    "illus": "illustrated",
    "mkt": "market",
    "mfr": "manufacturer",
    "ctte": "committee",
    "pkt": "packet",
    "qtr": "quarter",
    "amt": "amount",
    "pmt": "payment",
    "stmt": "statement",
    "hdqrs": "headquarters",
    "exc": "except",
    "phila": "philadelphia",
    "yr": "year",
    "hr": "hour",
    "wk": "week",
    "lb": "pound",
    "lbs": "pounds",
    "obt": "obedient",
    "servt": "servant",
    "hble": "humble",
    "genl": "general",
    "govr": "governor",
    "xmas": "christmas",
    "bdrm": "bedroom",
    "mtg": "meeting",
    "yrs": "years",
    "hrs": "hours",
    "mos": "months",
    "wks": "weeks",
    "vocab": "vocabulary",
    "regt": "regiment",
    "batt": "battalion",
}
"""With a dot; those of `_BARE` without one too."""
_SIZES = {"lg": "large", "lge": "large", "sm": "small", "sml": "small", "med": "medium"}
"""In recipes and orders, before what they qualify."""
_FIGURES = {
    "pop": "population",
    "alt": "altitude",
    "elev": "elevation",
    "wt": "weight",
    "ht": "height",
    "amt": "amount",
    "bal": "balance",
    "fol": "folio",
    "col": "column",
    "cols": "columns",
    "ep": "episode",
    "eps": "episodes",
    "v": "verse",
    "vv": "verses",
    "l": "line",
    "ll": "lines",
    "n": "note",
    "nn": "notes",
    "op": "opus",
    "mm": "measures",
}
"""Before a number alone."""
_STREETS_ONLY = frozenset(word_list("blvd ave pkwy hwy"))
"""Those that mean nothing else, so that they may follow `Jr.`."""
_SMALL_LETTERS = frozenset(word_list("hr yr wk lb lbs"))
"""In capitals no abbreviations but initialisms."""
_BARE = frozenset(["vs", "dept", "approx", "blvd", "ave", "etc", "bldg", "ctrl", "utd"])
_BEFORE_NUMBERS = {
    "no": ("number", "numbers"),
    "nos": ("numbers", "numbers"),
    "vol": ("volume", "volumes"),
    "vols": ("volumes", "volumes"),
    "p": ("page", "page"),
    "pp": ("pages", "pages"),
    "pg": ("page", "pages"),
    "pgs": ("pages", "pages"),
    "fig": ("figure", "figure"),
    "figs": ("figures", "figures"),
    "ch": ("chapter", "chapter"),
    "chap": ("chapter", "chapter"),
    "sec": ("section", "section"),
    "art": ("article", "article"),
    "eq": ("equation", "equation"),
    "ex": ("example", "example"),
    "ref": ("reference", "reference"),
    "c": ("circa", "circa"),
    "ext": ("extension", "extension"),
    "par": ("paragraph", "paragraphs"),
    "para": ("paragraph", "paragraphs"),
    "pt": ("part", "parts"),
    "sect": ("section", "sections"),
    "cl": ("clause", "clauses"),
    "bk": ("book", "books"),
    "app": ("appendix", "appendix"),
    "tab": ("table", "tables"),
    "ser": ("series", "series"),
    "ver": ("version", "versions"),
    "rm": ("room", "rooms"),
    "ste": ("suite", "suites"),
    "rte": ("route", "routes"),
    "hwy": ("highway", "highways"),
    "iss": ("issue", "issues"),
    "cat": ("category", "categories"),
    "div": ("division", "divisions"),
    "dist": ("district", "districts"),
    "gr": ("grade", "grades"),
    "lvl": ("level", "levels"),
    "blk": ("block", "blocks"),
    "flt": ("flight", "flights"),
    "sched": ("schedule", "schedules"),
    "q": ("question", "questions"),
    "qs": ("questions", "questions"),
    "ques": ("question", "questions"),
    "pl": ("plate", "plates"),
    "exh": ("exhibit", "exhibits"),
    "cls": ("clauses", "clauses"),
    "jct": ("junction", "junctions"),
    "ll": ("lines", "lines"),
}
_WORDS_TOO = frozenset(word_list("cat div gr dist pl q sched"))
"""Those that need a capital letter, because a sentence may end with them: `a cat. 4 dogs`."""
_LETTERED = frozenset(word_list("app fig figs sec sect ex tab pt vol bk ser rm ste sched exh div cat"))
"""Those that also stand before a single capital letter, as in `App. B`."""
_MINISTRIES = frozenset(word_list("prime foreign finance defense defence interior health first deputy cabinet justice"))
"""Before `Min.`, which is a minister there."""
_COUNTED_BY_NUMBER = frozenset(
    word_list(
        "telephone phone fax serial account part order model id reference catalog catalogue item flight "
        "license licence room house page policy invoice case registration batch lot "
        "docket claim file application ticket"
    )
)
"""Before `no.`, which is a number there."""
_NUMERAL = re.compile(r"[IVXLC]{2,}")
_PART_NUMERAL = re.compile(r"[IVX]|[IVXLC]{2,}|[ivxl]{2,}")
_PARTS = frozenset(word_list("vol vols ch chap pt bk sec sect art app fig figs tab ser"))
"""Before a Roman numeral, which may be a single letter or in small letters."""
_BEFORE_YEARS = {"b": "born", "d": "died", "fl": "flourished", "r": "reigned"}
"""Of a person, in small letters."""
_YEAR = re.compile(r"[1-9]\d{2,3}(?!\d)|ca?$")
_BARE_PARTS = frozenset(word_list("pg pgs pp vol vols fig figs chap para ext"))
"""Those that are written without a dot in small letters too."""
_BARE_BEFORE_NUMBERS = frozenset(word_list("hwy rte ste vol fig figs rm chap"))
"""Those that are also written without a dot, with a capital letter."""
_AFTER_NUMBERS = {
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "sec": ("second", "seconds"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "yr": ("year", "years"),
    "yrs": ("year", "years"),
    "ft": ("foot", "feet"),
    "in": ("inch", "inches"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ed": ("edition", "edition"),
    "c": ("cup", "cups"),
    "tbsp": ("tablespoon", "tablespoons"),
    "tsp": ("teaspoon", "teaspoons"),
    "pkg": ("package", "packages"),
    "pkgs": ("package", "packages"),
    "doz": ("dozen", "dozen"),
    "pt": ("pint", "pints"),
    "qt": ("quart", "quarts"),
    "gal": ("gallon", "gallons"),
    "mi": ("mile", "miles"),
    "yd": ("yard", "yards"),
    "yds": ("yard", "yards"),
    "wk": ("week", "weeks"),
    "wks": ("week", "weeks"),
    "mo": ("month", "months"),
    "mos": ("month", "months"),
    "pcs": ("piece", "pieces"),
    "secs": ("second", "seconds"),
    "tab": ("tablet", "tablets"),
    "tabs": ("tablet", "tablets"),
    "caps": ("capsule", "capsules"),
    "pp": ("page", "pages"),
    "pgs": ("page", "pages"),
    "vols": ("volume", "volumes"),
    "ct": ("count", "count"),
    "ea": ("each", "each"),
    "bdrm": ("bedroom", "bedrooms"),
    "bdrms": ("bedroom", "bedrooms"),
}
_AFTER_ORDINALS = {
    "c": "century",
    "cent": "century",
    "fl": "floor",
    "flr": "floor",
    "ed": "edition",
    "gen": "generation",
    "cir": "circuit",
    "inf": "infantry",
    "bn": "battalion",
    "bde": "brigade",
    "div": "division",
    "cav": "cavalry",
    "sqn": "squadron",
    "inst": "instant",
    "ult": "ultimo",
    "prox": "proximo",
    "regt": "regiment",
}
_LATIN = {
    "e.g": "for example",
    "i.e": "that is",
    "p.s": "p s",
    "a.k.a": "also known as",
    "n.b": "note well",
    "ph.d": "p h d",
    "b.sc": "b s c",
    "m.sc": "m s c",
}
_CALENDAR = {
    **{month[:3]: month for month in MONTHS},
    "sept": "september",
    **{day[:3]: day for day in WEEKDAYS},
    "tues": "tuesday",
    "weds": "wednesday",
    "thur": "thursday",
    "thurs": "thursday",
}
_AMBIGUOUS_CALENDAR = frozenset(word_list("may mar jan jun sun sat wed mon"))
_BARE_CALENDAR = frozenset(word_list("mon tue tues wed weds thu thur thurs fri feb apr aug sept oct nov dec"))
_SIGNED = frozenset(word_list("obt most humble hble affectionate loving obedient letter friend servt faithful"))
"""After `yr.` in old letters."""
_BEFORE_DATES = frozenset(
    word_list(
        "on in by until till since next last this every from to through of early late mid and or before after for "
        "each between fri thu thurs tue tues wed mon sat sun feb apr aug sept oct nov dec"
    )
)
"""Words before a month or a weekday."""
_SENTENCE_FINAL = frozenset(word_list("etc inc ltd corp co jr sr esq bros al hr yr wk lb lbs")) | _PLACES.keys()
"""May end a sentence: before a capital letter their dot is a full stop too."""

DOTTED = "|".join(sorted(map(re.escape, _LATIN), key=len, reverse=True))
"""Latin abbreviations with inner dots, for the scanner."""


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
    final = final and (not context.after or (before_name and context.after not in DIRECTIONS))
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
    if key in _GENERAL and (dotted or key in _BARE) and not (word.isupper() and key in _SMALL_LETTERS):
        ends = final and (key in _SENTENCE_FINAL or not context.after)
        return Abbreviation(_GENERAL[key].split(), ends, _GENERAL[key] if context.after in ("no", "nos") else "")
    return None


def _beside_numbers(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Abbreviations of what a number counts or names."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    numbered = re.fullmatch(r"\d+(?:st|nd|rd|th|d)", context.before) is not None
    if key in _AFTER_NUMBERS and dotted and not word[1:2].isupper() and context.before[-1:].isdigit():
        one, many = _AFTER_NUMBERS[key]
        part = re.fullmatch(r"\d+/\d+", context.before) is not None
        return _done(one if part or context.before == "1" else many, final and not context.after)
    if key in _AFTER_ORDINALS and dotted and numbered:
        return _done(_AFTER_ORDINALS[key], final and not context.after)
    if word in _BEFORE_YEARS and dotted and _YEAR.match(context.after):
        return _done(_BEFORE_YEARS[word])
    numeral = dotted and (_PART_NUMERAL if key in _PARTS else _NUMERAL).fullmatch(context.after) is not None
    if (
        key in _BEFORE_NUMBERS
        and (capital or key not in _WORDS_TOO)
        and (
            numeral
            or (
                context.after[:1].isdigit()
                and (dotted or (capital and key in _BARE_BEFORE_NUMBERS) or key in _BARE_PARTS)
            )
        )
    ):
        several = "-" in context.after or "\u2013" in context.after
        single = key == "no" and (
            context.before.lower() in _COUNTED_BY_NUMBER or re.match(r"\d\d-\d{4}", context.after)
        )
        names = _BEFORE_NUMBERS[key][several and not single]
        return Abbreviation([names], counted=names.capitalize() if numeral else "")
    if dotted and key in _LETTERED and re.fullmatch("[A-HJ-Z]", context.after) and (capital or context.after != "A"):
        name = _BEFORE_NUMBERS[key][0]
        return Abbreviation([name], counted=name if context.after == "A" else "")
    if dotted and key in ("no", "nos") and context.before.lower() in _COUNTED_BY_NUMBER:
        return _done(_BEFORE_NUMBERS[key][0])
    return None


def _in_phrases(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Abbreviations whose neighbours give them another sense, months and weekdays."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    if key in ("min", "maj") and dotted and re.fullmatch("[A-G]", context.before):
        return _done({"min": "minor", "maj": "major"}[key], final and not context.after)
    if key == "sec" and dotted and capital and context.after == "of":
        return _done("secretary")
    if word == "Min" and dotted and context.before.lower() in _MINISTRIES:
        return _done("minister")
    if key == "assoc" and dotted and context.after.lower() in ("prof", "professor", "editor", "dean", "director"):
        return _done("associate")
    if (
        capital
        and (dotted or key in _BARE_CALENDAR or (key in ("sat", "sun") and context.after[:1].isdigit()))
        and key in _CALENDAR
        and _is_calendar(key, context, shouted=word.isupper())
    ):
        return _done(_CALENDAR[key], final and not context.after)
    return None


def _titles_and_streets(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Titles before names, streets after them."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    before_name, after_name = context.after[:1].isupper(), context.before[:1].isupper()
    numbered = re.fullmatch(r"\d+(?:st|nd|rd|th|d)", context.before) is not None
    street = key == "st" and after_name and _is_street_before(context)
    if capital and key in _BEFORE_PLACES and before_name and (key == "st" or dotted) and not street:
        return _done(_BEFORE_PLACES[key])
    bare_title = key in _BARE_TITLES or (key in _BARE_BEFORE_NAMES and _is_name(context.after) and word[1:].islower())
    if word == "v" and dotted and before_name and context.before[:1].isalpha():  # of a trial
        return _done("versus")
    if capital and key in _NOUNS and dotted and context.before.lower() in _OWNERS and context.after in _NEW_SENTENCE:
        return _done(_TITLES[key], True)
    if capital and key in _TITLES and (dotted or bare_title):
        if before_name and not (key == "dr" and after_name and _street_before(context.before)):
            return _done(_TITLES[key])
        if key not in _PLACES and dotted and context.after:
            return _done(_TITLES[key])
    if capital and key in _JOINED_TITLES and context.after in ("and", "or", "&"):
        return _done(_TITLES[key])
    if capital and key in _NOUNS and context.before.lower() in _OWNERS and not before_name:
        return _done(_TITLES[key], final and not context.after)
    if capital and key in _PLACES and (after_name or numbered or (dotted and key in _STREETS_ONLY)):
        return _done(_PLACES[key], final and context.after.lower() not in AFTER_STREETS)
    if (
        key == "sr"
        and word == "Sr"
        and (dotted or not context.before)
        and before_name
        and not after_name
        and context.after not in _POSITIONS
    ):
        return _done("sister")
    return None


def _before_others(word: str, context: WordContext, final: bool) -> Abbreviation | None:
    """Short words that are abbreviations only beside certain others."""
    key, capital, dotted = word.lower(), word[0].isupper(), context.dotted
    before_name, after_name = context.after[:1].isupper(), context.before[:1].isupper()
    if not capital and key in _NOUNS and dotted and context.before.lower() in _OWNERS:
        return _done(_TITLES[key], final)
    if word == "Hon" and context.before.lower() in ("the", "rt", "right"):
        return _done(_TITLES[key])
    if word == "Ste" and before_name:
        return _done("saint")
    if word in ("Sta", "Sto") and dotted and before_name and not after_name:
        return _done({"Sta": "santa", "Sto": "santo"}[word])
    if word == "c" and dotted and context.after in ("A.D.", "AD", "A.D"):
        return _done("circa")
    if word == "Sts" and dotted and before_name:
        return _done("saints")
    if key in _SIZES and dotted and not capital and (context.after[:1].islower() or context.before[-1:].isdigit()):
        return _done(_SIZES[key])
    if (word if len(word) == 1 else key) in _FIGURES and dotted and context.after[:1].isdigit():
        return _done(_FIGURES[key])
    if key == "yr" and context.after.lower() in _SIGNED:
        return _done("your")
    if key == "conf" and dotted and context.after.lower() in ("rm", "room", "call", "center", "centre", "ctr"):
        return _done("conference")
    if key in _SUFFIXES and capital:
        return _done(_SUFFIXES[key], final and not context.after)
    return None


def _is_name(word: str) -> bool:
    """Whether a word is written as a name is: a capital letter and small ones."""
    return re.match(r"[A-Z](?:'[A-Z]|[A-Z]?[a-z])", word) is not None


def expand_dotted(text: str) -> list[str]:
    """Words of a Latin abbreviation that the scanner matched, such as `e.g.`."""
    return _LATIN[text.lower().rstrip(".")].split()


def direction(letters: str, before: Sequence[str], after: Sequence[str]) -> str:
    """The compass direction that one or two letters abbreviate, in the name of a street or after `from the`, or an
    empty string.

    Args:
        letters: capitals.
        before: words before, as written, the nearest first; an empty string is a mark.
        after: words after, likewise.
    """
    if letters not in DIRECTIONS:
        return ""
    if before[0].lower() in _BLOWING and not after[0][:1].isupper():
        return DIRECTIONS[letters]
    if before[0].lower() in _MOVING and (not after[0] or after[0] in FUNCTION_WORDS or after[0] in _ALONG):
        return DIRECTIONS[letters]
    towards = before[0].lower() == "due" or (before[0].lower() == "the" and before[1].lower() in _TOWARDS)
    if towards and (not after[0] or after[0] in FUNCTION_WORDS):
        return DIRECTIONS[letters]
    if after[0] in ("wind", "winds", "corner") or (len(letters) == 2 and after[0] in ("of", "coast", "side")):
        return DIRECTIONS[letters]
    if len(letters) == 1 and re.search(r"\d ?\u00b0$", before[0]):
        return DIRECTIONS[letters]
    if len(letters) == 1 and after[0] in _REGIONS:
        return DIRECTIONS[letters] + ("ern" if after[0] in ("Ireland", "Territory") else "")
    numbered = before[0].isdigit() and before[1].lower() in ("hwy", "highway", "route", "rte", "interstate")
    if len(letters) == 1 and (numbered or re.fullmatch(r"(?:I|US|SR)-?\d+", before[0])):
        return DIRECTIONS[letters]
    nearest = before[0] or (before[1] if before[1].lower() in _PLACES else "")
    if _is_street(nearest) and nearest[:1].isupper() and not (len(letters) == 1 and after[0][:1].isupper()):
        return DIRECTIONS[letters]
    if before[0][:1].isupper() and before[0].lower() not in _STARTERS:
        return ""
    for position, word in enumerate(after):
        if position and _is_street(word):
            return DIRECTIONS[letters]
        if not (word[:1].isupper() or re.fullmatch(r"\d+(?:st|nd|rd|th)", word)):
            break
    return ""


def _is_street(word: str) -> bool:
    return word.lower() in STREETS


def _done(words: str, ends_sentence: bool = False) -> Abbreviation:
    return Abbreviation(words.split(), ends_sentence)


def _is_calendar(key: str, context: WordContext, *, shouted: bool) -> bool:
    if shouted and not (context.after[:1].isdigit() or re.search(r"\d(?:st|nd|rd|th)?$", context.before)):
        return context.dotted  # `4% APR`, `the SAT`
    if key not in _AMBIGUOUS_CALENDAR:
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
    return word.lower() in _BEFORE_DATES or word[-1:].isdigit() or word == ""


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
    return word[:1].isupper() and word.lower() not in _STARTERS


_STARTERS = frozenset(
    word_list(
        "the a an in on at to from by and but or so if when while after before near then with for of is was i we "
        "he she it they you this that there here our my his her visit see"
    )
)
