"""The dictionary as bytes gives what a dict of the same lines gives."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.text.lexicon import Lexicon, Phones, default_lexicon
from voicemill_runtime.bundle import _entries
from voicemill_runtime.packed_lexicon import PackedEntries

WORDS = st.text(st.sampled_from("abz'é"), min_size=1, max_size=6)
ENTRIES = st.dictionaries(WORDS, st.lists(st.sampled_from(["AA", "B", "ZH"]), min_size=1, max_size=4).map(tuple))


def packed(entries: dict[str, Phones], *, end: str = "\n") -> bytes:
    lines = (f"{word} {' '.join(phones)}" for word, phones in sorted(entries.items()))
    return ("\n".join(lines) + end).encode() if entries else b""


@given(ENTRIES, WORDS, st.sampled_from(["\n", ""]))
def test_it_is_the_dict_of_its_lines(entries: dict[str, Phones], other: str, end: str) -> None:
    found = PackedEntries(packed(entries, end=end))
    assert dict(found) == entries
    assert len(found) == len(entries)
    assert found.get(other) == entries.get(other)
    assert (other in found) == (other in entries)


def test_every_word_of_the_dictionary_is_found() -> None:
    words = default_lexicon()
    entries = {word: words.phones(word) or () for word in words.words()}
    data = packed(entries)
    found = PackedEntries(data)
    assert len(found) > 100_000
    assert all(found[word] == phones for word, phones in list(entries.items())[::37])
    for word in ("", "a a", "aa\nb", "zzzzzz", "\ud800"):
        assert word not in found
    assert sys.getsizeof(data) + found._starts.itemsize * len(found) < 5_000_000


@pytest.mark.parametrize("data", [b"b B\na AA\n", b"a AA\na B\n", b"a AA\n\nb B\n", b"a\n", b"\n"])
def test_lines_that_are_not_sorted_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="line"):
        PackedEntries(data)


def test_a_dictionary_of_another_order_is_read_all_the_same() -> None:
    assert dict(_entries(b"b B\na AA\n")) == {"b": ("B",), "a": ("AA",)}
    assert isinstance(_entries(b"a AA\nb B\n"), PackedEntries)


def test_guesses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicemill.text.lexicon._MOST_GUESSES", 3)
    lexicon = Lexicon(PackedEntries(b"a AA\n"))
    first = lexicon.pronounce("blorp")
    for word in ("glimf", "snerk", "plunth", "vrask"):
        assert lexicon.pronounce(word).guessed
    assert len(lexicon._guesses) <= 4
    assert lexicon.pronounce("blorp") == first
