"""Signs that are part of no longer form, chemical formulas, and `with` as a letter and a slash."""

from __future__ import annotations

import re

from voicemill.text.frontend import numbers
from voicemill.text.frontend.forms import SIGNS, Form, Neighbours, Reading, spelled
from voicemill.text.frontend.units import word_list
from voicemill.text.frontend.word_classes import AUXILIARIES, PREPOSITIONS, is_past

ELEMENT = (
    "(?:A[cglmrstu]|B[aehikr]?|C[adeflmorsu]?|D[bsy]|E[rsu]|F[emr]?|G[ade]|H[efgos]?|I[nr]?|K[r]?|L[airu]|M[dgno]|"
    "N[abdeiop]?|O[s]?|P[abdmortu]?|R[abefhnu]|S[bceimnr]?|T[abcehil]|U|V|W|X[e]|Y[b]?|Z[nr])"
)
_MONEY = {"$": "dollar", "\u20ac": "euro", "\u00a3": "pound"}
_COMPARISONS = frozenset("<>\u2264\u2265\u2260\u2248")
_TAKING = frozenset(
    word_list(
        "take takes took need needs weigh weighs cost costs earn earns have has require requires use uses last lasts "
        "contain contains hold holds get gets reach reaches exceed rise rises fall falls grow grows drop drops "
        "score add"
    )
)
"""Verbs before an amount."""
_KEY_BEFORE = re.compile(
    r"\b(?:the|(?:press|hit|push|dial|enter|type)(?:[^.!?]{0,40}\b(?:then|or|and|by|plus)|[^.!?]{0,40},)?)\s*$",
    re.IGNORECASE,
)
"""Words before a sign that is a key: `press #`, `dial 5 and then *`."""


def sign(text: str, around: Neighbours) -> list[Reading]:
    """Readings of a single sign; an empty one where it is silent."""
    before, after = around.before.rstrip()[-1:], around.after[:1]
    if text == "#":
        if around.before[-1:].isdigit() and re.search(
            r"\b(?:press|dial|enter|type|key)\b[^.!?]{0,40}$", around.before, re.I
        ):
            return [["pound"], ["hash"]]
        numbered = re.match(r"(?:[A-Z]{1,3}-?)?\d", around.after)
        return [["number"]] if numbered else [["pound"], ["hash"]] if _KEY_BEFORE.search(around.before) else [[]]
    if text == "*" and _KEY_BEFORE.search(around.before):
        return [["star"]]
    if text == "*" and before.isdigit() and around.after.strip()[:1].isdigit():
        return [["times"]]
    if text in _MONEY and (after.isalpha() or around.last_word() in ("the", "a")):
        return [[_MONEY[text]]]
    if text == ">" and re.search(r"[A-Z][\w'-]+ $", around.before) and re.match(r" [A-Z][\w'-]+", around.after):
        return [[]]  # a path through menus
    words = SIGNS.get(text)
    if words is None:
        return [[]]
    if text == "~" and (after == "/" or after.isalpha()):
        return [["tilde"], words]
    if text in _COMPARISONS and not re.search(r"\b(?:is|are|was|were)\b[^.]{0,20}$", around.before, re.IGNORECASE):
        found = [["is", *words], words]
        return found[::-1] if _is_amount(around) else found
    if text == "=":
        return [words, ["is"]]
    if text == "\u221a" and around.last_word() != "the":
        return [words, ["the", *words], ["root"]]
    return [words]


def _is_amount(around: Neighbours) -> bool:
    """Whether `>` and a number after it are an amount, as after a verb or a preposition: `rose > 20%`, `for > 2 h`."""
    last, number = around.last_word(), re.match(r"\s*[$\u20ac\u00a3]?\d", around.after)
    if re.match(r"\s*[\d.,]+\s+(?:is|are|was|were)\b", around.after):  # `values > 10 are`
        return True
    return number is not None and (is_past(last) or last in PREPOSITIONS or last in AUXILIARIES or last in _TAKING)


def _formula(text: str, _: Neighbours) -> list[Reading]:
    return [
        [
            word
            for atom in re.findall(r"[A-Z][a-z]?|\d+", text)
            for word in (numbers.cardinal(int(atom)) if atom.isdigit() else spelled(atom))
        ]
    ]


def _with(text: str, _: Neighbours) -> list[Reading]:
    return [{"w/": ["with"], "w/o": ["without"], "c/o": ["care", "of"], "b/c": ["because"], "b/w": ["between"]}[text]]


def _ion(text: str, _: Neighbours) -> list[Reading]:
    return [[*_formula(text[:-1], _)[0], "plus" if text[-1] == "+" else "minus"]]


def _zone(text: str, around: Neighbours) -> list[Reading]:
    hours, _, minutes = text[4:].partition(":")
    end = numbers.cardinal(int(minutes)) if minutes.strip("0") else []
    return [[*spelled(text[:3]), "plus" if text[3] == "+" else "minus", *numbers.cardinal(int(hours)), *end]]


def _countdown(text: str, _: Neighbours) -> list[Reading]:
    return [["t", "plus" if "+" in text else "minus", *numbers.cardinal(int(re.sub(r"\D", "", text)))]]


def _double_equals(_: str, __: Neighbours) -> list[Reading]:
    return [["equals", "equals"], ["equals"]]


def _grade(text: str, _: Neighbours) -> list[Reading]:
    return [[*spelled(text[0]), "plus" if text[1] == "+" else "minus"]]


FORMS = {
    "countdown": Form(
        r"(?<!\w)T ?[-+\u2013] ?\d{1,5}(?= ?(?:(?:sec(?:ond)?|min(?:ute)?|hour|hr|day|week)s?\b|and counting))",
        _countdown,
    ),
    "degree": Form(r"\u00b0 ?[CF](?!\w)", lambda text, _: [["degrees", {"C": "celsius", "F": "fahrenheit"}[text[-1]]]]),
    "double_equals": Form(r"(?<!=)==(?!=)", _double_equals),
    "formula_group": Form(
        rf"(?<!\w)(?:{ELEMENT}\d{{0,3}}){{1,6}}\((?:{ELEMENT}\d{{0,3}}){{1,6}}\)\d{{1,3}}(?!\w)", _formula
    ),
    "formula": Form(
        rf"(?<!\w)(?=[A-Z\d]*[A-Z][a-z][A-Z\d]|[A-Z\d]+[A-Z][a-rt-z](?!\w)|[A-Z]\d)(?:{ELEMENT}\d{{0,3}}){{2,10}}(?!\w)",
        _formula,
    ),
    "element": Form(
        r"(?<=\()(?:A[glru]|B[ar]|C[adlru]?|F[e]?|Hg?|K|Li|M[gn]|N[ai]?|O|P[bdt]?|R[a]|S[ein]?|Ti|U|Xe|Zn)(?=[,)])",
        _formula,
    ),
    "grade": Form(r"(?<![\w-])[A-D](?:\+|-(?=[.,;:!?)]|'s|\s*$))(?![\w+])", _grade),
    "ion": Form(r"(?<!\w)(?:[A-Z][a-z]|H|K|OH|NH4|NO3|SO4|CO3|PO4)\d?[+-](?=[\s.,;:)]|$)", _ion),
    "zone": Form(r"(?<!\w)(?:UTC|GMT)[+-]\d{1,2}(?::[0-5]\d)?(?![\w:])", _zone),
    "with": Form(r"(?<![\w/])(?:w/o?(?=\s|[a-z])(?![\w]/|w(?!\w))|[cb]/[ocw](?!\w)(?<=c/o|b/c|b/w))", _with),
}
