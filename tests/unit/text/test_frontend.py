from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reading import FOLDER, ReadingCase, cases, heteronym_places

from voicemill.text.frontend import read
from voicemill.text.frontend.numbers import cardinal, ordinal, roman, year
from voicemill.text.frontend.reading import foreign_letters
from voicemill.text.lexicon import PHONES, Lexicon

CASES = list(cases())
HALVES = {
    "sentences-1.tsv": 250,
    "sentences-2.tsv": 250,
    "sentences-3.tsv": 120,
    "sentences-4.tsv": 60,
    "sentences-5.tsv": 55,
    "sentences-6.tsv": 200,
    "sentences-7.tsv": 153,
    "sentences-8.tsv": 174,
    "sentences-9.tsv": 174,
    "sentences-10.tsv": 79,
    "sentences-11.tsv": 163,
    "sentences-12.tsv": 163,
    "sentences-13.tsv": 157,
    "sentences-14.tsv": 171,
    "sentences-15.tsv": 178,
    "sentences-16.tsv": 124,
    "sentences-17.tsv": 116,
    "sentences-18.tsv": 99,
    "sentences-19.tsv": 82,
    "sentences-20.tsv": 80,
    "sentences-21.tsv": 70,
}
"""Parts of the test set, and the least number of sentences in each."""
GOAL = 0.97


def is_right(case: ReadingCase, lexicon: Lexicon) -> bool:
    sentences = read(case.text, lexicon)
    words = [word for sentence in sentences for word in sentence.words]
    return case.accepts([word.text for word in words], [word.phones for word in words])


@pytest.mark.parametrize("half", HALVES)
def test_sentences_are_read_as_a_person_reads_them(half: str, lexicon: Lexicon) -> None:
    of_half = list(cases([FOLDER / half]))
    wrong = [case.text for case in of_half if not is_right(case, lexicon)]
    assert len(of_half) >= HALVES[half]
    assert len(wrong) <= (1 - GOAL) * len(of_half), wrong


def test_heteronyms_are_pronounced_by_their_part_of_speech(lexicon: Lexicon) -> None:
    places = list(heteronym_places())
    wrong = []
    for place in places:
        found = [word.phones for sentence in read(place.text, lexicon) for word in sentence.words]
        words = [word.text for sentence in read(place.text, lexicon) for word in sentence.words]
        phones = [said for said, word in zip(found, words, strict=True) if word == place.word]
        wrong += [place.text for said, right in zip(phones, place.phones, strict=True) if said not in right]
    assert len(places) >= 400
    assert len({place.word for place in places}) >= 20
    assert len(wrong) <= (1 - GOAL) * len(places), wrong


def test_old_spellings_of_show_are_pronounced_like_it(lexicon: Lexicon) -> None:
    old, new = (read(f"They {word} it.", lexicon)[0].words[1].phones for word in ("shewed", "showed"))
    assert old == new


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("7" * 100, "seven " * 100),
        ("1x" * 80, "one x " * 80),
        ("S1E" * 40, "s one e " * 40),
        ("P-K4", "p k four"),
        ("user_id2", "user i d two"),
        ("a1b2c3", "a one b two c three"),
    ],
)
def test_no_digit_is_lost(text: str, spoken: str, lexicon: Lexicon) -> None:
    assert [word for sentence in read(text, lexicon) for word in sentence.spoken] == spoken.split()


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("He\u00e2\u20ac\u2122s paid \u00c2\u00a35.", "he's paid five pounds"),
        ("A word\u00b9 and a note.[12] Next.", "a word and a note next"),
        ("Windows(tm) asks <name> twice.", "windows asks name twice"),
        ("Open Settings > Sound > Volume.", "open settings sound volume"),
    ],
)
def test_what_is_no_part_of_the_text_is_not_read(text: str, spoken: str, lexicon: Lexicon) -> None:
    assert [word for sentence in read(text, lexicon) for word in sentence.spoken] == spoken.split()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Smith v. Jones was heard. It failed.", 2),
        ("The Wall St. Journal wrote it. She read it.", 2),
        ("Ask the Dr. He knows.", 2),
        ("My dr. said so.", 1),
        ("He died in 44 B.C. in Rome.", 1),
    ],
)
def test_dots_of_abbreviations_cut_no_sentence(text: str, sentences: int, lexicon: Lexicon) -> None:
    assert len(read(text, lexicon)) == sentences


