"""Listening to a recording with a known script: a language model made of the script, and tasks for a pool.

A trigram model over the script's own words turns PocketSphinx from a poor general recogniser into a good one for this
text, while it can still say that something else was spoken. Each stretch is a task of its own.

Every stretch is heard quickly first (every other frame scored anew, the two best densities of a codebook instead of
four, one pass instead of two); what was heard then and is no running part of the script from end to end of the stretch
is heard again with all care. On 100 stretches of two recordings (scripts/construction, flite's slt) the quick way took
63 x real time of one core, 20 stretches were heard again, both ways together took 41, and 0.9% of the words were wrong.
With two densities in the careful way as well a sentence was found in speech in which nobody says it, among a script of
eleven words.

Of a long script only the part that is near is expected (`nearby`); what hardly holds a run of it is heard once more
with the whole. On 96 stretches of two hours that took 29 to 36 x real time of one core, for 17 to 22 with the whole
script.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill.align import script_windows
from voicemill.align.features import SAMPLE_RATE
from voicemill.align.recognition import PocketSphinxRecogniser, RecognisedWord
from voicemill.audio.sound import Sound, piece
from voicemill.audio.vad import Span
from voicemill.progress import Observer, SilentObserver
from voicemill.text.lexicon import Lexicon

MARGIN = 0.15
"""Seconds of silence heard before and after a stretch, where there is any: voice activity tends to start inside the
first sound.
"""
_SILENT_EDGE = 0.35
"""Seconds at an end of a stretch in which no word was heard: one may have been missed."""
_RUN = 3
"""Words in a row that the script has too: fewer may be chance."""
_STRANGE = 0.6
"""Share of words in such runs below which something else was said than what was expected. Of 96 stretches of two hours
9 stayed doubtful with the right part of the script and had 0.71 to 0.97; of 20 with a wrong part 16 had 0.67 or less.
"""
_QUICK: Mapping[str, object] = {"ds": 2, "topn": 2, "fwdflat": False}
_CAREFUL: Mapping[str, object] = {}


@dataclass(frozen=True)
class _Expected:
    """A part of a script, or all of it: the files that say what may be said, and its words in a row."""

    model: Path
    dictionary: Path
    stream: str


@dataclass(frozen=True)
class _Task:
    """A stretch of a recording to be heard."""

    sound: Sound
    window: Span
    model: Path
    dictionary: Path
    careful: bool


Run = Callable[[Callable[[_Task], list[RecognisedWord]], Sequence[_Task], Observer], list[list[RecognisedWord]]]
"""Gives the results of a function over tasks, in their order, and tells how many are done."""


@dataclass(frozen=True)
class _Ears:
    """Hears stretches of a recording."""

    sound: Sound
    windows: Sequence[Span]
    run: Run

    def hear(
        self, expected: Mapping[int, _Expected], observer: Observer, *, careful: bool = False
    ) -> dict[int, list[RecognisedWord]]:
        """The words in each stretch, when this is expected in it."""
        # by what is expected, as a process knows one script at a time; the longest first, so that none is left alone
        # with a long one at the end
        order = sorted(expected, key=lambda index: (str(expected[index].model), -self.windows[index].duration))
        tasks = [
            _Task(self.sound, self.windows[index], expected[index].model, expected[index].dictionary, careful)
            for index in order
        ]
        return dict(zip(order, self.run(_words, tasks, observer), strict=True))


class _Further(SilentObserver):
    """Counts on from what was done before."""

    def __init__(self, observer: Observer, before: int) -> None:
        self._observer = observer
        self._before = before

    def advance(self, done: int, note: str = "") -> None:
        self._observer.advance(self._before + done, note)


@dataclass(frozen=True)
class HeardWord:
    """A recognised word; times in seconds from the start of the recording, `stretch` is the index of the span."""

    text: str
    start: float
    end: float
    stretch: int


def write_language_model(path: Path, sentences: Sequence[Sequence[str]]) -> None:
    """Write a trigram model of a script in ARPA form: every sentence alone, and the whole as one stream.

    The stream lets a stretch run from one sentence into the next or begin in the middle of one.
    """
    from pocketsphinx.lm import ArpaBoLM

    model = ArpaBoLM()
    # counted here: its own reader takes a time that grows with the square of a line's length
    for words in (*filter(None, sentences), [word for sentence in sentences for word in sentence]):
        line = ["<s>", *words, "</s>"]
        for word in line:
            model.grams_1[word] += 1
        for one, two in itertools.pairwise(line):
            model.grams_2[one][two] += 1
        for one, two, three in zip(line, line[1:], line[2:], strict=False):
            model.grams_3[one][two][three] += 1
    model.compute()
    model.write_file(str(path))


def hear(
    sound: Sound,
    spans: Sequence[Span],
    sentences: Sequence[Sequence[str]],
    lexicon: Lexicon,
    observer: Observer,
    *,
    run: Run | None = None,
    folder: Path | None = None,
) -> list[HeardWord]:
    """Recognise every span with the script's own language model.

    Args:
        sound: the recording; each stretch is read, by whoever hears it, when its turn comes.
        spans: stretches of speech, ascending and disjoint, in seconds.
        sentences: the script's words, sentence by sentence.
        lexicon: pronunciations of these words.
        observer: `advance` counts the spans that are done; the caller announces the stage.
        run: does the tasks; one after the other in this process by default.
        folder: where the language model lies for so long; all that `run` gives tasks to must see it.

    Returns:
        Words in the order of time.
    """
    windows = _windows(spans, sound.seconds)
    with tempfile.TemporaryDirectory(prefix=".script-", dir=folder) as made:
        whole = _expect(Path(made) / "script", sentences, lexicon)
        ears = _Ears(sound, windows, run or _alone)
        found: dict[int, list[RecognisedWord]] = {}
        expected = dict.fromkeys(range(len(windows)), whole)
        if first := script_windows.sample(len(windows)):
            found |= ears.hear(dict.fromkeys(first, whole), observer)
            said = {index: [word.text for word in words] for index, words in found.items()}
            for stretches, part in script_windows.parts(len(windows), said, sentences):
                near = _expect(Path(made) / f"near-{stretches.start}", sentences[part.start : part.stop], lexicon)
                expected |= dict.fromkeys(stretches, near)
        rest = {index: one for index, one in expected.items() if index not in found}
        found |= ears.hear(rest, _Further(observer, len(found)))
        again = {
            index: one for index, one in expected.items() if doubtful(found[index], windows[index].duration, one.stream)
        }
        if again:
            observer.note(f"segmentation: {len(again)} of {len(windows)} stretches are heard again with all care")
        found |= ears.hear(again, SilentObserver(), careful=True)
        lost = [index for index, one in again.items() if one is not whole and strange(found[index], one.stream)]
        if lost:
            observer.note(f"segmentation: {len(lost)} of them once more, as if they could be anywhere in the script")
        found |= ears.hear(dict.fromkeys(lost, whole), SilentObserver(), careful=True)
    _recogniser.cache_clear()  # where this process has listened itself
    return [
        HeardWord(word.text, window.start + word.start, window.start + word.end, index)
        for index, window in enumerate(windows)
        for word in found[index]
    ]


def doubtful(words: Sequence[RecognisedWord], seconds: float, stream: str) -> bool:
    """Whether something else may have been said: no running part of the script, or not from end to end."""
    if not words or words[0].start > MARGIN + _SILENT_EDGE or words[-1].end < seconds - MARGIN - _SILENT_EDGE:
        return True
    return _joined(word.text for word in words) not in stream


def strange(words: Sequence[RecognisedWord], stream: str) -> bool:
    """Whether hardly any of the words stand in a row as the script has them: it was not this part that was read."""
    runs = [_joined(word.text for word in words[at : at + _RUN]) in stream for at in range(len(words) - _RUN + 1)]
    within = sum(any(runs[max(0, at - _RUN + 1) : at + 1]) for at in range(len(words)))
    return not words or within < _STRANGE * len(words)


def _joined(words: Iterable[str]) -> str:
    return f" {' '.join(words)} "


def _expect(stem: Path, sentences: Sequence[Sequence[str]], lexicon: Lexicon) -> _Expected:
    """Write the files `stem`.lm and `stem`.dict."""
    words = [word for sentence in sentences for word in sentence]
    expected = _Expected(stem.with_suffix(".lm"), stem.with_suffix(".dict"), _joined(words))
    write_language_model(expected.model, sentences)
    lexicon.subset(expected.dictionary, words)
    return expected


def _windows(spans: Sequence[Span], length: float) -> list[Span]:
    """Spans with a margin of silence, never more than half of the pause to the neighbour."""
    windows = []
    for index, span in enumerate(spans):
        before = spans[index - 1].end if index else 0.0
        after = spans[index + 1].start if index + 1 < len(spans) else length
        left = MARGIN if index == 0 else min(MARGIN, (span.start - before) / 2)
        right = MARGIN if index + 1 == len(spans) else min(MARGIN, (after - span.end) / 2)
        windows.append(Span(max(0.0, span.start - left), min(length, span.end + right)))
    return windows


def _alone(
    function: Callable[[_Task], list[RecognisedWord]], tasks: Sequence[_Task], observer: Observer
) -> list[list[RecognisedWord]]:
    found = []
    for done, task in enumerate(tasks, start=1):
        found.append(function(task))
        observer.advance(done)
    return found


@functools.lru_cache(maxsize=1)
def _recogniser(model: Path, dictionary: Path, careful: bool) -> PocketSphinxRecogniser:
    """One at a time in each process: they take some memory."""
    settings = _CAREFUL if careful else _QUICK
    return PocketSphinxRecogniser(language_model=model, dictionary=dictionary, settings=settings)


def _words(task: _Task) -> list[RecognisedWord]:
    recogniser = _recogniser(task.model, task.dictionary, task.careful)
    return recogniser.words(piece(task.sound, task.window.start, task.window.end, SAMPLE_RATE))
