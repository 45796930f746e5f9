from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import UsageError
from voicemill.training.saying import Manner, passages


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
def test_passages(text: str, expected: list[str | float]) -> None:
    assert passages(text) == expected


@pytest.mark.parametrize(
    "text",
    ["<b>bold</b>", '<break time="11s"/>', '<break strength="weak"/>', "<break/>", '<break time="-1s"/>', "<speak>One"],
)
def test_other_markup_is_refused_and_never_read_aloud(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        passages(text)
    assert caught.value.reason == "markup_unsupported"


@given(st.text(alphabet="ab<>/=\"'\n 1smbreakti", max_size=60))
def test_any_text_has_passages_or_is_refused(text: str) -> None:
    try:
        found = passages(text)
    except UsageError:
        return
    assert all(isinstance(each, float) or each.strip() for each in found)


@pytest.mark.parametrize(
    "changes", [{"speed": 0.4}, {"speed": float("nan")}, {"semitones": 13}, {"sentence_pause": -1}]
)
def test_manners_beyond_their_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Manner(**changes)