def test_a_name_is_pronounced_otherwise_than_the_word(lexicon: Lexicon) -> None:
    (sentence,) = read("A nice man polished the Polish table in Nice.", lexicon)
    phones = {(word.text, word.written): word.phones for word in sentence.words}
    assert phones["nice", "nice"] == ("N", "AY", "S")
    assert phones["nice", "Nice"] == ("N", "IY", "S")
    assert phones["polish", "Polish"][1] == "OW"


def test_a_greek_letter_is_a_symbol_in_a_formula_and_foreign_elsewhere(lexicon: Lexicon) -> None:
    assert read("Let \u03bb = 5.", lexicon)[0].spoken == ["let", "lambda", "equals", "five"]
    assert not foreign_letters("Let \u03bb = 5.")
    assert foreign_letters("\u03bb\u03cc\u03b3\u03bf\u03c2") != []


def test_a_case_that_is_read_wrongly_is_noticed(lexicon: Lexicon) -> None:
    case = next(case for case in CASES if case.phones)
    word, occurrence = next(iter(case.phones))
    spoken = [spoken for sentence in read(case.text, lexicon) for spoken in sentence.words]
    phones = [spoken_word.phones for spoken_word in spoken]
    places = [index for index, spoken_word in enumerate(spoken) if spoken_word.text == word]
    phones[places[occurrence]] = ("ZH",)
    assert not case.accepts([spoken_word.text for spoken_word in spoken], phones)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("J. R. R. Tolkien wrote it. I read it.", ["J. R. R. Tolkien wrote it.", "I read it."]),
        ("He lives in St. Louis now. She does not.", ["He lives in St. Louis now.", "She does not."]),
        ("Gen. Lee and Capt. Kirk met.", ["Gen. Lee and Capt. Kirk met."]),
        ("Go to www.example.com. Then wait.", ["Go to www.example.com.", "Then wait."]),
        ("No. 5 won. No. It lost.", ["No. 5 won.", "No.", "It lost."]),
        ("We ate at 9 a.m. The sun rose.", ["We ate at 9 a.m.", "The sun rose."]),
        ('"Stop!" she said. "Why?"', ['"Stop!" she said.', '"Why?"']),
        ("# Title\n\nFirst line\nSecond line.", ["Title", "First line", "Second line."]),
    ],
)
def test_sentences_are_cut_once(text: str, sentences: list[str], lexicon: Lexicon) -> None:
    assert [sentence.text for sentence in read(text, lexicon)] == sentences


def test_a_form_with_several_readings_lists_them(lexicon: Lexicon) -> None:
    (sentence,) = read("About 600 came.", lexicon)
    (choice,) = sentence.choices
    assert sentence.spoken[choice.first : choice.last] == ["six", "hundred"]
    assert ("six", "zero", "zero") in choice.readings


def test_other_pronunciations_of_a_heteronym_are_listed(lexicon: Lexicon) -> None:
    (sentence,) = read("I read it yesterday.", lexicon)
    word = next(word for word in sentence.words if word.text == "read")
    assert word.phones == ("R", "EH", "D")
    assert word.alternatives == (("R", "IY", "D"),)


def test_normalised_text_keeps_names_and_marks(lexicon: Lexicon) -> None:
    (sentence,) = read("Mr. Fox met Dr. Lee, at 5:30 p.m.", lexicon)
    assert sentence.normalised == "Mister Fox met Doctor Lee, at five thirty p m."


def test_letters_of_other_scripts_are_named() -> None:
    assert foreign_letters("na\u00efve \u03b1 caf\u00e9") == ["\u03b1"]


@pytest.mark.parametrize(("value", "words"), [(0, "zero"), (105, "one hundred five"), (10**6, "one million")])
def test_cardinals(value: int, words: str) -> None:
    assert " ".join(cardinal(value)) == words


@given(st.integers(min_value=0, max_value=10**15))
def test_every_number_has_words(value: int) -> None:
    assert all(word.isalpha() for word in [*cardinal(value), *ordinal(value), *year(value % 3000)])


@pytest.mark.parametrize(("text", "value"), [("XIV", 14), ("MCMXCIV", 1994), ("IIII", None), ("", None), ("VX", None)])
def test_roman_numerals(text: str, value: int | None) -> None:
    assert roman(text) == value


PIECES = [case.text for case in CASES]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=4), st.integers(0, 30))
def test_any_text_is_read(parts: list[str], cut: int) -> None:
    lexicon = _lexicon()
    for sentence in read("".join(parts)[cut:], lexicon):
        assert sentence.words
        for word in sentence.words:
            assert word.text == word.text.lower()
            assert word.text.replace("'", "").isascii()
            assert word.text.replace("'", "").isalpha()
            assert word.phones
            assert set(word.phones) <= PHONES


