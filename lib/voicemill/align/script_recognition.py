"""Script recognition: words with times in a long recording, recognised with a language model of its own script.

The language model is a trigram model of the script's words. Every eighth span is recognised, and the words between are
placed by forced alignment where they fit (`script_following`); where they do not, every fourth is recognised. The other
spans are recognised in up to three passes:

1. First pass over every span: PocketSphinx with every other frame skipped, two densities per codebook, and no second
   search.
2. Full pass, with PocketSphinx's defaults, over the spans for which `needs_full_pass` holds: the words of the first
   pass are not a contiguous part of the script that fills the span.
3. Full pass with the model of the whole script over the spans that are still `off_script`, if they were recognised
   with a window of the script.

For a long script each span is first recognised with the language model of a window of the script (`script_windows`).

Every span is a task of its own, so a pool of processes can recognise them. Speed and error rates are in
docs/benchmarks.md.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from voicemill.align import script_following, script_windows
from voicemill.align.features import SAMPLE_RATE
from voicemill.align.recognition import PocketSphinxRecogniser, RecognisedWord
from voicemill.align.script_language_model import LanguageModel, joined, write_models
from voicemill.audio.vad import Span
from voicemill.audio.waveform import Waveform, excerpt
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words as words_of

MARGIN = 0.15
"""Seconds of audio recognised before and after a speech span, where the pause is long enough: voice activity detection
tends to start inside the first phone."""
_MAX_EDGE_SILENCE = 0.35
"""Seconds without a word at an edge of a span from which on a word may be missing there."""
_RUN = 3
"""Consecutive words that must match the script: shorter runs may match by chance."""
_MIN_RUN_SHARE = 0.6
"""Share of words in such runs below which a span does not read the expected part of the script."""
_FIRST_PASS: Mapping[str, object] = {"ds": 2, "topn": 2, "fwdflat": False}
"""PocketSphinx's settings for the first pass."""
_FULL_PASS: Mapping[str, object] = {}
"""PocketSphinx's settings for the full pass: its defaults. Two densities per codebook are too few: with a script of
eleven words they found a sentence in speech that did not contain it."""

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Script:
    """A script in reading order.

    Attributes:
        sentences: normalised text.
        lexicon: pronunciations of its words.
    """

    sentences: tuple[str, ...]
    lexicon: Lexicon

    @functools.cached_property
    def words(self) -> list[list[str]]:
        """The words of each sentence; an empty list for a sentence without words."""
        return [words_of(sentence) for sentence in self.sentences]


def require_words_and_speech(script: Script, spans: Sequence[Span]) -> None:
    """Refuse a script or a recording in which there is nothing to find.

    Raises:
        DatasetError: `missing_transcript`, the script has no words; `no_speech`, there are no spans.
    """
    if not any(script.words):
        raise DatasetError(
            "The script contains no words.", reason="missing_transcript", hint="Give the text that is read."
        )
    if not spans:
        raise DatasetError(
            "The recording contains no speech.", reason="no_speech", hint="Check the microphone and the level."
        )


@dataclass(frozen=True)
class HypothesisWord:
    """A word of the recogniser's hypothesis; times in seconds from the start of the recording.

    Attributes:
        text: the word in lower case.
        start: seconds.
        end: seconds.
        span_index: index of the speech span that contains it.
    """

    text: str
    start: float
    end: float
    span_index: int


class TaskRunner(Protocol):
    """Runs a function over tasks, in this process or in others."""

    def __call__(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], observer: Observer, /
    ) -> list[_Result]:
        """`[function(task) for task in tasks]`; `observer.advance` counts the finished tasks.

        Functions are importable and tasks and results can be pickled.
        """


@dataclass(frozen=True)
class _RecognitionTask:
    """One speech span to recognise."""

    waveform: Waveform
    window: Span
    model: Path
    dictionary: Path
    full_pass: bool


