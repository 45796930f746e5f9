from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import UsageError
from voicemill.synthesis import prosody
from voicemill.synthesis.phone_alphabets import phones_of_words
from voicemill.synthesis.say_as import read_as
from voicemill.synthesis.ssml import MAX_CHARACTERS, Part, Passage, Pause, parse


def outline(text: str) -> list[str | float]:
    return [
        item.seconds if isinstance(item, Pause) else "|".join(part.text.strip() for part in item.parts)
        for item in parse(text)
    ]


def only_part(text: str) -> Part:
    (passage,) = parse(text)
    assert isinstance(passage, Passage)
    (part,) = passage.parts
    return part


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 < 2 & 3 > 2", ["1 < 2 & 3 > 2"]),
        ("I <3 you, a<b and c>d", ["I <3 you, a<b and c>d"]),
        ("a List<int> of x<y>z", ["a List<int> of x<y>z"]),
        ("Tom & Jerry < <break/> both", ["Tom & Jerry <", 0.4, "both"]),
        ("One line\nthat goes on.\n\nTwo.", ["One line that goes on.", 0.7, "Two."]),
        ("<speak>One\n\n two</speak>", ["One two"]),
        ("<speak><p><s>A.</s><s>B.</s></p><p>C.</p></speak>", ["A.", 0.3, "B.", 0.7, "C."]),
        ("<s>A.</s><break time='1s'/><s>B.</s>", ["A.", 1.0, "B."]),
        ("<s>A.</s><break strength='none'/><s>B.</s>", ["A.", "B."]),
        ("a<break strength='weak'/><break time='250ms'/>b<break strength='x-strong'/>", ["a", 0.45, "b", 1.2]),
        ("a <break strength='none'/>b", ["a b"]),
        ("<?xml version='1.0'?>\n<!-- a note --><speak>One</speak>", ["One"]),
        ("<speak>AT&amp;T is &lt; X<![CDATA[ <b>]]></speak>", ["AT&T is < X <b>"]),
        ('<sub alias="World Wide Web">WWW</sub>', ["World Wide Web"]),
        ("<speak/>", []),
    ],
)
def test_passages_and_pauses(text: str, expected: list[str | float]) -> None:
    assert outline(text) == [pytest.approx(item) if isinstance(item, float) else item for item in expected]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Hello <b>you</b>", "markup_unsupported:b"),
        ('<voice name="x">hi</voice>', "markup_unsupported:voice"),
        ("<speak>a<audio src='x.wav'/></speak>", "markup_unsupported:audio"),
        ("<speak>a<amazon:effect name='whispered'>b</amazon:effect></speak>", "markup_unsupported:amazon:effect"),
        ("a <break time=1s/>", "markup_unsupported:break"),
        ("<break strength='huge'/>", "markup_unsupported:break"),
        ("<break time='11s'/>", "markup_unsupported:break"),
        ("<prosody contour='(0%,+2st)'>a</prosody>", "markup_unsupported:prosody"),
        ("<prosody rate='900%'>a</prosody>", "markup_unsupported:prosody"),
        ("<prosody pitch='loud'>a</prosody>", "markup_unsupported:prosody"),
        ("<emphasis level='huge'>a</emphasis>", "markup_unsupported:emphasis"),
        ("<say-as interpret-as='song'>a</say-as>", "markup_unsupported:say-as"),
        ("<say-as interpret-as='cardinal'>many</say-as>", "markup_unsupported:say-as"),
        ("<phoneme alphabet='arpabet' ph='H E'>a</phoneme>", "markup_unsupported:phoneme"),
        ("<phoneme ph='ʘ'>a</phoneme>", "markup_unsupported:phoneme"),
        ("<phoneme>a</phoneme>", "markup_unsupported:phoneme"),
        ("<sub alias='x'>a <p>b</p></sub>", "markup_unsupported:p"),
        ("<mark>a</mark>", "markup_unsupported:mark"),
        ("<speak xml:lang='fr'>a</speak>", "markup_unsupported:speak"),
        ("one <speak>two</speak>", "markup_unsupported:speak"),
        ("<speak>One", "markup_invalid:1"),
        ("<speak>One\n & two</speak>", "markup_invalid:2"),
        ("<speak>a</p></speak>", "markup_invalid:1"),
        ("<speak>a</speak><speak>b</speak>", "markup_invalid:1"),
        ("<prosody rate='slow'>a", "markup_invalid:1"),
        ("<speak>&unknown;</speak>", "markup_invalid:1"),
        ('<!DOCTYPE speak [<!ENTITY a "aa">]><speak>&a;</speak>', "markup_invalid:1"),
        ('<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>a</speak>', "markup_invalid:1"),
        ("<speak>" + "<emphasis level='none'>" * 40 + "</emphasis>" * 40 + "</speak>", "markup_invalid:1"),
        ("<speak>" + "a" * MAX_CHARACTERS + "</speak>", "markup_too_long"),
    ],
)
def test_markup_that_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.reason == reason
    assert caught.value.hint


