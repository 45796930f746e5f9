from __future__ import annotations

import base64
import io

import numpy as np
import soundfile

from voicemill.evaluation import media
from voicemill.evaluation.contents import ReportData
from voicemill.evaluation.media import flac_uri, heard_markup, sentences_within_budget


def data(evaluated, **more) -> ReportData:
    references, measured = evaluated
    return ReportData(
        display_name="A",
        voice="a",
        created_at="2026-01-01T00:00:00Z",
        evaluation=measured.evaluation,
        references=references,
        spoken=measured.spoken,
        **more,
    )


def test_sound_survives_the_data_uri(talk) -> None:
    samples = talk(seconds=0.5)
    sound = io.BytesIO(base64.b64decode(flac_uri(samples, 22_050).partition(",")[2]))
    back, rate = soundfile.read(sound, dtype="float32")
    assert rate == 22_050
    np.testing.assert_allclose(back, samples, atol=1 / 32_000)


def test_wrong_and_missed_words_are_marked_and_escaped() -> None:
    assert heard_markup("one two three", "one too three") == "one <del>two</del> <ins>too</ins> three"
    assert heard_markup("one two", "one") == "one <del>two</del>"
    assert heard_markup("one", "one more") == "one <ins>more</ins>"
    assert "<script>" not in heard_markup("one", "<script>")


def test_the_voice_as_it_ships_comes_right_after_the_recording(evaluated) -> None:
    sentences = sentences_within_budget(data(evaluated, pitch_range=(70.0, 300.0)))
    assert [take.label for take in sentences[0].takes] == ["Recording", "HiFi-GAN", "Griffin-Lim"]
    assert [take.shipped for take in sentences[0].takes] == [False, True, False]
    assert "polyline" in sentences[0].pitch
    assert sentences_within_budget(data(evaluated))[0].pitch == ""


def test_the_budget_holds_but_one_sentence_always_plays(evaluated) -> None:
    whole = sentences_within_budget(data(evaluated))
    assert len(whole) == 2
    assert len(sentences_within_budget(data(evaluated), budget=whole[0].size + 10)) == 1
    least = sentences_within_budget(data(evaluated), budget=1)
    assert [len(sentence.takes) for sentence in least] == [2]
    assert media.MEDIA_BUDGET < 8_000_000
