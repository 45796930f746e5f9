from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import UsageError
from voicemill.synthesis.speech import parse_breaks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.", ["Hello."]),
        ("One.\n\nTwo.\n \n\nThree.", ["One.", 0.7, "Two.", 0.7, "Three."]),
        ('One <break time="500ms"/> two', ["One", 0.5, "two"]),
        ("<break time='1.5s' />Go", [1.5, "Go"]),
        ('<speak>One<break time="2s"/>two</speak>', ["One", 2.0, "two"]),
        (' <speak version="1.1" xml:lang="en">One</speak>\n', ["One"]),
        ("", []),
        ("1 < 2 and so on", ["1 < 2 and so on"]),
    ],
)
def test_breaks_and_paragraphs_are_pauses(text: str, expected: list[str | float]) -> None:
    assert parse_breaks(text) == expected


@pytest.mark.parametrize(
    "text",
    ["<b>bold</b>", '<break time="11s"/>', '<break strength="huge"/>', '<break time="-1s"/>', "<audio src='a.wav'/>"],
)
def test_other_markup_is_refused_and_never_read_aloud(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_breaks(text)
    assert caught.value.code == "markup_unsupported"
    assert str(caught.value).startswith("Unsupported markup: <")


@pytest.mark.parametrize("text", ["<prosody rate='slow'>a</prosody>", "<phoneme ph='ɑ'>a</phoneme>"])
def test_what_needs_a_graph_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_breaks(text)
    assert caught.value.code == "markup_unsupported"
    assert "graph" in caught.value.hint


@given(st.text(alphabet="ab<>/=\"'\n 1smbreakti", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_breaks(text)
    except UsageError:
        return
    assert all(isinstance(each, float) or each.strip() for each in parsed)