def test_styles_add_up() -> None:
    (passage,) = parse(
        "<prosody rate='80%' pitch='+2st' volume='-6dB'>a <prosody rate='50%' pitch='-1st'>b</prosody></prosody> c"
    )
    assert isinstance(passage, Passage)
    first, second, third = (part.style for part in passage.parts)
    assert (first.speed, first.semitones, first.decibels) == (0.8, 2.0, -6.0)
    assert (second.speed, second.semitones, second.decibels) == (0.4, 1.0, -6.0)
    assert third == prosody.Style()


def test_marks_stand_between_parts() -> None:
    (passage,) = parse("one <mark name='here'/>two<mark name='end'/>")
    assert isinstance(passage, Passage)
    assert [part.text for part in passage.parts] == ["one ", "two"]
    assert [(mark.name, mark.part) for mark in passage.marks] == [("here", 1), ("end", 2)]


@pytest.mark.parametrize(
    ("value", "expected"), [("slow", 0.8), ("120%", 1.2), ("+20%", 1.2), ("-20%", 0.8), ("1.5", 1.5), (".5", 0.5)]
)
def test_rates(value: str, expected: float) -> None:
    assert prosody.rate(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("high", 2.0),
        ("+2st", 2.0),
        ("-1.5st", -1.5),
        ("+100%", 12.0),
        ("200Hz", 12.0),
        ("+100Hz", 12.0),
        ("-50Hz", -12.0),
    ],
)
def test_pitches_of_a_voice_of_100_hertz(value: str, expected: float) -> None:
    assert prosody.semitones(value, 100.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("soft", -6.0), ("+6dB", 6.0), ("-3.5dB", -3.5), ("50", -6.0206), ("-50%", -6.0206), ("0", -math.inf)],
)
def test_volumes(value: str, expected: float) -> None:
    assert prosody.decibels(value) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "kind", "form", "expected"),
    [
        ("1,234", "cardinal", "", "one thousand two hundred thirty four"),
        ("-3.5", "number", "", "minus three point five"),
        ("21", "ordinal", "", "twenty first"),
        ("IV", "ordinal", "", "fourth"),
        ("A1b", "characters", "", "A one b"),
        ("#7", "spell-out", "", "hash seven"),
        ("2048", "digits", "", "two zero four eight"),
        ("+1 (555) 010", "telephone", "", "plus one five five five zero one zero"),
        ("1 3/4", "fraction", "", "one and three quarters"),
        ("10/4/2026", "date", "dmy", "april tenth twenty twenty six"),
        ("10/4/2026", "date", "mdy", "october fourth twenty twenty six"),
        ("2026-04-10", "date", "", "april tenth twenty twenty six"),
        ("1999", "date", "y", "nineteen ninety nine"),
        ("2:05pm", "time", "hms12", "two oh five p m"),
        ("14:30", "time", "hms24", "fourteen thirty"),
        ("5:00", "time", "", "five o'clock"),
    ],
)
def test_kinds_of_text(text: str, kind: str, form: str, expected: str) -> None:
    assert " ".join(read_as(text, kind, form) or []) == expected


@pytest.mark.parametrize(
    ("pronunciation", "alphabet", "expected"),
    [
        ("T AH0 M EY1 . T OW0", "x-arpabet", "T AH M EY T OW"),
        ("təˈmeɪ.toʊ", "ipa", "T AH M EY T OW"),
        ("/ˈhɛləʊ/", "ipa", "HH EH L OW"),
        ("t͡ʃɜːrt͡ʃ", "ipa", "CH ER CH"),
        ("ˈbʌtn̩", "ipa", "B AH T AH N"),
        ("ˈwɔːtɚ", "ipa", "W AO T ER"),
        ("kjuːb", "ipa", "K Y UW B"),
    ],
)
def test_pronunciations(pronunciation: str, alphabet: str, expected: str) -> None:
    assert [" ".join(word) for word in phones_of_words(pronunciation, alphabet)] == [expected]


def test_two_words_in_ipa() -> None:
    assert phones_of_words("həˈloʊ ˈwɜːld", "ipa") == [("HH", "AH", "L", "OW"), ("W", "ER", "L", "D")]


PIECES = ["<speak>", "</speak>", "<p>", "</p>", "<break/>", "<mark name='a'/>", "<", ">", "&", "a ", "1", "\n\n", "<b>"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        items = parse(text)
    except UsageError:
        return
    for item in items:
        assert isinstance(item, Passage) or item.seconds > 0


def test_a_long_text_with_many_brackets_takes_linear_time() -> None:
    assert len(parse("<a " * 200_000)) == 1
    assert len(parse("a < b <break/>" * 20_000)) == 40_000
