"""Every function that reads a user's text takes time in proportion to its length, for hostile texts too.

CPU seconds of this process, so that a busy machine does not decide: eight times the text may take at most 24 times as
long. Quadratic time would take 64 times as long.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.errors import DatasetError
from voicemill.text.captions import read_captions
from voicemill.text.frontend.sentences import split_sentences
from voicemill.text.normalise import normalise, words
from voicemill.text.textgrid import read_intervals
from voicemill.text.transcripts import read_metadata, read_script, read_sidecar

pytestmark = pytest.mark.slow

SIZE, FACTOR, MOST = 4_000, 8, 24
FLOOR = 0.004
"""CPU seconds; shorter times are noise."""
REPEATED = {
    "blanks": " ",
    "lines": "\n",
    "blank lines": " \n ",
    "dots": ".",
    "ellipses": ".. ",
    "dashes": "-",
    "dash words": " -a",
    "blanks and dashes": " -",
    "apostrophes": "'",
    "quotes": '"',
    "commas": ",",
    "comma blanks": " ,",
    "ends": '."',
    "titles": "Mr. ",
    "initials": "A. ",
    "brackets": "(",
    "square brackets": "[",
    "tags": "<a",
    "braces": "{\\",
    "entities": "&#",
    "long entity": "9",
    "emoji": "\U0001f600",
    "accents": "\u00e9",
    "marks": "\u0301\u0323",
    "marks of starters": "\u0f73\u0f75",
    "voiced marks": "\uff9e",
    "letters": "a",
    "possessives": "'s",
    "sentences": "It is so. ",
}
WRAPPERS = {
    "alone": "{}",
    "inside": "It is {} here",
    "after a dot": "So.{}x",
    "in an entity": "a&#{}",
    "in a tag": "<a {}",
}


def seconds(work: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    with contextlib.suppress(DatasetError):
        work(text)
    return max(time.process_time() - start, FLOOR)


def assert_linear(work: Callable[[str], object], unit: str, wrapper: str) -> None:
    """The best of three of the long text is compared with the best of three of the short one."""
    short, long = (wrapper.format(unit * (size // len(unit))) for size in (SIZE, SIZE * FACTOR))
    limit = MOST * min(seconds(work, short) for _ in range(3))
    taken: list[float] = []
    while not taken or (min(taken) > limit and len(taken) < 3 and taken[-1] <= 20.0):
        taken.append(seconds(work, long))
    assert min(taken) <= limit


@pytest.fixture
def in_file(tmp_path: Path) -> Callable[[Callable[[Path], object], str], Callable[[str], object]]:
    """A function of a file as a function of its text."""

    def make(read: Callable[[Path], object], name: str) -> Callable[[str], object]:
        def work(text: str) -> object:
            path = tmp_path / name
            path.write_text(text, encoding="utf-8")
            return read(path)

        return work

    return make


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("unit", REPEATED)
def test_normalisation(unit: str, wrapper: str) -> None:
    for work in (normalise, words, split_sentences):
        assert_linear(work, REPEATED[unit], WRAPPERS[wrapper])


@pytest.mark.parametrize("unit", REPEATED)
def test_files(unit: str, in_file: Callable[[Callable[[Path], object], str], Callable[[str], object]]) -> None:
    text = REPEATED[unit]
    for wrapper in ("{}", "So.{}x"):
        assert_linear(in_file(read_script, "a.txt"), text, wrapper)
        assert_linear(in_file(read_sidecar, "a.txt"), text, wrapper)
        assert_linear(in_file(read_metadata, "metadata.csv"), text, f"a|{wrapper}")
    for wrapper in WRAPPERS.values():
        shown = f"1\n00:00:01,000 --> 00:00:02,000\n{wrapper} word\n"
        assert_linear(in_file(read_captions, "a.srt"), text, shown)
        assert_linear(in_file(read_intervals, "a.TextGrid"), text, f'"ooTextFile" "TextGrid" 0 1 {wrapper}')


def test_a_number_of_any_length_in_a_caption(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text(f"1\n00:00:01,000 --> 00:00:02,000\nOne &#{'9' * 5000}; two &#33;\n", encoding="utf-8")
    (caption,) = read_captions(path)
    assert caption.text == "One \ufffd two !"


def test_more_marks_than_any_language_has_are_dropped() -> None:
    assert normalise("caf" + "e\u0301" + "\u0323\u0301" * 1000 + " noir") == "cafe noir"
    assert normalise("e\u0301" * 100) == "e" * 100
