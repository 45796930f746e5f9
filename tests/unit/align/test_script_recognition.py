from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align import script_windows
from voicemill.align.recognition import RecognisedWord
from voicemill.align.script_recognition import doubtful, hear, strange, write_language_model
from voicemill.audio.sound import InMemory
from voicemill.audio.vad import Span, speech_spans
from voicemill.progress import Observer, SilentObserver
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words
from voicemill.workers import Workers


class Counter(SilentObserver):
    def __init__(self) -> None:
        self.seen: list[int] = []
        self.notes: list[str] = []

    def advance(self, done: int, note: str = "") -> None:
        self.seen.append(done)

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_the_pool_hears_the_same(
    assemble: Callable[..., npt.NDArray[np.float32]], sentences: list[str], lexicon: Lexicon, tmp_path: Path
) -> None:
    recording = assemble(0, 3, 7, 9)
    spans = speech_spans(recording)
    script = [words(sentences[index]) for index in (0, 3, 7, 9)]
    observer = Counter()
    alone = hear(InMemory(recording, 16_000), spans, script, lexicon, observer)
    assert [word.text for word in alone] == [word for sentence in script for word in sentence]
    assert observer.seen == list(range(1, len(spans) + 1))
    assert [word.start for word in alone] == sorted(word.start for word in alone)
    assert all(spans[word.stretch].start - 0.16 <= word.start <= spans[word.stretch].end + 0.16 for word in alone)

    def run(function: Callable[..., object], tasks: Sequence[object], observer: Observer) -> list[object]:
        assert any(tmp_path.iterdir())  # the language model lies where all of the pool can see it
        return workers.run(function, tasks, observer.advance)

    with Workers(2) as workers:
        heard = hear(InMemory(recording, 16_000), spans, script, lexicon, observer, run=run, folder=tmp_path)
    assert heard == alone
    assert not any(tmp_path.iterdir())


def test_of_a_long_script_what_is_near_is_expected_and_what_is_far_is_heard_too(
    assemble: Callable[..., npt.NDArray[np.float32]],
    sentences: list[str],
    lexicon: Lexicon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("EVERY", 2), ("BLOCK", 2), ("_REACH", 1), ("_MARGIN", 0)):
        monkeypatch.setattr(script_windows, name, value)
    order = [*range(13), 1]  # a sentence of the beginning once more at the very end
    recording = assemble(*order)
    spans = speech_spans(recording)
    models: list[list[str]] = []

    def run(function: Callable[..., Any], tasks: Sequence[Any], observer: Observer) -> list[Any]:
        models.append([task.model.stem for task in tasks])
        found = [function(task) for task in tasks]
        observer.advance(len(found))
        return found

    observer = Counter()
    script = [words(sentence) for sentence in sentences[:14]]
    heard = hear(InMemory(recording, 16_000), spans, script, lexicon, observer, run=run, folder=tmp_path)
    assert [word.text for word in heard] == [word for index in order for word in script[index]]
    sample, rest, _, lost = models
    assert set(sample) == set(lost) == {"script"}
    assert "script" not in rest
    assert len(set(rest)) > 3
    assert observer.seen == [len(sample), len(spans)]
    assert observer.notes[-1] == (
        f"segmentation: {len(lost)} of them once more, as if they could be anywhere in the script"
    )


def test_spans_at_the_very_edges(clips: list[tuple[npt.NDArray[np.float32], str]], lexicon: Lexicon) -> None:
    samples, text = clips[3]
    whole = [Span(0.0, samples.size / 16_000)]
    assert [
        word.text for word in hear(InMemory(samples, 16_000), whole, [words(text)], lexicon, SilentObserver())
    ] == words(text)


def test_language_model_of_one_word(tmp_path: Path) -> None:
    write_language_model(tmp_path / "one.lm", [["yes"], []])
    assert "yes" in (tmp_path / "one.lm").read_text(encoding="utf-8")


def test_what_is_no_running_part_of_the_script_is_heard_again() -> None:
    def heard(text: str, start: float = 0.2, seconds: float = 2.0) -> list[RecognisedWord]:
        spoken = text.split()
        step = (seconds - 0.4) / max(1, len(spoken))
        return [
            RecognisedWord(word, start + step * index, start + step * (index + 1)) for index, word in enumerate(spoken)
        ]

    stream = " the water is cold the sun is warm "
    assert not doubtful(heard("is cold the sun"), 2.0, stream)
    assert doubtful(heard("is cold a sun"), 2.0, stream)
    assert doubtful([], 2.0, stream)
    assert doubtful(heard("water is cold", start=0.8), 2.6, stream), "a word before them may have been missed"
    assert doubtful(heard("water is"), 3.0, stream), "a word after them may have been missed"
    assert doubtful(heard("is col"), 2.0, stream)


def test_what_has_hardly_a_run_of_words_was_not_read_from_this_part() -> None:
    def heard(text: str) -> list[RecognisedWord]:
        return [RecognisedWord(word, index, index + 1) for index, word in enumerate(text.split())]

    stream = " the water is cold the sun is warm and the day is long "
    assert not strange(heard("the sun is warm or the day is long"), stream)
    assert not strange(heard("sun is warm"), stream)
    assert strange(heard("the water was warm and the sun is long"), stream)
    assert strange(heard("the sun"), stream), "too little to tell"
    assert strange([], stream)