@dataclass
class _Search:
    """The passes over the spans of one recording.

    Attributes:
        models: the language model of each span.
        found: words by the index of their span.
        thorough: spans that had the full pass.
        placed: spans whose words were placed by forced alignment.
    """

    waveform: Waveform
    spans: Sequence[Span]
    windows: Sequence[Span]
    script: Script
    run: TaskRunner
    observer: Observer
    models: dict[int, LanguageModel]
    found: dict[int, list[RecognisedWord]] = field(default_factory=dict)
    thorough: set[int] = field(default_factory=set)
    placed: set[int] = field(default_factory=set)

    def recognise(self, indices: Iterable[int], *, full_pass: bool = False) -> None:
        """Recognise spans, each with its language model."""
        # grouped by model, because a process keeps one model at a time; the longest first, so that no process is left
        # with a long span at the end
        order = sorted(indices, key=lambda index: (str(self.models[index].model), -self.windows[index].duration))
        tasks = [
            _RecognitionTask(
                self.waveform, self.windows[index], self.models[index].model, self.models[index].dictionary, full_pass
            )
            for index in order
        ]
        if not tasks:
            return
        observer = SilentObserver() if full_pass else _OffsetObserver(self.observer, len(self.found))
        self.found |= zip(order, self.run(_recognise_span, tasks, observer), strict=True)
        self.thorough |= set(order) if full_pass else set()

    def follow_from(self, landmarks: Sequence[int]) -> None:
        """Recognise some of the spans, and place the words between them."""
        self.recognise(index for index in landmarks if index not in self.found)
        if len(landmarks) < len(self.spans):
            self.recognise([index for index in self.unsure(landmarks) if index not in self.thorough], full_pass=True)
            self.follow()

    def follow(self) -> None:
        """Place the words of the spans between those that are sure, where the reader followed the script."""
        sure = self.found.keys() - self.unsure(self.found)
        texts = {index: [word.text for word in self.found[index]] for index in sure}
        stretches = list(script_following.stretches(texts, self.spans, self.script.words, sure))
        if not stretches:
            return
        tasks = [
            script_following.FollowTask(
                self.waveform,
                tuple(self.windows[one.first : one.last + 1]),
                MARGIN,
                one.words,
                tuple(self.script.lexicon.pronounce(word).phones for word in one.words),
                one.short,
            )
            for one in stretches
        ]
        known, placed = len(self.found), self.run(script_following.follow, tasks, SilentObserver())
        for one, of_windows in zip(stretches, placed, strict=True):
            if of_windows is not None:
                self.found |= dict(enumerate(of_windows, start=one.first))
                self.placed |= set(range(one.first, one.last + 1))
        if len(self.found) > known:
            self.observer.advance(len(self.found))

    def unsure(self, indices: Iterable[int]) -> list[int]:
        """The spans among these whose words are not certain."""
        return [
            index
            for index in indices
            if index not in self.placed
            and needs_full_pass(self.found[index], self.windows[index].duration, self.models[index].text)
        ]


class _OffsetObserver(SilentObserver):
    """Adds the number of tasks finished earlier to the count of the current ones."""

    def __init__(self, observer: Observer, finished: int) -> None:
        self._observer = observer
        self._finished = finished

    def advance(self, done: int, note: str = "") -> None:
        self._observer.advance(self._finished + done, note)


