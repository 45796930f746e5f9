from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest

from voicemill.text import letter_learning, letters
from voicemill.text.letters import BASE, LetterModel
from voicemill.text.lexicon import Lexicon


@pytest.fixture(scope="module")
def small(lexicon: Lexicon) -> LetterModel:
    words = [word for word in lexicon.words() if word.isalpha()][::40]
    return letter_learning.learn({word: lexicon.phones(word) or () for word in words})


def test_letters_are_paired_with_phones() -> None:
    # enough words that the rare pairs are kept
    words = {"cat": ("K", "AE", "T"), "tack": ("T", "AE", "K"), "box": ("B", "AA", "K", "S"), "cob": ("K", "AA", "B")}
    many = {
        word + tail: phones + sound
        for word, phones in words.items()
        for tail, sound in {"": (), "t": ("T",), "b": ("B",)}.items()
    }
    found = {
        "".join(letter for letter, _ in pairs): pairs
        for pairs in letter_learning.align(
            many | {f"cat{'t' * n}": ("K", "AE", "T", *("T",) * n) for n in range(2, 12)}
        )
    }
    assert found["cat"] == [("c", ("K",)), ("a", ("AE",)), ("t", ("T",))]


def test_distributions_sum_to_one(small: LetterModel) -> None:
    symbols = [2, *range(3, 3 + len(small.chunks))]
    first = next(symbol for symbol, (letter, _) in enumerate(small.chunks, 3) if letter == "s")
    for context in (letters.BEGIN, first, letters.BEGIN * BASE + first):
        assert sum(math.exp(small.score(context, symbol)) for symbol in symbols) == pytest.approx(1.0, abs=0.02)


def test_written_and_read(small: LetterModel, tmp_path: Path) -> None:
    digests = set()
    for name in ("one.npz", "two.npz"):
        letter_learning.write(tmp_path / name, small)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1  # the same bytes from the same dictionary
    read = letters.load(tmp_path / "one.npz")
    assert read.chunks == small.chunks
    assert read.order == small.order
    for word in ("garden", "morning", "street"):
        assert read.pronounce(word) == small.pronounce(word)


def test_the_shipped_file_is_of_the_order_that_the_learner_makes() -> None:
    assert letters.load().order == letter_learning.ORDER
