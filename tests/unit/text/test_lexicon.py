from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicemill.errors import DatasetError
from voicemill.text.lexicon import PHONES, Lexicon, Pronunciation


def test_first_pronunciations_without_stress(lexicon: Lexicon) -> None:
    assert lexicon.phones("tomato") == ("T", "AH", "M", "EY", "T", "OW")
    assert lexicon.phones("a") == ("AH",)
    assert lexicon.phones("zzyzx") is None
    assert len(lexicon) > 120_000
    assert all(set(lexicon.phones(word) or ()) <= PHONES for word in lexicon.words()[::50])


def test_guesses_are_named(lexicon: Lexicon) -> None:
    assert lexicon.pronounce("garden") == Pronunciation(("G", "AA", "R", "D", "AH", "N"), guessed=False)
    found = lexicon.pronounce("grommeted")
    assert found.guessed
    assert set(found.phones) <= PHONES


@pytest.mark.parametrize("word", ["", "Garden", "two words", "x1", "'", "caf\u00e9"])
def test_what_is_no_word_is_refused(lexicon: Lexicon, word: str) -> None:
    with pytest.raises(ValueError, match="not a word"):
        lexicon.pronounce(word)


def test_written_as_nemo_reads_it(lexicon: Lexicon, tmp_path: Path) -> None:
    path = tmp_path / "cmu.dict"
    guessed = lexicon.write(path, ["garden", "zorblax", "o'clock"])
    assert guessed == ["zorblax"]
    lines = path.read_text(encoding="latin-1").splitlines()
    # as nemo's EnglishG2p parses it: an upper-case first letter, two spaces, phones parted by one
    table = {}
    for line in lines:
        assert re.fullmatch(r"[A-Z][A-Z'-]*  [A-Z]+( [A-Z]+)*", line)
        word, phones = line.split("  ")
        assert word not in table
        table[word] = phones
    assert table["ZORBLAX"] == "Z AO R B L AE K S"
    assert table["O'CLOCK"]
    assert table["TOMATO"] == "T AH M EY T OW"
    assert lines == sorted(lines, key=lambda line: line.split("  ")[0].lower())


def test_subset_for_the_aligner(lexicon: Lexicon, tmp_path: Path) -> None:
    path = tmp_path / "words.dict"
    assert lexicon.subset(path, ["the", "zorblax", "the"]) == ["zorblax"]
    assert path.read_text(encoding="utf-8") == "the DH AH\nzorblax Z AO R B L AE K S\n"


def test_own_entries_come_first(tmp_path: Path) -> None:
    own = tmp_path / "own.dict"
    own.write_text(";;; mine\nTomato  T AH0 M AA1 T OW0  # as aunt says it\nTOMATO(2)  T AH0\nzorblax Z AA R\n\n")
    lexicon = Lexicon.load(own)
    assert lexicon.phones("tomato") == ("T", "AH", "M", "AA", "T", "OW")
    assert lexicon.pronounce("zorblax") == Pronunciation(("Z", "AA", "R"), guessed=False)


@pytest.mark.parametrize(("line", "what"), [("zorblax Z QX", "'QX'"), ("zorblax", "phones"), ("a1 AH", "letters")])
def test_own_entries_are_checked(tmp_path: Path, line: str, what: str) -> None:
    own = tmp_path / "own.dict"
    own.write_text(f"one W AH N\n{line}\n")
    with pytest.raises(DatasetError, match=what) as caught:
        Lexicon.load(own)
    assert caught.value.code == "lexicon_invalid"
    assert f"{own}:2" in str(caught.value)


def test_own_dictionary_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        Lexicon.load(tmp_path / "none.dict")
    assert caught.value.code == "lexicon_missing"


def test_what_the_tokenizer_cannot_look_up_is_left_out_however_long(tmp_path: Path) -> None:
    entries = {
        "a" * 60 + ".": ("AH",),
        "o'clock": ("AH",),
        "'bout": ("B",),
        "x-ray": ("EH",),
        "a": ("AH",),
        "so-": ("S",),
    }
    Lexicon(entries).write(tmp_path / "words.dict")
    written = [line.split()[0] for line in (tmp_path / "words.dict").read_text("utf-8").splitlines()]
    assert written == ["A", "O'CLOCK", "X-RAY"]