def recognise_script(
    waveform: Waveform,
    spans: Sequence[Span],
    script: Script,
    observer: Observer,
    *,
    run: TaskRunner | None = None,
    folder: Path | None = None,
) -> list[HypothesisWord]:
    """Recognise every speech span with a language model of the script.

    Args:
        waveform: the recording; each task reads its own span.
        spans: speech spans, ascending and disjoint, in seconds.
        script: the script that is read.
        observer: `advance` counts the finished spans; the caller announces the stage.
        run: runs the tasks; one after the other in this process by default.
        folder: where the temporary files of the language models go; every process of `run` must be able to read it.

    Returns:
        Words in ascending order of time.
    """
    windows = _padded(spans, waveform.seconds)
    sentences = script.words
    with tempfile.TemporaryDirectory(prefix=".script-", dir=folder) as made:
        whole = write_models(Path(made) / "script", sentences, script.lexicon)
        models = dict.fromkeys(range(len(windows)), whole)
        search = _Search(waveform, spans, windows, script, run or _run_serially, observer, models)
        if anchors := script_windows.anchor_spans(len(windows)):
            search.recognise(anchors)
            hypotheses = {index: [word.text for word in words] for index, words in search.found.items()}
            for block, part in script_windows.windows(len(windows), hypotheses, sentences):
                near = write_models(
                    Path(made) / f"near-{block.start}", sentences[part.start : part.stop], script.lexicon
                )
                models |= dict.fromkeys(block, near)
        for interval in script_following.INTERVALS:
            search.follow_from(script_following.landmarks(len(windows), interval))
        search.recognise(index for index in models if index not in search.found)
        search.follow()
        unsure = [index for index in search.unsure(models) if index not in search.thorough]
        if unsure:
            observer.note(f"segmentation: full recognition pass for {len(unsure)} of {len(windows)} speech spans")
        search.recognise(unsure, full_pass=True)
        lost = [
            index
            for index in sorted(search.thorough - search.placed)
            if models[index] is not whole and off_script(search.found[index], models[index].text)
        ]
        if lost:
            observer.note(f"segmentation: {len(lost)} of them once more, with the whole script as language model")
        models |= dict.fromkeys(lost, whole)
        search.recognise(lost, full_pass=True)
        found = search.found
    _recogniser.cache_clear()  # frees the model if tasks ran in this process
    return [
        HypothesisWord(word.text, window.start + word.start, window.start + word.end, index)
        for index, window in enumerate(windows)
        for word in found[index]
    ]


def needs_full_pass(words: Sequence[RecognisedWord], seconds: float, text: str) -> bool:
    """Whether the words of the first pass are uncertain: not contiguous in the script, or not up to both edges.

    Args:
        words: of the first pass, in one span.
        seconds: length of the span with its margins.
        text: the words that the language model was trained on, see `script_language_model.joined`.
    """
    if not words or words[0].start > MARGIN + _MAX_EDGE_SILENCE or words[-1].end < seconds - MARGIN - _MAX_EDGE_SILENCE:
        return True
    return joined(word.text for word in words) not in text


def off_script(words: Sequence[RecognisedWord], text: str) -> bool:
    """Whether so few words lie in runs that the script contains that the span reads another part of the script."""
    runs = [joined(word.text for word in words[at : at + _RUN]) in text for at in range(len(words) - _RUN + 1)]
    within = sum(any(runs[max(0, at - _RUN + 1) : at + 1]) for at in range(len(words)))
    return not words or within < _MIN_RUN_SHARE * len(words)


def _padded(spans: Sequence[Span], length: float) -> list[Span]:
    """Spans with a margin on both sides, at most half of the pause to the neighbour."""
    padded = []
    for index, span in enumerate(spans):
        before = spans[index - 1].end if index else 0.0
        after = spans[index + 1].start if index + 1 < len(spans) else length
        left = MARGIN if index == 0 else min(MARGIN, (span.start - before) / 2)
        right = MARGIN if index + 1 == len(spans) else min(MARGIN, (after - span.end) / 2)
        padded.append(Span(max(0.0, span.start - left), min(length, span.end + right)))
    return padded


def _run_serially(function: Callable[[_Task], _Result], tasks: Sequence[_Task], observer: Observer, /) -> list[_Result]:
    results = []
    for done, task in enumerate(tasks, start=1):
        results.append(function(task))
        observer.advance(done)
    return results


@functools.lru_cache(maxsize=1)
def _recogniser(model: Path, dictionary: Path, full_pass: bool) -> PocketSphinxRecogniser:
    """One decoder at a time in each process, to bound the memory."""
    settings = _FULL_PASS if full_pass else _FIRST_PASS
    return PocketSphinxRecogniser(language_model=model, dictionary=dictionary, settings=settings)


def _recognise_span(task: _RecognitionTask) -> list[RecognisedWord]:
    recogniser = _recogniser(task.model, task.dictionary, task.full_pass)
    return recogniser.words(excerpt(task.waveform, task.window.start, task.window.end, SAMPLE_RATE))
