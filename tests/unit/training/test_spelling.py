from __future__ import annotations

import pytest

from voicemill.training.spelling import in_tokens

PLAIN = {"K", "AE", "T", "AH", "L"}
STRESSED = {"K", "T", "L", *(f"{vowel}{mark}" for vowel in ("AE", "AH") for mark in "012")}


@pytest.mark.parametrize(
    ("tokens", "written"),
    [(PLAIN, ["K", "AE", "T", "AH", "L"]), (STRESSED, ["K", "AE1", "T", "AH0", "L"])],
)
def test_phones_are_written_as_the_tokenizer_names_them(tokens: set[str], written: list[str]) -> None:
    assert list(in_tokens(["K", "AE", "T", "AH", "L"], tokens)) == written
