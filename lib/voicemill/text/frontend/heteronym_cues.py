"""Words near a heteronym that decide what it means: metals, weather, fish, crying, bows."""

from __future__ import annotations

from voicemill.text.frontend.units import word_list

SHOWING = frozenset(
    word_list("watch see hear show broadcast stream play perform air aired streaming coverage concert performance")
)
FISH = frozenset(word_list("fish fishing caught lake river catch striped sea pond boat hook angler trout pike"))
METAL = frozenset(
    word_list(
        "metal pipe pipes paint poisoning heavy heavier pencil bullet bullets weight acid battery zinc tin copper gold "
        "silver iron exposure toxic free glass solder roof unleaded mercury arsenic"
    )
)
WEATHER = frozenset(
    word_list(
        "rain blew blows blowing storm cold north south east west strong rocks wave sun cloud farm turbine power "
        "howled speed gust gusts chill"
    )
)
WINDABLE = frozenset(
    word_list("clock watch wool string rope yarn bobbin thread bandage cable spring hose wire up down it")
)
CURTSY = frozenset(
    word_list(
        "took take takes taking stage audience knees queen king deep final ship boat ship's boat's stern hull deck "
        "applause curtsy actors"
    )
)
BOWED = frozenset(
    word_list("arrow arrows archer hunter violin violins cello viola tie ties ribbon hair yew string quiver dress")
)
QUARRELS = frozenset(word_list("broke breaks erupted erupts over about between blew flared"))
"""After `row`, a quarrel."""
QUARRELSOME = frozenset(word_list("blazing furious fierce heated bitter diplomatic political public angry terrible"))
"""Before `row`, likewise."""
CRYING = frozenset(
    word_list(
        "eye eyes cheek cheeks face cry cried crying shed sheds wiped wipe rolled ran gas wept fell single sad fought "
        "joy burst sob sobbed laughter duct"
    )
)
RIPPED = frozenset(
    word_list(
        "paper cloth shirt jacket coat fabric sail muscle ligament wear trousers seam hole jeans dotted perforated "
        "tendon tissue retina sleeve curtain page meniscus skirt stocking canvas"
    )
)
LIFE_VERBS = frozenset(
    word_list(
        "lead leads led live lived spend spends spent save saves saved saving lose loses lost losing risk risked ruin "
        "ruins ruined change changes changed destroy destroyed cost costs claim claimed take takes took improve "
        "improved touch touched transform transformed have had own human own busy"
    )
)
KEEPING = frozenset(
    word_list(
        "keep keeps kept keeping hold holds held holding stay stays stayed pull pulled draw drew come came get got "
        "sit sat stand stood lean leaned"
    )
)
CONTENTED = frozenset(
    word_list(
        "life man men woman women cat cats dog dogs puppy kitten cow cows animal animals smile sigh child children "
        "baby babies boy girl person people look heart mind old crowd customer customers employee employees worker "
        "workers family families couple husband wife mother father parent parents king queen population citizen "
        "citizens resident residents nation face expression silence purr grin mood retirement existence soul spirit "
        "guest guests passenger passengers pupil pupils student students farmer shepherd farmers"
    )
)
"""After `content`, which describes people and animals there, their looks and their lives."""
DEER = frozenset(word_list("deer buck bucks stag stags fawn fawns herd"))
AFTER_MINUTE = frozenset(
    word_list(
        "ago later longer long more past early late earlier each apart or please sir or so hand hands walk drive ride "
        "silence steak i you he she we they it and here there left now away"
    )
)
"""After `a minute`, sixty seconds."""
LEADEN = frozenset(
    word_list("poisoning pipe pipes paint paints acid bullet bullets shot weights exposure crystal ore solder sinker")
)
"""After `lead`, the metal."""