@pytest.mark.parametrize(
    "unit",
    ["1x", "S1E", "[^1]", "a.[1]", "\u2605\u2606", "\u03b1-", "= ma", "I, ", "1 1/2-", "src/", "<a>", "BAB",
     "\u00e2\u20ac", "a ", ". ", "1", "1,", "a.", "-", "'", "(", "x\u0301", "*a ", "_a_ ", "12-", "St. ", "I ", "$", "1/", "a@", "&", "www.",
     "~~a", "5'", "A.B.", "[a](", "\n- ", "AA", "1 ", " ", "Mr. ", "<b"],
)  # fmt: skip
def test_time_grows_with_the_length(unit: str) -> None:
    """CPU time of four times the text is far from sixteen times as much; the shorter one is long enough to be measured."""
    lexicon = _lexicon()

    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        best = float("inf")
        for _ in range(2):
            started = time.process_time()
            read(text, lexicon)
            best = min(best, time.process_time() - started)
        return best

    short = max(seconds(2_000), 0.01)
    assert seconds(8_000) < 10 * short


_CACHE: list[Lexicon] = []


def _lexicon() -> Lexicon:
    """One lexicon for the tests that hypothesis runs many times."""
    if not _CACHE:
        _CACHE.append(Lexicon.load())
    return _CACHE[0]


@pytest.mark.parametrize(
    ("text", "spoken", "phones"),
    [
        ("See @dev's note.", "see at dev's note", "D EH V Z"),
        ("AT&T's offers.", "a t and t's offers", "T IY Z"),
        ("H2O's taste.", "h two o's taste", "OW Z"),
        ("google.com's page.", "google dot com's page", "K AA M Z"),
        ("README.md's end.", "readme dot m d's end", "D IY Z"),
        ("The 3M's tape.", "the three m's tape", "EH M Z"),
        ("Boeing 747's wings.", "boeing seven forty seven's wings", "S EH V AH N Z"),
        ("The U.K.'s plan.", "the u k's plan", "K EY Z"),
    ],
)
def test_a_possessive_belongs_to_the_form_before_it(text: str, spoken: str, phones: str, lexicon: Lexicon) -> None:
    [sentence] = read(text, lexicon)
    assert " ".join(word.text for word in sentence.words) == spoken
    [owner] = [word for word in sentence.words if word.text.endswith("'s")]
    assert " ".join(owner.phones) == phones


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Pre-2020 rents.", "pre twenty twenty rents"),
        ("The Mid-1990s.", "the mid nineteen nineties"),
        ("Martin Luther King Jr. Blvd. is long.", "martin luther king junior boulevard is long"),
        ('It snowed 2-3".', "it snowed two to three inches"),
        ("The Tolkien estate v. Warner.", "the tolkien estate versus warner"),
        ("See v. 12.", "see verse twelve"),
        ("A ruling (2d Cir. 2011).", "a ruling second circuit twenty eleven"),
        ("T&Cs apply.", "t and c's apply"),
        ("She got an A-, then a B+.", "she got an a minus then a b plus"),
        ("From L.A. to N.Y.C., then Albany, N.Y.", "from l a to n y c then albany new york"),
        ("He had 20 pts, 8 rebs and 1 asts.", "he had twenty points eight rebounds and one assist"),
        ("ISBN 978-3-16-148410-X", "i s b n nine seven eight three one six one four eight four one zero x"),
        ("Call +44 (0)20 7946 0958.", "call plus four four zero two zero seven nine four six zero nine five eight"),
        ("Open Sat 10-2.", "open saturday ten to two"),
        ("Human Svcs.", "human services"),
        (
            "1 Cor. 13:4-7; Gen. 1:1; Ps. 23.",
            "first corinthians thirteen four to seven genesis one one psalm twenty three",
        ),
        ("1 Pet. 2:9 of Gen. Smith.", "first peter two nine of general smith"),
        (
            'A new 12" pizza or a 27" screen is 12" wide.',
            "a new twelve inch pizza or a twenty seven inch screen is twelve inches wide",
        ),
        ("See Apt. #4B on Tues. @ noon.", "see apartment number four b on tuesday at noon"),
        ("In 1066, 1492 and 2005.", "in ten sixty six fourteen ninety two and two thousand five"),
    ],
)
def test_short_forms_are_read_in_full(text: str, spoken: str, lexicon: Lexicon) -> None:
    [sentence] = read(text, lexicon)
    assert " ".join(word.text for word in sentence.words) == spoken
