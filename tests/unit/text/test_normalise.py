from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import DatasetError
from voicemill.text.frontend.chunks import LONGEST_CHUNK
from voicemill.text.normalise import chunks, normalise, words


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Good morning, and thank you.", "Good morning, and thank you."),
        ("  Two\n lines\t here ", "Two lines here"),
        ("\u201cDon\u2019t go,\u201d she said.", "Don't go, she said."),
        ("'Don't go,' she said.", "Don't go, she said."),
        ("Wait \u2014 what?", "Wait, what?"),
        ("Wait\u2014what?", "Wait, what?"),
        ("well-known", "well known"),
        ("a caf\u00e9 in \u00c5rhus", "a cafe in Arhus"),
        ("Mr. Fox met Dr. Lee.", "Mister Fox met Doctor Lee."),
        ("nuts, figs, etc.", "nuts, figs, et cetera."),
        ("Stop!!! Now...", "Stop! Now."),
        ("so ... well", "so, well"),
        ("one (two) three", "one, two, three"),
        ("the dogs' bowl", "the dogs bowl"),
        ("rock 'n' roll, it's 'tis", "rock n roll, it's tis"),
        ("yes , no", "yes, no"),
        ("a;b", "a; b"),
        ("\ufb01ne", "fine"),
    ],
)
def test_plain_text(written: str, spoken: str) -> None:
    assert normalise(written) == spoken


@pytest.mark.parametrize("text", ["\u043f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d", "na\u00efve \u03b1"])
def test_other_scripts_are_refused(text: str) -> None:
    with pytest.raises(DatasetError) as caught:
        normalise(text)
    assert caught.value.code == "text_not_english"


@given(st.text(alphabet=st.sampled_from("fgz ',.?!;:-\u2014\u2026\"()\n\u00e9"), max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert set(once) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ',.?!;:")
    assert words(once) == words(normalise(once))


def test_words_are_those_of_the_tokenizer() -> None:
    assert words("It's the dogs' bowl, o'clock!") == ["it's", "the", "dogs", "bowl", "o'clock"]
    assert words("...") == []


def test_plain_text_imports_no_heavy_libraries(repository: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'lib'); from voicemill.text.normalise import normalise; "
        "normalise('Good morning, Mr. Fox'); "
        "print([name for name in ('numpy', 'torch', 'nemo_text_processing', 'pocketsphinx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Room 12, please.", "Room twelve, please."),
        ("It is 5%.", "It is five percent."),
        ("at 5 a.m.", "at five a m."),
        ("No. 5. No. Yes.", "number five. No. Yes."),
    ],
)
def test_digits_and_signs(written: str, spoken: str) -> None:
    assert normalise(written).lower() == spoken.lower()


def test_chunks_are_sentences_and_parts_of_long_ones() -> None:
    assert chunks('He said "no." Then he left!  Why? ...') == ["He said no.", "Then he left!", "Why?"]
    long = ", ".join(["seven words are in this short clause"] * 20) + "."
    cut = chunks(long)
    assert max(len(part.split()) for part in cut) <= LONGEST_CHUNK
    assert " ".join(cut) == long
    assert [len(words(part)) <= LONGEST_CHUNK for part in chunks("word " * 200)] == [True] * 5
    with pytest.raises(DatasetError, match="English spelling"):
        chunks("\u043f\u0440\u0438\u0432\u0435\u0442")
