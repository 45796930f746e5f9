from __future__ import annotations

import random

import pytest

from voicemill.text import letters
from voicemill.text.lexicon import PHONES, Lexicon


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("grommet's", "G R AA M IH T S"),
        ("fox's", "F AA K S AH Z"),
        ("gardens", "G AA R D AH N Z"),
        ("hrm", "EY CH AA R EH M"),
        ("zorblax", "Z AO R B L AE K S"),
        ("voicemill", "V OY S M IH L"),
    ],
)
def test_guesses(word: str, phones: str) -> None:
    known = {"fox": ("F", "AA", "K", "S"), "garden": ("G", "AA", "R", "D", "AH", "N")}
    assert " ".join(letters.guess(word, known.get)) == phones


@pytest.mark.parametrize("word", ["x", "zzzzzzz", "s's", "o'o", "qqqqqq", "a" * 60])
def test_every_word_gets_phones(word: str) -> None:
    found = letters.guess(word, {}.get)
    assert found
    assert set(found) <= PHONES


def test_the_model_knows_its_dictionary(lexicon: Lexicon) -> None:
    words = [word for word in lexicon.words() if word.isalpha()]
    sample = random.Random(5).sample(words, 60)
    right = sum(letters.load().pronounce(word) == lexicon.phones(word) for word in sample)
    assert right >= 48  # 68% on words it has never seen, more on those it learned from


def test_loaded_once() -> None:
    assert letters.load() is letters.load()
