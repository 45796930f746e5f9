from __future__ import annotations

import pytest

from voicemill.synthesis.out_of_vocabulary import Vocabulary, stressed_for

PLAIN = {"K", "AE", "T", "AH", "L"}
STRESSED = {"K", "T", "L", *(f"{vowel}{mark}" for vowel in ("AE", "AH") for mark in "012")}


@pytest.mark.parametrize(
    ("tokens", "written"),
    [(PLAIN, ["K", "AE", "T", "AH", "L"]), (STRESSED, ["K", "AE1", "T", "AH0", "L"])],
)
def test_phones_are_written_as_the_tokenizer_names_them(tokens: set[str], written: list[str]) -> None:
    assert list(stressed_for(tokens, ["K", "AE", "T", "AH", "L"])) == written


VOCABULARY = Vocabulary({"hello", "word", "low"}, PLAIN)


def test_unknown_words() -> None:
    assert VOCABULARY.unknown_words("Hello zyx, words' low-quux Word's zyx") == ["zyx", "quux"]


def test_unknown_words_are_replaced_by_phones() -> None:
    assert VOCABULARY.replace_unknown_words("Hello Zyx low-quux | low-word.", lambda word: ["K", "AE"]) == (
        "Hello |K AE| low |K AE|   low-word."
    )
