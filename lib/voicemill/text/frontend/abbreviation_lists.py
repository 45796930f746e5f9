"""The abbreviations, and the words beside which they mean something."""

from __future__ import annotations

import re

from voicemill.text.frontend.units import MONTHS, WEEKDAYS, word_list

TITLES = {
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
BARE_TITLES = frozenset(word_list("mr mrs ms dr prof capt lt sgt cpl rev"))
"""Those that are also written without a dot."""
BARE_BEFORE_NAMES = frozenset(
    word_list(
        "mx mme mlle messrs gen col maj adm cmdr cdr pvt sen rep gov pres msgr supt insp det amb hon fr cllr rt brig"
    )
)
"""Those that are also written without a dot, with one capital letter, before a name."""
JOINED_TITLES = frozenset(word_list("mr mrs ms dr"))
"""Those that are also written without a dot and a name, as in `Mr and Mrs`."""
NOUNS = frozenset(word_list("dr prof sgt rev capt"))
"""Those that also stand alone: `is there a Dr here`."""
OWNERS = frozenset(word_list("a the my your his her our their this that another"))
"""Before a title that stands alone."""
NEW_SENTENCE = frozenset(word_list("He She It They We I The A This That But And Then When"))
"""Capitalised words that begin a sentence and are no names."""
PLACES = {
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
STREETS = PLACES.keys() | frozenset(PLACES.values())
"""Kinds of streets, lower case, abbreviated or in full."""
BEFORE_PLACES = {"st": "saint", "mt": "mount", "ft": "fort", "pt": "point"}
BIBLE = {
    "gen": "genesis",
    "exod": "exodus",
    "lev": "leviticus",
    "num": "numbers",
    "deut": "deuteronomy",
    "josh": "joshua",
    "judg": "judges",
    "sam": "samuel",
    "kgs": "kings",
    "chr": "chronicles",
    "chron": "chronicles",
    "neh": "nehemiah",
    "ps": "psalm",
    "prov": "proverbs",
    "eccl": "ecclesiastes",
    "isa": "isaiah",
    "jer": "jeremiah",
    "lam": "lamentations",
    "ezek": "ezekiel",
    "dan": "daniel",
    "hos": "hosea",
    "mic": "micah",
    "zech": "zechariah",
    "mal": "malachi",
    "matt": "matthew",
    "mk": "mark",
    "lk": "luke",
    "jn": "john",
    "rom": "romans",
    "cor": "corinthians",
    "gal": "galatians",
    "eph": "ephesians",
    "phil": "philippians",
    "col": "colossians",
    "thess": "thessalonians",
    "tim": "timothy",
    "heb": "hebrews",
    "jas": "james",
    "pet": "peter",
    "rev": "revelation",
}
"""Before a chapter and a verse."""
SUFFIXES = {"jr": "junior", "sr": "senior", "esq": "esquire"}
POSITIONS = frozenset(
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
REGIONS = frozenset(
    word_list(
        "Africa America Asia Atlantic Carolina Dakota Europe Germany Ireland Korea Macedonia Pacific Sudan Virginia "
        "Vietnam Wales Yorkshire Sussex Midlands Hampshire London Timor Anglia England Yemen Bengal Australia Sea "
        "Coast Territory Island Islands"
    )
)
"""Names of places after a compass letter, besides streets: `N. Korea`."""
BLOWING = frozenset(word_list("wind winds breeze breezes gusts"))
MOVING = frozenset(
    word_list(
        "flows flow flowed runs run ran heads head headed heading drive drove turn turned go went travel miles km mi"
    )
)
ALONG = frozenset(word_list("through along past across toward towards until"))
"""Before and after a compass letter besides streets: `flows N through Egypt`."""
TOWARDS = frozenset(word_list("from to toward towards in into on facing lies"))
"""Before `the` and a direction: wind from the W."""
GENERAL = {
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
"""With a dot; those of `BARE` without one too."""
SIZES = {"lg": "large", "lge": "large", "sm": "small", "sml": "small", "med": "medium"}
"""In recipes and orders, before what they qualify."""
FIGURES = {
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
STREETS_ONLY = frozenset(word_list("blvd ave pkwy hwy"))
"""Those that mean nothing else, so that they may follow `Jr.`."""
SMALL_LETTERS = frozenset(word_list("hr yr wk lb lbs"))
"""In capitals no abbreviations but initialisms."""
BARE = frozenset(["vs", "dept", "approx", "blvd", "ave", "etc", "bldg", "ctrl", "utd"])
BEFORE_NUMBERS = {
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
WORDS_TOO = frozenset(word_list("cat div gr dist pl q sched"))
"""Those that need a capital letter, because a sentence may end with them: `a cat. 4 dogs`."""
LETTERED = frozenset(word_list("app fig figs sec sect ex tab pt vol bk ser rm ste sched exh div cat"))
"""Those that also stand before a single capital letter, as in `App. B`."""
MINISTRIES = frozenset(word_list("prime foreign finance defense defence interior health first deputy cabinet justice"))
"""Before `Min.`, which is a minister there."""
COUNTED_BY_NUMBER = frozenset(
    word_list(
        "telephone phone fax serial account part order model id reference catalog catalogue item flight "
        "license licence room house page policy invoice case registration batch lot "
        "docket claim file application ticket"
    )
)
"""Before `no.`, which is a number there."""
NUMERAL = re.compile(r"[IVXLC]{2,}")
PART_NUMERAL = re.compile(r"[IVX]|[IVXLC]{2,}|[ivxl]{2,}")
PARTS = frozenset(word_list("vol vols ch chap pt bk sec sect art app fig figs tab ser"))
"""Before a Roman numeral, which may be a single letter or in small letters."""
BEFORE_YEARS = {"b": "born", "d": "died", "fl": "flourished", "r": "reigned"}
"""Of a person, in small letters."""
YEAR = re.compile(r"[1-9]\d{2,3}(?!\d)|ca?$")
BARE_PARTS = frozenset(word_list("pg pgs pp vol vols fig figs chap para ext"))
"""Those that are written without a dot in small letters too."""
BARE_BEFORE_NUMBERS = frozenset(word_list("hwy rte ste vol fig figs rm chap"))
"""Those that are also written without a dot, with a capital letter."""
AFTER_NUMBERS = {
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
AFTER_ORDINALS = {
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
LATIN = {
    "e.g": "for example",
    "i.e": "that is",
    "p.s": "p s",
    "a.k.a": "also known as",
    "n.b": "note well",
    "ph.d": "p h d",
    "b.sc": "b s c",
    "m.sc": "m s c",
}
CALENDAR = {
    **{month[:3]: month for month in MONTHS},
    "sept": "september",
    **{day[:3]: day for day in WEEKDAYS},
    "tues": "tuesday",
    "weds": "wednesday",
    "thur": "thursday",
    "thurs": "thursday",
}
AMBIGUOUS_CALENDAR = frozenset(word_list("may mar jan jun sun sat wed mon"))
BARE_CALENDAR = frozenset(word_list("mon tue tues wed weds thu thur thurs fri feb apr aug sept oct nov dec"))
SIGNED = frozenset(word_list("obt most humble hble affectionate loving obedient letter friend servt faithful"))
"""After `yr.` in old letters."""
BEFORE_DATES = frozenset(
    word_list(
        "on in by until till since next last this every from to through of early late mid and or before after for "
        "each between fri thu thurs tue tues wed mon sat sun feb apr aug sept oct nov dec"
    )
)
"""Words before a month or a weekday."""
SENTENCE_FINAL = frozenset(word_list("etc inc ltd corp co jr sr esq bros al hr yr wk lb lbs")) | PLACES.keys()
"""May end a sentence: before a capital letter their dot is a full stop too."""

DOTTED = "|".join(sorted(map(re.escape, LATIN), key=len, reverse=True))
"""Latin abbreviations with inner dots, for the scanner."""
STARTERS = frozenset(
    word_list(
        "the a an in on at to from by and but or so if when while after before near then with for of is was i we "
        "he she it they you this that there here our my his her visit see"
    )
)
