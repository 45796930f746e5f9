from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align import script_following
from voicemill.align.forced_alignment import WORD_THRESHOLD, Word
from voicemill.align.script_following import (
    FEWEST_SPANS,
    INTERVALS,
    FollowTask,
    ScriptStretch,
    follow,
    landmarks,
    misfit,
    stretches,
)
from voicemill.align.script_recognition import Script, recognise_script
from voicemill.audio.vad import Span, speech_spans
from voicemill.audio.waveform import MemoryWaveform
from voicemill.progress import Observer, SilentObserver
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words as words_of

Samples = npt.NDArray[np.float32]
SCRIPT = list("abcdefghijklmnop")


def spans(*seconds: float) -> list[Span]:
    """Spans of these lengths with pauses of 0.2 s."""
    found, start = [], 0.0
    for length in seconds:
        found.append(Span(start, start + length))
        start += length + 0.2
    return found


def test_a_short_recording_is_recognised_as_a_whole() -> None:
    assert landmarks(FEWEST_SPANS - 1, 4) == list(range(FEWEST_SPANS - 1))
    assert landmarks(18, 4) == [0, 4, 8, 12, 16, 17]


def test_the_words_between_two_spans_are_those_of_the_script() -> None:
    found = {0: SCRIPT[:4], 3: SCRIPT[9:13]}
    assert list(stretches(found, spans(1, 1, 1, 1), [SCRIPT], {0, 3})) == [ScriptStretch(1, 2, tuple(SCRIPT[4:9]))]


def test_spans_that_no_words_can_fill_are_recognised() -> None:
    four = spans(1, 1, 1, 1)
    assert not list(stretches({0: SCRIPT[:4], 3: SCRIPT[4:8]}, four, [SCRIPT], {0, 3})), "nothing lies between"
    assert not list(stretches({0: SCRIPT[8:12], 3: SCRIPT[:4]}, four, [SCRIPT], {0, 3})), "the reader went back"
    assert not list(stretches({0: SCRIPT[:3], 2: SCRIPT[13:]}, spans(1, 1, 1), [SCRIPT], {0, 2})), "too many words"
    assert not list(stretches({0: ["a", "x", "c"], 3: SCRIPT[9:13]}, four, [SCRIPT], {0, 3})), "not of the script"
    assert not list(stretches({0: SCRIPT[:2], 3: SCRIPT[9:13]}, four, [SCRIPT], {0, 3})), "words of many places"


def test_of_several_places_the_nearest_are_taken() -> None:
    script = [*SCRIPT, *SCRIPT]
    found = {0: SCRIPT[:4], 2: SCRIPT[6:10]}
    assert list(stretches(found, spans(1, 1, 1), [script], {0, 2})) == [ScriptStretch(1, 1, ("e", "f"))]


class Recorded:
    """Runs tasks in this process and counts them by function."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(self, function: Callable[..., Any], tasks: Sequence[Any], observer: Observer) -> list[Any]:
        self.counts[function.__name__] = self.counts.get(function.__name__, 0) + len(tasks)
        return [function(task) for task in tasks]


def test_a_reader_who_follows_the_script(
    assemble: Callable[..., Samples], sentences: list[str], lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_following, "FEWEST_SPANS", 8)
    recording, run = assemble(*range(14)), Recorded()
    speech = speech_spans(recording)
    script = Script(tuple(sentences[:14]), lexicon)
    found = recognise_script(MemoryWaveform(recording, 16_000), speech, script, SilentObserver(), run=run)
    wanted = [word for sentence in script.words for word in sentence]
    assert [word.text for word in found] == wanted
    assert run.counts["_recognise_span"] < 0.4 * len(speech)
    assert all(before.end <= after.start + 0.011 for before, after in itertools.pairwise(found))


def test_a_sentence_that_is_read_twice(
    assemble: Callable[..., Samples], sentences: list[str], lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the words do not follow the script, more spans are recognised, and only there."""
    monkeypatch.setattr(script_following, "FEWEST_SPANS", 8)
    order = [*range(5), 4, *range(5, 14)]
    recording, run = assemble(*order), Recorded()
    speech = speech_spans(recording)
    script = Script(tuple(sentences[:14]), lexicon)
    found = recognise_script(MemoryWaveform(recording, 16_000), speech, script, SilentObserver(), run=run)
    assert [word.text for word in found] == [word for index in order for word in script.words[index]]
    few, all_of_them = len(landmarks(len(speech), INTERVALS[0])), len(speech)
    assert few < run.counts["_recognise_span"] < 0.7 * all_of_them


def test_speech_that_the_script_lacks_is_not_taken_for_its_words(
    clips: list[tuple[Samples, str]], lexicon: Lexicon
) -> None:
    (samples, text), pause = clips[0], np.zeros(4_000, dtype=np.float32)
    words = tuple(words_of(text))
    phones = tuple(lexicon.pronounce(word).phones for word in words)

    def placed(sound: Samples) -> object:
        window = Span(0.0, len(sound) / 16_000)
        return follow(FollowTask(MemoryWaveform(sound, 16_000), (window,), 0.0, words, phones))

    assert placed(samples)
    assert placed(np.concatenate((samples[:16_000], pause, samples))) is None, "a false start"
    assert placed(np.concatenate((samples, pause, clips[1][0]))) is None, "another sentence"


@pytest.mark.parametrize(("unlike", "share"), [(None, 0.0), (0, 1 / 3), (4, 1 / 3), (7, 1 / 3)])
def test_the_words_of_one_window_are_no_small_share_of_many(unlike: int | None, share: float) -> None:
    scores = [WORD_THRESHOLD - 1 if index == unlike else WORD_THRESHOLD + 30 for index in range(8)]
    windows = [[Word("word", float(index), index + 0.5, (), score)] for index, score in enumerate(scores)]
    assert misfit(windows) == pytest.approx(share)


def test_a_short_sentence_is_marked_as_one_that_may_be_unread() -> None:
    sentences = [SCRIPT[:4], SCRIPT[4:5], SCRIPT[5:9], SCRIPT[9:]]
    [stretch] = stretches({0: SCRIPT[:4], 3: SCRIPT[9:13]}, spans(1, 1, 1, 1), sentences, {0, 3})
    assert stretch == ScriptStretch(1, 2, tuple(SCRIPT[4:9]), ((0, 1), (1, 5)))


def test_a_page_number_that_is_not_read_is_not_placed(clips: list[tuple[Samples, str]], lexicon: Lexicon) -> None:
    samples, text = clips[0]
    words = ("twelve", *words_of(text))
    phones = tuple(lexicon.pronounce(word).phones for word in words)
    window = Span(0.0, len(samples) / 16_000)
    task = FollowTask(MemoryWaveform(samples, 16_000), (window,), 0.0, words, phones, ((0, 1),))
    assert follow(task) is None
    assert follow(dataclasses.replace(task, words=words[1:], phones=phones[1:], short=((0, len(words) - 1),)))
