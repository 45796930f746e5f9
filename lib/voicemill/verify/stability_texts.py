"""Sentences for the measurement of stability: one word to 400 characters, with numbers, names and lists, by seed."""

from __future__ import annotations

import random
from collections.abc import Callable

LONGEST = 400
"""Characters of a sentence."""


def _each(text: str) -> list[str]:
    """The pieces of a text between bars, so that long lists stay readable."""
    return text.split("|")


_SUBJECTS = _each(
    "the teacher|my brother|an old friend|the captain|our neighbor|the doctor|every child|the river|this machine|"
    "the last train|a small dog|the whole team|the weather|her mother|the new library|their garden"
)
_VERBS = _each(
    "found|opened|carried|watched|finished|remembered|painted|followed|described|moved|cleaned|visited|counted|"
    "protected|collected|repaired"
)
_OBJECTS = _each(
    "the green door|a box of apples|the morning paper|several letters|the kitchen table|an empty bottle|the old bridge|"
    "three heavy bags|the music room|a map of the island|the broken window|a glass of water|the long road|"
    "the white house|a bowl of soup|the summer market"
)
_PLACES = _each(
    "near the station|behind the school|on the hill|across the street|in the village|under the trees|by the sea|"
    "at the end of the road|next to the church|inside the museum"
)
_TIMES = _each(
    "this morning|after lunch|before sunset|last winter|in the evening|every Sunday|a week later|at midnight|"
    "in early spring|on the first day"
)
_JOINTS = _each("and|but|while|because|although|so")
_WORDS = _each(
    "yes|hello|tomorrow|welcome|water|seventeen|beautiful|important|elephant|Saturday|yesterday|together|morning|"
    "question|information|remember|wonderful|February|everything|mountain|understand|fourteen|picture|holiday|"
    "sandwich|umbrella|university|chocolate|animal|hospital|kitchen|garden|newspaper|tomato|potato|vegetable"
)
_SHORT = _each(
    "Good morning.|Thank you very much.|See you tomorrow.|Where are you going?|That sounds great!|I do not know.|"
    "Please come in.|What time is it?|Have a nice day!|Nothing has changed.|Open the window, please.|"
    "It is raining again.|We are almost there.|Who called you?|Take your time."
)
_FIRST = _each("Anna|Peter|Maria|James|Laura|David|Emily|Robert|Susan|Thomas|Julia|Michael|Sarah|Daniel|Helen|George")
_LAST = _each(
    "Miller|Johnson|Cooper|Wilson|Baker|Taylor|Carter|Walker|Harrison|Bennett|Collins|Murphy|Parker|Stewart|Turner"
)
_CITIES = _each("London|Boston|Chicago|Berlin|Paris|Madrid|Vienna|Toronto|Sydney|Denver|Dublin|Seattle|Oxford|Houston")
_THINGS = _each(
    "bread|butter|milk|apples|coffee|cheese|rice|honey|carrots|lemons|paper|pencils|candles|blankets|flowers|soap"
)
_MONTHS = _each("January|February|March|April|May|June|July|August|September|October|November|December")


def sentences(count: int, seed: int = 1) -> list[str]:
    """`count` sentences; the same seed gives the same ones, and fewer are the first of more."""
    random_ = random.Random(seed)  # noqa: S311  # sentences, not secrets
    kinds = (_one_word, _short, _plain, _plain, _numbers, _numbers, _names, _list, _long, _longest)
    made: list[str] = []
    while len(made) < count:
        kind = kinds[len(made) % len(kinds)]
        made.append(kind(random_)[:LONGEST])
    return made


def _one_word(random_: random.Random) -> str:
    return _sentence(random_.choice(_WORDS))


def _short(random_: random.Random) -> str:
    return random_.choice(_SHORT)


def _clause(random_: random.Random) -> str:
    words = [random_.choice(_SUBJECTS), random_.choice(_VERBS), random_.choice(_OBJECTS)]
    if random_.random() < 0.7:
        words.append(random_.choice(_PLACES))
    if random_.random() < 0.5:
        words.append(random_.choice(_TIMES))
    return " ".join(words)


def _plain(random_: random.Random) -> str:
    return _sentence(_clause(random_))


def _numbers(random_: random.Random) -> str:
    number = random_.randint
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"the ticket costs ${number(2, 99)}.{number(10, 99)}",
        lambda: (
            f"call {number(200, 999)}-{number(200, 999)}-{number(1000, 9999)} by {number(1, 11)}:{number(10, 59)} pm"
        ),
        lambda: f"on {random_.choice(_MONTHS)} {number(1, 28)}, {number(1900, 2026)}, {_clause(random_)}",
        lambda: f"about {number(2, 98)}% of the {number(1000, 99_999):,} visitors came by train",
        lambda: f"the road is {number(2, 90)} km long and {number(3, 20)} meters wide",
        lambda: (
            f"page {number(2, 400)} says that the {number(2, 30)}th house was sold for {number(100, 900)},000 dollars"
        ),
        lambda: f"it was {number(1, 30)} degrees at {number(1, 12)}:{number(10, 59)} in the morning",
    )
    return _sentence(random_.choice(forms)())


def _names(random_: random.Random) -> str:
    first, last, city = random_.choice(_FIRST), random_.choice(_LAST), random_.choice(_CITIES)
    title = random_.choice(("Dr.", "Mr.", "Mrs."))
    other = random_.choice(_CITIES)
    return _sentence(
        random_.choice(
            (
                f"{title} {last} and {first} {random_.choice(_LAST)} met in {city}",
                f"{first} {last} moved from {city} to {other} {random_.choice(_TIMES)}",
                f"did {first} tell {title} {last} about the trip to {city}?",
            )
        )
    )


def _list(random_: random.Random) -> str:
    things = random_.sample(_THINGS, random_.randint(3, 7))
    return _sentence(f"we need {', '.join(things[:-1])} and {things[-1]} {random_.choice(_TIMES)}")


def _long(random_: random.Random) -> str:
    return _joined(random_, random_.randint(120, 240))


def _longest(random_: random.Random) -> str:
    return _joined(random_, random_.randint(300, LONGEST - 2))


def _joined(random_: random.Random, most: int) -> str:
    text = _clause(random_)
    while True:
        longer = f"{text}, {random_.choice(_JOINTS)} {_clause(random_)}"
        if len(longer) > most:
            return _sentence(text)
        text = longer


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".?!" else f"{text}."
