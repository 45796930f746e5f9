from __future__ import annotations

import base64
import io

import numpy as np
import soundfile

from voicemill.evaluation.pages import flac_uri
from voicemill.evaluation.report_sentences import (
    MEDIA_BUDGET,
    ReportSentence,
    ReportSounds,
    recognised_markup,
    sentences_within_budget,
)


def sentences(evaluated, *budget: int, **more) -> list[ReportSentence]:
    references, measured = evaluated
    sounds = ReportSounds(references=references, spoken=measured.spoken, **more)
    return sentences_within_budget(sounds, measured.evaluation, *budget)


def test_sound_survives_the_data_uri(talk) -> None:
    samples = talk(seconds=0.5)
    sound = io.BytesIO(base64.b64decode(flac_uri(samples, 22_050).partition(",")[2]))
    back, rate = soundfile.read(sound, dtype="float32")
    assert rate == 22_050
    np.testing.assert_allclose(back, samples, atol=1 / 32_000)


def test_wrong_and_missed_words_are_marked_and_escaped() -> None:
    assert recognised_markup("one two three", "one too three") == "one <del>two</del> <ins>too</ins> three"
    assert recognised_markup("one two", "one") == "one <del>two</del>"
    assert recognised_markup("one", "one more") == "one <ins>more</ins>"
    assert "<script>" not in recognised_markup("one", "<script>")


def test_an_obscene_word_that_was_not_spoken_is_masked() -> None:
    assert recognised_markup("what a sheet", "what a shit") == "what a <del>sheet</del> <ins>s***</ins>"
    assert recognised_markup("the ship sank", "the shift sank") == "the <del>ship</del> <ins>shift</ins> sank"
    assert recognised_markup("the bastard of Orleans", "the bastard of Orleans") == "the bastard of orleans"


def test_the_voice_as_it_ships_comes_right_after_the_recording(evaluated) -> None:
    shown = sentences(evaluated, pitch_range=(70.0, 300.0))
    assert [take.label for take in shown[0].takes] == ["Recording", "HiFi-GAN", "Griffin-Lim"]
    assert [take.shipped for take in shown[0].takes] == [False, True, False]
    assert "polyline" in shown[0].pitch
    assert sentences(evaluated)[0].pitch == ""


def test_the_budget_holds_but_one_sentence_always_plays(evaluated) -> None:
    whole = sentences(evaluated)
    assert len(whole) == 2
    assert len(sentences(evaluated, whole[0].size + 10)) == 1
    least = sentences(evaluated, 1)
    assert [len(sentence.takes) for sentence in least] == [2]
    assert MEDIA_BUDGET < 8_000_000
