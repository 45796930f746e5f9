"""Sentences for an engine to read: our own, chosen for their phones, then sentences that are put together from words.

The written sentences are those that the studio shows to people (CC0 1.0). An engine can read for longer than they last;
what follows is plain English without numbers and abbreviations, different from the texts of the stability test.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from voicemill.text import sentence_choice

_BATCH = 40
"""Generated sentences among which the choice is made."""


def _each(text: str) -> list[str]:
    """The pieces of a text between bars, so that long lists stay readable."""
    return text.split("|")


_PEOPLE = _each(
    "a young nurse|the gardener|my cousin Ruth|his uncle|the violin teacher|an honest judge|two fishermen|"
    "the plumber|a tired waiter|our guide|the youngest daughter|an old shepherd|the postman|her landlord|"
    "a curious boy|the vet|three engineers|the choir|a stranger|the pilot|my grandfather|the bishop|both sisters|"
    "the jury"
)
_DEEDS = _each(
    "measured|borrowed|sharpened|forgot|rescued|wrapped|polished|praised|questioned|traded|unlocked|stitched|"
    "weighed|photographed|noticed|chose|swallowed|threw away|sketched|dug up|froze|judged|joined|vanished with"
)
_THINGS = _each(
    "the copper kettle|a bundle of straw|five yellow roses|an unusual vase|the cheap violin|a jar of ginger|"
    "the heavy anchor|a pair of leather gloves|the royal seal|an orange scarf|two cups of flour|"
    "the youth club's boat|a length of chain|the judge's chair|a thin blue thread|the church organ|"
    "some cold porridge|a wooden giraffe|the treasure|an empty notebook|the edge of the quilt|a box of matches|"
    "the shoe shop|a very loud whistle"
)
_WHERE = _each(
    "beneath the oak|beyond the quarry|outside the bakery|near the lighthouse|between the houses|"
    "on the far shore|at the foot of the stairs|above the garage|around the corner|in the south wing|"
    "along the canal|by the fireplace|inside the barn|past the vineyard|over the marsh|through the thick fog"
)
_WHEN = _each(
    "just before dawn|on a foggy Thursday|during the strike|without a word|at the usual hour|as the bells rang|"
    "with great pleasure|in the coldest week|after the concert|when nobody was watching|for the third time|"
    "in silence|once again|with both hands|in spite of the rain|the next day"
)
_QUESTIONS = _each(
    "Why did {who} want {what}?|Did {who} really leave {what} {where}?|Who saw {what} {where}?|"
    "Could {who} not have found {what} {when}?|What would {who} do with {what}?"
)
_STATEMENTS = _each(
    "{who} {did} {what} {where}.|{when}, {who} {did} {what}.|{who} {did} {what} {when}.|"
    "I never thought that {who} had {what} {where}.|{who} asked for {what}, but got nothing.|"
    "They say {who} {did} {what} {where}, and I believe it.|Please tell {who} that {what} is still {where}.|"
    "If {who} comes, show them {what} {where}."
)


def reading_list(seed: int) -> Iterator[str]:
    """Sentences without end: the written ones first, each in an order that adds the most pairs of phones.

    Args:
        seed: the same one gives the same list.
    """
    written = sentence_choice.sentences()
    yield from sentence_choice.choose(len(written), seed)
    drawn = random.Random(seed)  # noqa: S311 - no secret
    while True:
        batch = [_sentence(drawn) for _ in range(_BATCH)]
        yield from sentence_choice.choose(len(batch), drawn.randrange(1 << 30), batch)


def _sentence(drawn: random.Random) -> str:
    pattern = drawn.choice(_STATEMENTS if drawn.random() < 0.85 else _QUESTIONS)
    filled = pattern.format(
        who=drawn.choice(_PEOPLE),
        did=drawn.choice(_DEEDS),
        what=drawn.choice(_THINGS),
        where=drawn.choice(_WHERE),
        when=drawn.choice(_WHEN),
    )
    return filled[0].upper() + filled[1:]
