from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.recognition import PocketSphinxRecogniser, Recogniser
from voicemill.align.script_language_model import write_language_model
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words

Clip = tuple[npt.NDArray[np.float32], str]


@pytest.fixture(scope="module")
def recogniser(clips: list[Clip], lexicon: Lexicon, tmp_path_factory: pytest.TempPathFactory) -> PocketSphinxRecogniser:
    folder = tmp_path_factory.mktemp("model")
    sentences = [words(text) for _, text in clips]
    write_language_model(folder / "demo.lm", sentences)
    lexicon.subset(folder / "demo.dict", {word for sentence in sentences for word in sentence})
    return PocketSphinxRecogniser(language_model=folder / "demo.lm", dictionary=folder / "demo.dict")


def test_words_with_times(clips: list[Clip], recogniser: PocketSphinxRecogniser) -> None:
    samples, text = clips[1]
    found = recogniser.words(samples)
    assert [word.text for word in found] == words(text)
    assert all(0.0 <= word.start < word.end <= samples.size / 16_000 + 0.02 for word in found)


def test_independent_of_earlier_calls(clips: list[Clip], recogniser: PocketSphinxRecogniser) -> None:
    first = [recogniser.words(samples) for samples, _ in clips[:3]]
    assert [recogniser.words(samples) for samples, _ in clips[:3][::-1]] == first[::-1]


@pytest.mark.parametrize("size", [0, 100, 16_000])
def test_silence(recogniser: PocketSphinxRecogniser, size: int) -> None:
    assert len(recogniser.transcribe(np.zeros(size, dtype=np.float32)).split()) <= 1


def test_the_general_model(clips: list[Clip]) -> None:
    general: Recogniser = PocketSphinxRecogniser()
    samples, text = clips[1]
    heard = general.transcribe(samples).split()
    assert len(set(heard) & set(words(text))) >= 0.5 * len(words(text))
    assert general.name == "PocketSphinx en-us"
    assert general.version.startswith("5.")


def test_names_its_model(recogniser: PocketSphinxRecogniser) -> None:
    assert recogniser.name == "PocketSphinx en-us, demo.lm"


def test_paths_with_spaces_and_accents(lexicon: Lexicon, tmp_path: Path) -> None:
    folder = tmp_path / "a b \u00e9"
    folder.mkdir()
    write_language_model(folder / "x.lm", [["good", "morning"]])
    lexicon.subset(folder / "x.dict", ["good", "morning"])
    recogniser = PocketSphinxRecogniser(language_model=folder / "x.lm", dictionary=folder / "x.dict")
    assert isinstance(recogniser.transcribe(np.zeros(8000, dtype=np.float32)), str)
