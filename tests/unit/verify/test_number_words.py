"""Numbers as digits: every reading of the same figures becomes the same words."""

from __future__ import annotations

import pytest

from voicemill.text import normalise
from voicemill.text.frontend import numbers
from voicemill.verify.number_words import with_digits


@pytest.mark.parametrize(
    ("spoken", "digits"),
    [
        ("seven two three nine", "7 2 3 9"),
        ("seventy two thirty nine", "7 2 3 9"),
        ("seven thousand two hundred thirty nine", "7 2 3 9"),
        ("seven thousand two hundred and thirty nine", "7 2 3 9"),
        ("nineteen ten", "1 9 1 0"),
        ("one thousand nine hundred ten", "1 9 1 0"),
        ("nineteen oh five", "1 9 0 5"),
        ("oh five", "0 5"),
        ("two million three", "2 0 0 0 0 0 3"),
        ("call five by five twenty nine p m", "call 5 by 5 2 9 p m"),
        ("one two and three", "1 2 and 3"),
        ("twelve dollars and fifty cents", "1 2 dollars and 5 0 cents"),
        ("oh that is the third house", "oh that is the third house"),
        ("hundred", "hundred"),
        ("three hundred and", "3 0 0 and"),
        ("five thousand six thousand", "5 0 0 0 6 0 0 0"),
        ("zero", "0"),
        ("", ""),
    ],
)
def test_numbers_become_digits(spoken: str, digits: str) -> None:
    assert with_digits(spoken) == digits


def test_every_cardinal_becomes_its_figures() -> None:
    for value in (*range(1, 1100), *range(1100, 3_000_000, 7919)):
        assert with_digits(" ".join(numbers.cardinal(value))) == " ".join(str(value)), value


def test_figures_in_a_text_and_their_words_agree() -> None:
    written = normalise.normalise("Call 555-0199 at 5:29, page 205, in 1910.")
    assert "".join(part for part in with_digits(" ".join(normalise.words(written))).split() if part.isdigit()) == (
        "55501995292051910"
    )
