from __future__ import annotations

import pytest

from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise, words
from voicemill.text.readings import reading_of


def options(text: str, lexicon: Lexicon) -> list[set[str]]:
    reading = reading_of(text, normalise(text), lexicon)
    return [{" ".join(word.text for word in option) for option in place.options} for place in reading.places]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("About 600 came.", {"six hundred", "six zero zero", "six oh oh"}),
        ("It was built in 1850.", {"eighteen fifty", "one thousand eight hundred and fifty"}),
        ("They won 340 games.", {"three hundred forty", "three hundred and forty"}),
        ("NASA launched it.", {"nasa", "n a s a"}),
    ],
)
def test_a_written_form_lists_what_people_say(text: str, spoken: set[str], lexicon: Lexicon) -> None:
    (found,) = options(text, lexicon)
    assert spoken <= found


def test_places_are_in_order_and_a_variant_replaces_each(lexicon: Lexicon) -> None:
    text = "In 1850 they read 600 books."
    reading = reading_of(text, normalise(text), lexicon)
    assert [reading.words[place.first].text for place in reading.places] == ["eighteen", "read", "six"]
    chosen = [(place, len(place.options) - 1) for place in reading.places]
    other = reading.variant(chosen)
    assert other.places == ()
    assert len(words(other.normalised)) == len(other.words)
    assert other.words[-1].mark == "."
    assert other.normalised != reading.normalised


def test_a_spoken_form_that_differs_from_the_text_is_read_by_itself(lexicon: Lexicon) -> None:
    reading = reading_of("It was 600.", "It was six zero zero.", lexicon)
    assert [word.text for word in reading.words] == ["it", "was", "six", "zero", "zero"]
    assert reading.places == ()


def test_the_user_decides_the_pronunciation_of_a_heteronym(tmp_path, lexicon: Lexicon) -> None:
    own = tmp_path / "own.dict"
    own.write_text("read R EH D\n")
    for listed, phones in ((lexicon, ("R", "IY", "D")), (Lexicon.load(own), ("R", "EH", "D"))):
        reading = reading_of("I want to read.", "I want to read.", listed)
        assert reading.words[-1].phones == phones
        assert bool(reading.places) == (listed is lexicon)


def test_the_name_of_a_letter_keeps_its_phones(lexicon: Lexicon) -> None:
    reading = reading_of("Plan A works.", "Plan A works.", lexicon)
    assert reading.words[1].phones == ("EY",)
