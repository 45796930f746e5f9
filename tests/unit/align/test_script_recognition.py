from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align import script_following, script_windows
from voicemill.align.recognition import RecognisedWord
from voicemill.align.script_language_model import write_language_model
from voicemill.align.script_recognition import Script, needs_full_pass, off_script, recognise_script
from voicemill.audio.vad import Span, speech_spans
from voicemill.audio.waveform import MemoryWaveform
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


def test_a_pool_gives_the_same_words(
    assemble: Callable[..., npt.NDArray[np.float32]], sentences: list[str], lexicon: Lexicon, tmp_path: Path
) -> None:
    recording = assemble(0, 3, 7, 9)
    spans = speech_spans(recording)
    script = Script(tuple(sentences[index] for index in (0, 3, 7, 9)), lexicon)
    observer = Counter()
    alone = recognise_script(MemoryWaveform(recording, 16_000), spans, script, observer)
    assert [word.text for word in alone] == [word for sentence in script.words for word in sentence]
    assert observer.seen == list(range(1, len(spans) + 1))
    assert [word.start for word in alone] == sorted(word.start for word in alone)
    assert all(spans[word.span_index].start - 0.16 <= word.start <= spans[word.span_index].end + 0.16 for word in alone)

    def run(function: Callable[..., object], tasks: Sequence[object], observer: Observer) -> list[object]:
        assert any(tmp_path.iterdir())  # the language model lies where every process of the pool can read it
        return workers.run(function, tasks, observer.advance)

    with Workers(2) as workers:
        heard = recognise_script(MemoryWaveform(recording, 16_000), spans, script, observer, run=run, folder=tmp_path)
    assert heard == alone
    assert not any(tmp_path.iterdir())


def test_spans_outside_their_window_of_a_long_script_are_recognised_with_the_whole_script(
    assemble: Callable[..., npt.NDArray[np.float32]],
    sentences: list[str],
    lexicon: Lexicon,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("ANCHOR_INTERVAL", 2), ("BLOCK", 2), ("_ANCHOR_REACH", 1), ("_MARGIN_SENTENCES", 0)):
        monkeypatch.setattr(script_windows, name, value)
    order = [*range(13), 1]  # a sentence of the beginning once more at the very end
    recording = assemble(*order)
    spans = speech_spans(recording)
    models: list[list[str]] = []

    def run(function: Callable[..., Any], tasks: Sequence[Any], observer: Observer) -> list[Any]:
        if function is not script_following.follow:
            models.append([task.model.stem for task in tasks])
        found = [function(task) for task in tasks]
        observer.advance(len(found))
        return found

    observer = Counter()
    script = Script(tuple(sentences[:14]), lexicon)
    heard = recognise_script(MemoryWaveform(recording, 16_000), spans, script, observer, run=run, folder=tmp_path)
    assert [word.text for word in heard] == [word for index in order for word in script.words[index]]
    sample, rest, _, lost = models
    assert set(sample) == set(lost) == {"script"}
    assert "script" not in rest
    assert len(set(rest)) > 3
    assert observer.seen == [len(sample), len(spans)]
    assert observer.notes[-1] == (
        f"segmentation: {len(lost)} of them once more, with the whole script as language model"
    )


def test_spans_at_the_very_edges(clips: list[tuple[npt.NDArray[np.float32], str]], lexicon: Lexicon) -> None:
    samples, text = clips[3]
    whole = [Span(0.0, samples.size / 16_000)]
    assert [
        word.text
        for word in recognise_script(MemoryWaveform(samples, 16_000), whole, Script((text,), lexicon), SilentObserver())
    ] == words(text)


def test_language_model_of_one_word(tmp_path: Path) -> None:
    write_language_model(tmp_path / "one.lm", [["yes"], []])
    assert "yes" in (tmp_path / "one.lm").read_text(encoding="utf-8")


def test_words_that_are_not_contiguous_in_the_script_need_a_full_pass() -> None:
    def recognised(text: str, start: float = 0.2, seconds: float = 2.0) -> list[RecognisedWord]:
        spoken = text.split()
        step = (seconds - 0.4) / max(1, len(spoken))
        return [
            RecognisedWord(word, start + step * index, start + step * (index + 1)) for index, word in enumerate(spoken)
        ]

    stream = " the water is cold the sun is warm "
    assert not needs_full_pass(recognised("is cold the sun"), 2.0, stream)
    assert needs_full_pass(recognised("is cold a sun"), 2.0, stream)
    assert needs_full_pass([], 2.0, stream)
    assert needs_full_pass(recognised("water is cold", start=0.8), 2.6, stream), (
        "a word before them may have been missed"
    )
    assert needs_full_pass(recognised("water is"), 3.0, stream), "a word after them may have been missed"
    assert needs_full_pass(recognised("is col"), 2.0, stream)


def test_words_with_few_runs_of_the_script_are_off_script() -> None:
    def recognised(text: str) -> list[RecognisedWord]:
        return [RecognisedWord(word, index, index + 1) for index, word in enumerate(text.split())]

    stream = " the water is cold the sun is warm and the day is long "
    assert not off_script(recognised("the sun is warm or the day is long"), stream)
    assert not off_script(recognised("sun is warm"), stream)
    assert off_script(recognised("the water was warm and the sun is long"), stream)
    assert off_script(recognised("the sun"), stream), "too little to tell"
    assert off_script([], stream)
