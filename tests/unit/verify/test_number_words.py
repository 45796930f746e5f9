"""Numbers as digits: every reading of the same figures becomes the same words."""

from __future__ import annotations

import pytest

from voicemill.metrics.error_rate import word_errors
from voicemill.text import normalise
from voicemill.text.frontend import numbers, read
from voicemill.verify.number_words import with_digits
from voicemill.verify.stability_texts import sentences

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def named(text: str) -> str:
    """Digits of a text by their names."""
    return " ".join(NAMES[int(word)] if word.isdigit() else word for word in text.split())


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
        ("five thousand one thousand", "5 0 0 0 1 0 0 0"),
        ("zero", "0"),
        ("", ""),
    ],
)
def test_numbers_become_digits(spoken: str, digits: str) -> None:
    assert with_digits(spoken) == named(digits)


def test_a_number_alone_is_still_a_word() -> None:
    (error,) = word_errors([with_digits("seventeen")], [with_digits("seventy")])
    assert (error.errors, error.length) == (2, 2)


def test_every_cardinal_becomes_its_figures() -> None:
    for value in (*range(1, 1100), *range(1100, 3_000_000, 7919)):
        assert with_digits(" ".join(numbers.cardinal(value))) == named(" ".join(str(value))), value


def test_figures_in_a_text_and_their_words_agree() -> None:
    written = normalise.normalise("Call 555-0199 at 5:29, page 205, in 1910.")
    digits = named("5 5 5 0 1 9 9 5 2 9 2 0 5 1 9 1 0").split()
    assert [word for word in with_digits(" ".join(normalise.words(written))).split() if word in NAMES] == digits


def test_every_sentence_of_the_measurement_can_be_compared() -> None:
    spoken = [" ".join(word for each in read(text) for word in each.spoken) for text in sentences(1000)]
    found = word_errors([with_digits(text) for text in spoken], [with_digits(text) for text in spoken])
    assert len(found) == 1000
    assert all(error.errors == 0 and error.length > 0 for error in found)
