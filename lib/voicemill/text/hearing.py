"""Listening to a recording with a known script: a language model made of the script, and a pool of recognisers.

A trigram model over the script's own words turns PocketSphinx from a poor general recogniser into a good one for this
text, while it can still say that something else was spoken. Each stretch is a task of its own, so two processes share
the work.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill.audio.sound import Sound, piece
from voicemill.audio.vad import Span
from voicemill.progress import Observer
from voicemill.text.alignment import SAMPLE_RATE
from voicemill.text.lexicon import Lexicon
from voicemill.text.recognition import PocketSphinxRecogniser, RecognisedWord
from voicemill.workers import Workers

MARGIN = 0.15
"""Seconds of silence heard before and after a stretch, where there is any: voice activity tends to start inside the
first sound.
"""


_Piece = tuple[Sound, Span]


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

    stream = " ".join(word for sentence in sentences for word in sentence)
    text = "".join(f"<s> {' '.join(sentence)} </s>\n" for sentence in sentences if sentence) + f"<s> {stream} </s>\n"
    model = ArpaBoLM(sentfile=io.StringIO(text))
    model.compute()
    model.write_file(str(path))


def hear(
    sound: Sound,
    spans: Sequence[Span],
    sentences: Sequence[Sequence[str]],
    lexicon: Lexicon,
    observer: Observer,
    *,
    processes: int = 2,
) -> list[HeardWord]:
    """Recognise every span with the script's own language model.

    Args:
        sound: the recording; each stretch is read, by the process that hears it, when its turn comes.
        spans: stretches of speech, ascending and disjoint, in seconds.
        sentences: the script's words, sentence by sentence.
        lexicon: pronunciations of these words.
        observer: `advance` counts the spans that are done; the caller announces the stage.
        processes: size of the pool; 1 works in this process.

    Returns:
        Words in the order of time.
    """
    windows = _windows(spans, sound.seconds)
    pieces = [(sound, window) for window in windows]
    heard: list[HeardWord] = []
    with tempfile.TemporaryDirectory(prefix="voicemill-script-") as folder:
        model, dictionary = Path(folder) / "script.lm", Path(folder) / "script.dict"
        write_language_model(model, sentences)
        lexicon.subset(dictionary, (word for sentence in sentences for word in sentence))
        results = _recognise(model, dictionary, pieces, processes, observer)
        for index, (window, found) in enumerate(zip(windows, results, strict=True)):
            heard += [HeardWord(word.text, window.start + word.start, window.start + word.end, index) for word in found]
    return heard


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


def _recognise(
    model: Path, dictionary: Path, pieces: list[_Piece], processes: int, observer: Observer
) -> list[list[RecognisedWord]]:
    if processes > 1 and len(pieces) >= 2 * processes:
        with Workers(processes, _start, model, dictionary) as workers:
            return workers.run(_words, pieces, observer.advance)
    recogniser = PocketSphinxRecogniser(language_model=model, dictionary=dictionary)
    found = []
    for done, (sound, window) in enumerate(pieces, start=1):
        found.append(recogniser.words(piece(sound, window.start, window.end, SAMPLE_RATE)))
        observer.advance(done)
    return found


_recogniser: PocketSphinxRecogniser | None = None


def _start(model: Path, dictionary: Path) -> None:
    """Of a worker process: load the recogniser once."""
    global _recogniser
    _recogniser = PocketSphinxRecogniser(language_model=model, dictionary=dictionary)


def _words(stretch: _Piece) -> list[RecognisedWord]:
    if _recogniser is None:
        raise RuntimeError("the worker was not started")
    sound, window = stretch
    return _recogniser.words(piece(sound, window.start, window.end, SAMPLE_RATE))
