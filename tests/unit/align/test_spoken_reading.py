from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.align.forced_alignment import Aligner, spoken_reading
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise
from voicemill.text.readings import TextReading, reading_of

PEOPLE = Path(__file__).parents[2] / "data" / "people"
NUMBER = "Oolong was 250 miles from the nearest land."
READ = "You read the quotations in today's paper."


@pytest.fixture(scope="module")
def aligner(lexicon: Lexicon) -> Aligner:
    return Aligner(lexicon)


def sound(name: str) -> npt.NDArray[np.float32]:
    samples, rate = soundfile.read(PEOPLE / f"{name}.flac", dtype="float32")
    assert rate == 16_000
    return samples


def likely(text: str, lexicon: Lexicon) -> TextReading:
    return reading_of(text, normalise(text), lexicon)


def test_the_number_is_written_as_the_person_reads_it(aligner: Aligner, lexicon: Lexicon) -> None:
    reading = likely(NUMBER, lexicon)
    assert reading.normalised == "Oolong was two hundred fifty miles from the nearest land."
    found = spoken_reading(aligner, sound("kathleen/arctic_b0236"), reading)
    assert found.normalised == "Oolong was two hundred and fifty miles from the nearest land."
    assert found.places == ()


def test_whatever_reading_is_called_likely_the_spoken_one_is_found(aligner: Aligner, lexicon: Lexicon) -> None:
    reading = likely(NUMBER, lexicon)
    (place,) = reading.places
    for index in range(len(place.options)):
        other = TextReading(reading.variant([(place, index)]).words, reading.places)
        if len(place.options[index]) == place.last - place.first:
            found = spoken_reading(aligner, sound("kathleen/arctic_b0236"), other)
            assert "two hundred and fifty miles" in found.normalised


def test_the_pronunciation_of_a_heteronym_is_the_spoken_one(aligner: Aligner, lexicon: Lexicon) -> None:
    reading = likely(READ, lexicon)
    (place,) = reading.places
    assert (reading.words[1].phones, place.same_spelling) == (("R", "IY", "D"), True)
    found = spoken_reading(aligner, sound("kathleen/arctic_b0208"), reading)
    assert found.words[1].phones == ("R", "EH", "D")
    assert [word.text for word in found.words] == [word.text for word in reading.words]


@pytest.mark.parametrize(
    ("name", "text", "word", "phones"),
    [
        (
            "lj/LJ001-0011",
            "it is of the first importance that the letter used should be fine in form;",
            "used",
            "Y UW Z D",
        ),
        (
            "kathleen/arctic_a0144",
            "But there was something even more startling about this resemblance.",
            "more",
            "M AO R",
        ),
    ],
)
def test_the_likely_reading_stands_where_it_was_spoken(
    name: str, text: str, word: str, phones: str, aligner: Aligner, lexicon: Lexicon
) -> None:
    samples, rate = soundfile.read(PEOPLE / f"{name}.flac", dtype="float32")
    import soxr

    found = spoken_reading(aligner, soxr.resample(samples, rate, 16_000), likely(text, lexicon))
    assert {one.phones for one in found.words if one.text == word} == {tuple(phones.split())}


def test_a_clip_that_is_too_short_keeps_the_likely_reading(aligner: Aligner, lexicon: Lexicon) -> None:
    reading = likely(NUMBER, lexicon)
    assert spoken_reading(aligner, np.zeros(100, np.float32), reading).words == reading.words
