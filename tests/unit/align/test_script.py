from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.script import Script, ScriptMatch, match_script
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import speech_spans
from voicemill.audio.waveform import MemoryWaveform
from voicemill.errors import DatasetError
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise

Samples = npt.NDArray[np.float32]
Assemble = Callable[..., Samples]
Match = Callable[[Samples, list[str]], ScriptMatch]


@pytest.fixture
def match(lexicon: Lexicon) -> Match:
    def run(samples: Samples, script: list[str]) -> ScriptMatch:
        return match_script(MemoryWaveform(samples, 16_000), speech_spans(samples), Script(tuple(script), lexicon))

    return run


def texts(found: ScriptMatch) -> list[str]:
    return [utterance.text for utterance in found.utterances]


@pytest.mark.slow
def test_the_whole_demo(demo: Samples, sentences: list[str], lexicon: Lexicon) -> None:
    spans = speech_spans(demo)
    found = match_script(MemoryWaveform(demo, 16_000), spans, Script(tuple(sentences), lexicon))
    assert texts(found) == sentences
    assert [utterance.sentences for utterance in found.utterances] == [(index,) for index in range(len(sentences))]
    assert (found.skipped, found.repeats, found.unusable, found.unmatched) == ((), (), (), ())
    assert found.matched_seconds == pytest.approx(found.speech_seconds)
    limits = Segmentation()
    assert all(limits.min_duration <= utterance.duration <= limits.max_duration for utterance in found.utterances)
    for one, two in itertools.pairwise(found.utterances):
        assert one.end <= two.start
    # cut in silence: the 10 ms around each cut are far below speech
    level = np.sqrt(np.mean(np.square(demo)))
    for utterance in found.utterances:
        for cut in (utterance.start, utterance.end):
            around = demo[max(0, round((cut - 0.005) * 16_000)) : round((cut + 0.005) * 16_000)]
            assert np.sqrt(np.mean(np.square(around))) < 0.1 * level


def test_left_out_and_repeated(assemble: Assemble, sentences: list[str], match: Match) -> None:
    recording = assemble(0, 1, 1, 4, 5, 5)
    found = match(recording, sentences[:6])
    assert texts(found) == [sentences[index] for index in (0, 1, 4, 5)]
    assert found.skipped == (2, 3)
    assert [take.sentence for take in found.repeats] == [1, 5]
    assert all(
        take.end <= next(one.start for one in found.utterances if one.sentences == (take.sentence,))
        for take in found.repeats
    )  # the last take is the one that is kept


def test_other_speech_and_false_starts(
    assemble: Assemble, clips: list[tuple[Samples, str]], sentences: list[str], match: Match
) -> None:
    start = clips[2][0][: round(0.4 * clips[2][0].size)]
    recording = assemble(0, 9, 1, start, 2, 3)
    found = match(recording, sentences[:4])
    assert texts(found) == sentences[:4]
    assert len(found.unmatched) + len(found.repeats) == 2
    assert found.unmatched[0].duration == pytest.approx(clips[9][0].size / 16_000, abs=0.4)
    assert found.matched_seconds < found.speech_seconds
    true = clips[2][0].size / 16_000
    assert found.utterances[2].duration == pytest.approx(true, abs=0.3)


def test_very_short_pauses(assemble: Assemble, sentences: list[str], match: Match) -> None:
    found = match(assemble(3, 4, 5, 6, gap=0.05), sentences[3:7])
    assert " ".join(texts(found)) == " ".join(sentences[3:7])


def test_only_a_part_was_read(assemble: Assemble, sentences: list[str], match: Match) -> None:
    found = match(assemble(0, 1), sentences[:30])
    assert texts(found) == sentences[:2]
    assert found.skipped == tuple(range(2, 30))


def test_only_a_part_is_written(assemble: Assemble, sentences: list[str], match: Match) -> None:
    found = match(assemble(*range(8)), sentences[2:4])
    assert texts(found) == sentences[2:4]
    assert len(found.unmatched) >= 4


@pytest.mark.parametrize("kind", ["other", "late"])
def test_wrong_script(assemble: Assemble, sentences: list[str], match: Match, kind: str) -> None:
    other = [
        "Learning to juggle took him the better part of a year.",
        "Three judges argued over a single vote.",
        "Wet stones shine like jewels along the shore.",
        "Fresh basil grows best in a warm, sunny kitchen.",
    ]
    with pytest.raises(DatasetError, match=r"no text for \d+\.\d-\d+\.\d s") as caught:
        match(assemble(*range(6)), other if kind == "other" else sentences[60:])
    assert caught.value.reason == "script_mismatch"
    assert caught.value.hint


def test_a_long_paragraph_is_split(assemble: Assemble, sentences: list[str], match: Match) -> None:
    whole = " ".join(sentences[:8])
    found = match(assemble(*range(8), gap=0.4), [whole])
    assert " ".join(texts(found)) == whole
    assert len(found.utterances) > 1
    assert all(utterance.duration <= 12.0 and utterance.sentences == (0,) for utterance in found.utterances)


def test_words_that_no_dictionary_lists(assemble: Assemble, sentences: list[str], match: Match) -> None:
    script = [sentences[0].replace("listening", "lissening"), sentences[1]]
    assert texts(match(assemble(0, 1), script)) == script


def test_nothing_to_match(lexicon: Lexicon, sentences: list[str]) -> None:
    silence = np.zeros(32_000, dtype=np.float32)
    with pytest.raises(DatasetError) as caught:
        match_script(MemoryWaveform(silence, 16_000), [], Script(tuple(sentences), lexicon))
    assert caught.value.reason == "no_speech"
    with pytest.raises(DatasetError) as caught:
        match_script(MemoryWaveform(silence, 16_000), [], Script((normalise("..."),), lexicon))
    assert caught.value.reason == "missing_transcript"
