from __future__ import annotations

import hashlib
import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest

from voicemill.text import letters
from voicemill.text.letters import BASE, LetterModel
from voicemill.text.lexicon import Lexicon


@pytest.fixture(scope="module")
def trainer(repository: Path) -> ModuleType:
    """scripts/letter_to_sound/train.py."""
    spec = importlib.util.spec_from_file_location(
        "letter_to_sound", repository / "scripts" / "letter_to_sound" / "train.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small(lexicon: Lexicon, trainer: ModuleType) -> LetterModel:
    words = [word for word in lexicon.words() if word.isalpha()][::40]
    model: LetterModel = trainer.train({word: lexicon.phones(word) or () for word in words})
    return model


def test_letters_are_paired_with_phones(trainer: ModuleType) -> None:
    # enough words that the rare pairs are kept
    words = {"cat": ("K", "AE", "T"), "tack": ("T", "AE", "K"), "box": ("B", "AA", "K", "S"), "cob": ("K", "AA", "B")}
    many = {
        word + tail: phones + sound
        for word, phones in words.items()
        for tail, sound in {"": (), "t": ("T",), "b": ("B",)}.items()
    }
    found = {
        "".join(letter for letter, _ in pairs): pairs
        for pairs in trainer.align(many | {f"cat{'t' * n}": ("K", "AE", "T", *("T",) * n) for n in range(2, 12)})
    }
    assert found["cat"] == [("c", ("K",)), ("a", ("AE",)), ("t", ("T",))]


def test_distributions_sum_to_one(small: LetterModel) -> None:
    symbols = [2, *range(3, 3 + len(small.chunks))]
    first = next(symbol for symbol, (letter, _) in enumerate(small.chunks, 3) if letter == "s")
    for context in (letters.BEGIN, first, letters.BEGIN * BASE + first):
        assert sum(math.exp(small.score(context, symbol)) for symbol in symbols) == pytest.approx(1.0, abs=0.02)


def test_written_and_read(small: LetterModel, trainer: ModuleType, tmp_path: Path) -> None:
    digests = set()
    for name in ("one.npz", "two.npz"):
        trainer.write(tmp_path / name, small)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1  # the same bytes from the same dictionary
    read = letters.load(tmp_path / "one.npz")
    assert read.chunks == small.chunks
    assert read.order == small.order
    for word in ("garden", "morning", "street"):
        assert read.pronounce(word) == small.pronounce(word)


def test_the_shipped_model_has_the_order_of_the_trainer(trainer: ModuleType) -> None:
    assert letters.load().order == trainer.ORDER
