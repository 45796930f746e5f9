"""Listening to a recording with a known script: a language model made of the script, and tasks for a pool.

A trigram model over the script's own words turns PocketSphinx from a poor general recogniser into a good one for this
text, while it can still say that something else was spoken. Each stretch is a task of its own.

Every stretch is heard quickly first (every other frame scored anew, the two best densities of a codebook instead of
four, one pass instead of two); what was heard then and is no running part of the script from end to end of the stretch
is heard again with all care. On 100 stretches of two recordings (scripts/construction, flite's slt) the quick way took
63 x real time of one core, 20 stretches were heard again, both ways together took 41, and 0.9% of the words were wrong;
on 30 stretches with the script of two hours 39, 10 and 23, and 2.2%. With two densities in the careful way as well a
sentence was found in speech in which nobody says it, among a script of eleven words.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voicemill.audio.sound import Sound, piece
from voicemill.audio.vad import Span
from voicemill.progress import Observer, SilentObserver
from voicemill.text.features import SAMPLE_RATE
from voicemill.text.lexicon import Lexicon
from voicemill.text.recognition import PocketSphinxRecogniser, RecognisedWord

MARGIN = 0.15
"""Seconds of silence heard before and after a stretch, where there is any: voice activity tends to start inside the
first sound.
"""
_SILENT_EDGE = 0.35
"""Seconds at an end of a stretch in which no word was heard: one may have been missed."""
_QUICK: Mapping[str, object] = {"ds": 2, "topn": 2, "fwdflat": False}
_CAREFUL: Mapping[str, object] = {}


@dataclass(frozen=True)
class _Task:
    """A stretch of a recording to be heard, with the files that say what may be said."""

    sound: Sound
    window: Span
    model: Path
    dictionary: Path
    careful: bool = False


Run = Callable[[Callable[[_Task], list[RecognisedWord]], Sequence[_Task], Observer], list[list[RecognisedWord]]]
"""Gives the results of a function over tasks, in their order, and tells how many are done."""


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
    stream = f" {' '.join(word for sentence in sentences for word in sentence)} "
    run = run or _alone
    with tempfile.TemporaryDirectory(prefix=".script-", dir=folder) as made:
        model, dictionary = Path(made) / "script.lm", Path(made) / "script.dict"
        write_language_model(model, sentences)
        lexicon.subset(dictionary, (word for sentence in sentences for word in sentence))
        tasks = [_Task(sound, window, model, dictionary) for window in windows]
        found = _recognise(run, tasks, observer)
        again = [index for index, words in enumerate(found) if doubtful(words, windows[index].duration, stream)]
        if again:
            observer.note(f"segmentation: {len(again)} of {len(windows)} stretches are heard again with all care")
        doubted = [replace(tasks[index], careful=True) for index in again]
        for index, words in zip(again, _recognise(run, doubted, SilentObserver()), strict=True):
            found[index] = words
    _recogniser.cache_clear()  # where this process has listened itself
    return [
        HeardWord(word.text, window.start + word.start, window.start + word.end, index)
        for index, (window, words) in enumerate(zip(windows, found, strict=True))
        for word in words
    ]


def doubtful(words: Sequence[RecognisedWord], seconds: float, stream: str) -> bool:
    """Whether something else may have been said: no running part of the script, or not from end to end."""
    if not words or words[0].start > MARGIN + _SILENT_EDGE or words[-1].end < seconds - MARGIN - _SILENT_EDGE:
        return True
    return f" {' '.join(word.text for word in words)} " not in stream


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


def _recognise(run: Run, tasks: Sequence[_Task], observer: Observer) -> list[list[RecognisedWord]]:
    # the longest first, so that no process is left alone with a long one at the end
    order = sorted(range(len(tasks)), key=lambda index: -tasks[index].window.duration)
    words = run(_words, [tasks[index] for index in order], observer)
    return [found for _, found in sorted(zip(order, words, strict=True), key=lambda pair: pair[0])]


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
