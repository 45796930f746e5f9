"""SSML through the graph: what is spoken, when, how fast, how high and how loud."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.unit.training.conftest import RATE

from voicemill.text.frontend import read, read_parts
from voicemill_runtime.bundle import open_voice
from voicemill_runtime.timings import render
from voicemill_runtime.voice import SpokenChunk, TimedMark, TimedWord, Voice


@pytest.fixture(scope="module")
def voice(exported: Path) -> Voice:
    from voicemill.text.lexicon import Lexicon
    from voicemill_runtime.graph import VoiceGraph

    return Voice(VoiceGraph((exported / "voice.onnx").read_bytes()), Lexicon.load())


def words(chunks: list[SpokenChunk]) -> list[TimedWord]:
    return [word for chunk in chunks for word in chunk.words]


def phones(word: TimedWord) -> str:
    return " ".join(phone.symbol.rstrip("012") for phone in word.phones)


def test_a_text_in_parts_is_read_as_the_whole() -> None:
    parts = ["I will ", "read", " it, and 5 ", "km", " later: Dr. ", "Smith", "'s U.S", ". flat."]
    whole, split = read("".join(parts)), read_parts(parts)
    assert [sentence.spoken for sentence in split] == [sentence.spoken for sentence in whole]
    assert [sentence.normalised for sentence in split] == [sentence.normalised for sentence in whole]
    found = {word.text: word.part for sentence in split for word in sentence.words}
    assert [found[word] for word in ("will", "read", "and", "kilometers", "later", "smith's", "flat")] == [
        0,
        1,
        2,
        2,
        4,
        5,
        7,
    ]


def test_parts_over_markup_and_lines() -> None:
    (one, two) = read_parts(["A *bold", "* word.\n\nSecond ", "```\ncode", "\n```"])[:2]
    assert one.spoken == ["a", "bold", "word"]
    assert [word.part for word in two.words if word.text == "second"] == [1]
    assert [word.text for word in read("a\ue000b")[0].words] == ["a", "b"]


def test_words_that_the_markup_gives(voice: Voice) -> None:
    text = (
        '<sub alias="World Wide Web">WWW</sub>, <phoneme alphabet="x-arpabet" ph="P IH K AA N">pecan</phoneme>. '
        "Flight <say-as interpret-as='characters'>BA</say-as> <say-as interpret-as='digits'>12</say-as>!"
    )
    spoken = words(list(voice.speak(text)))
    assert " ".join(word.text for word in spoken) == "world wide web pecan flight b a one two"
    assert phones(spoken[3]) == "P IH K AA N"
    assert phones(spoken[6]) == "EY"


def test_marks_have_times(voice: Voice) -> None:
    text = "<mark name='start'/>One <mark name='middle'/>two.<mark name='a'/><break time='1s'/><mark name='b'/> Three<mark name='end'/>"
    chunks = list(voice.speak(text))
    spoken = words(chunks)
    times = {mark.name: mark.time for chunk in chunks for mark in chunk.marks}
    assert list(times) == ["start", "middle", "a", "b", "end"]
    assert times["start"] == spoken[0].start
    assert times["middle"] == spoken[1].start
    assert times["a"] == len(chunks[0].samples) / RATE
    assert times["b"] == spoken[2].start > times["a"] + 1
    assert times["end"] == sum(len(chunk.samples) for chunk in chunks) / RATE


def test_rate_acts_on_its_words_alone(voice: Voice) -> None:
    plain = words(list(voice.speak("One two three four.")))
    slow = words(list(voice.speak("One two <prosody rate='50%'>three</prosody> four.")))
    seconds = [word.end - word.start for word in plain], [word.end - word.start for word in slow]
    assert seconds[1][2] == pytest.approx(2 * seconds[0][2], rel=0.1)
    assert seconds[1][:2] == pytest.approx(seconds[0][:2])


def test_volume_acts_on_its_words_alone(voice: Voice) -> None:
    (plain,) = voice.speak("One two three four.")
    (silent,) = voice.speak("One two <prosody volume='silent'>three</prosody> four.")
    start, end = (round(at * RATE) for at in (plain.words[2].start + 0.02, plain.words[2].end - 0.02))
    assert np.abs(silent.samples[start:end]).max() == 0
    before = round((plain.words[2].start - 0.02) * RATE)
    assert (silent.samples[:before] == plain.samples[:before]).all()


def test_pitch_changes_the_sound_and_not_the_length(voice: Voice) -> None:
    (plain,) = voice.speak("One two three four.")
    (high,) = voice.speak("<prosody pitch='+4st'>One two three four.</prosody>")
    assert high.samples.shape == plain.samples.shape
    assert np.abs(high.samples - plain.samples).max() > 1e-3


def test_emphasis_is_slower(voice: Voice) -> None:
    plain = words(list(voice.speak("I really mean it.")))
    strong = words(list(voice.speak("I <emphasis level='strong'>really</emphasis> mean it.")))
    assert strong[1].end - strong[1].start > plain[1].end - plain[1].start


def test_marks_in_the_files_of_times() -> None:
    spoken = (TimedWord("one", 0.1, 0.5, ()),)
    marks = (TimedMark('a "b"', 0.25),)
    assert json.loads(render(spoken, "a.json", marks))["marks"] == [{"mark": 'a "b"', "time": 0.25}]
    assert 'NOTE mark a "b" 00:00:00.250' in render(spoken, "a.vtt", marks)
    grid = render(spoken, "a.TextGrid", marks)
    assert '"TextTier"\n"marks"\n0\n0.500000\n1\n0.250000\n"a ""b"""' in grid
    assert grid.splitlines()[6] == "3"
    assert "a" not in render(spoken, "a.srt", marks)


def test_a_bundle_speaks_a_document(bundle: Path) -> None:
    chunks = list(open_voice(bundle).speak("<speak><p>Good morning.</p><p>It is 5:30.</p></speak>"))
    assert [len(chunk.samples) / RATE for chunk in chunks][1] == pytest.approx(0.7, abs=1e-4)
