"""A voice that speaks: text -> samples and the times of words and phones, sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import BundleError, UsageError
from voicemill.synthesis.options import SynthesisOptions
from voicemill.synthesis.prosody import Style
from voicemill.synthesis.ssml import Mark, Passage, Pause, parse
from voicemill.text.frontend import ReadSentence, SpokenWord, read
from voicemill.text.frontend.chunks import split
from voicemill.text.lexicon import Lexicon
from voicemill_marks.origin import Origin
from voicemill_marks.watermark import Watermark
from voicemill_runtime.graph import VoiceGraph
from voicemill_runtime.griffin_lim import griffin_lim
from voicemill_runtime.tokens import TokenSequence, encode, read_passage

Samples = NDArray[np.float32]
SPEEDS = (0.25, 4.0)
"""Limits of the speed of a word, the options' and the markup's together."""
_FADE_SECONDS = 0.01
"""Over which the gain of one word becomes that of the next."""


@dataclass(frozen=True)
class TimedPhone:
    """A phone or pause and when it is spoken, in seconds from the start of the speech."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class TimedWord:
    """A spoken word and when it is spoken, in seconds from the start of the speech."""

    text: str
    start: float
    end: float
    phones: tuple[TimedPhone, ...]


@dataclass(frozen=True)
class TimedMark:
    """A `<mark>` and when the speech reaches it, in seconds from the start of the speech."""

    name: str
    time: float


@dataclass(frozen=True)
class SpokenChunk:
    """A stretch of speech, at most a sentence long, or a pause.

    Attributes:
        samples: in -1..1, shape (samples,); none where only marks are left at the end.
        words: with their times from the start of the whole speech.
        marks: likewise.
    """

    samples: Samples
    words: tuple[TimedWord, ...] = ()
    marks: tuple[TimedMark, ...] = ()


class Voice:
    """A voice in memory."""

    def __init__(self, graph: VoiceGraph, lexicon: Lexicon, origin: Origin | None = None) -> None:
        """Put a graph and its pronunciations together.

        Args:
            graph: text tokens -> speech.
            lexicon: pronunciations.
            origin: of the speech; with it the samples carry its watermark.
        """
        self._graph = graph
        self._lexicon = lexicon
        self.origin = origin

    @property
    def sample_rate(self) -> int:
        """Of the samples, in Hz."""
        return self._graph.sample_rate

    @property
    def vocoder(self) -> str:
        """`istft`, `hifigan` or `griffin_lim`."""
        return self._graph.vocoder.replace("-", "_")

    def read(self, text: str) -> list[ReadSentence]:
        """How the voice reads a text."""
        return read(text, self._lexicon)

    def parse(self, text: str, options: SynthesisOptions | None = None) -> list[Passage | Pause]:
        """What `speak` is going to speak: passages and pauses.

        Raises:
            UsageError: `markup_unsupported:<element>`, `markup_invalid:<line>` or `markup_too_long`.
        """
        options = options or SynthesisOptions()
        return parse(
            text,
            sentence_pause=options.sentence_pause,
            paragraph_pause=options.paragraph_pause,
            mean_pitch=self._graph.mean_pitch,
        )

    def speak(self, text: str, options: SynthesisOptions | None = None) -> Iterator[SpokenChunk]:
        """Speak a text as a stream: each sentence is yielded as soon as it is computed, with the voice's watermark.

        Args:
            text: plain, plain with tags of SSML, or an SSML document (see `voicemill.synthesis.ssml`); any length.
            options: speed, pitch and pauses.

        Raises:
            UsageError: `nothing_to_say`, or a reason of `parse`, both before the first sound.
            BundleError: `synthesis_non_finite`: the graph gives no sound.
        """
        watermark = Watermark(self.sample_rate, self.origin.payload) if self.origin is not None else None
        for chunk in self._chunks(text, options or SynthesisOptions()):
            yield chunk if watermark is None else replace(chunk, samples=watermark.mark(chunk.samples))

    def _chunks(self, text: str, options: SynthesisOptions) -> Iterator[SpokenChunk]:
        """The speech without its watermark."""
        position = 0
        spoken = False
        waiting: list[Mark] = []
        for item in self.parse(text, options):
            if isinstance(item, Pause):
                chunk = SpokenChunk(self._silence(item.seconds), (), self._timed(waiting, position))
                waiting = []
                position += chunk.samples.size
                yield chunk
                continue
            styles = [part.style for part in item.parts]
            waiting += item.marks
            sentences = [run for sentence in read_passage(item, self._lexicon) for run in split(sentence)]
            for index, words in enumerate(sentences):
                if index:
                    position += (pause := SpokenChunk(self._silence(options.sentence_pause))).samples.size
                    yield pause
                chunk, waiting = self._speak(words, styles, waiting, options, position)
                position += chunk.samples.size
                spoken = True
                yield chunk
            waiting = [Mark(mark.name, -1) for mark in waiting]
        if not spoken:
            raise UsageError("There is nothing to say in the text.", reason="nothing_to_say", hint="Give words to say.")
        if waiting:
            yield SpokenChunk(self._silence(0.0), (), self._timed(waiting, position))

    def _silence(self, seconds: float) -> Samples:
        return np.zeros(round(seconds * self.sample_rate), dtype=np.float32)

    def _timed(self, marks: Sequence[Mark], position: int) -> tuple[TimedMark, ...]:
        return tuple(TimedMark(mark.name, position / self.sample_rate) for mark in marks)

    def _speak(
        self,
        words: Sequence[SpokenWord],
        styles: Sequence[Style],
        marks: Sequence[Mark],
        options: SynthesisOptions,
        position: int,
    ) -> tuple[SpokenChunk, list[Mark]]:
        """Speak one run of words.

        Args:
            words: of one sentence.
            styles: of the parts of the passage.
            marks: not reached before.
            options: of the whole speech.
            position: samples before the run.

        Returns:
            The speech, and the marks that it does not reach.
        """
        sequence = encode(words, self._graph.tokens)
        of_tokens = _styles_of_tokens(words, styles, sequence)
        speeds = np.array([style.speed for style in of_tokens], dtype=np.float32) * options.speed
        semitones = np.array([style.semitones for style in of_tokens], dtype=np.float32) + options.semitones
        output = self._graph.run(sequence.ids, np.clip(speeds, *SPEEDS), np.clip(semitones, -24, 24))
        samples = output.samples if output.samples is not None else self._vocode(output.mel)
        if not samples.size or not np.isfinite(samples).all():
            raise BundleError(
                "The voice gave no sound for a sentence.", reason="synthesis_non_finite", hint="Train it longer."
            )
        if any(style.decibels for style in of_tokens):
            samples = self._with_gains(samples, of_tokens, output.durations)
        timed = self._times(words, sequence, output.durations, position)
        reached = [mark for mark in marks if mark.part <= words[-1].part]
        times = [
            next(one.start for one, word in zip(timed, words, strict=True) if word.part >= mark.part)
            for mark in reached
        ]
        found = tuple(TimedMark(mark.name, time) for mark, time in zip(reached, times, strict=True))
        return SpokenChunk(samples, timed, found), [mark for mark in marks if mark.part > words[-1].part]

    def _with_gains(self, samples: Samples, styles: Sequence[Style], durations: NDArray[np.int64]) -> Samples:
        """The samples with the gain of each token's style, and short fades between different gains."""
        factors = np.array([10 ** (style.decibels / 20) for style in styles], dtype=np.float32)
        gains = np.repeat(factors, durations * self._graph.hop_length)
        gains = np.pad(gains, (0, max(0, samples.size - gains.size)), mode="edge")[: samples.size]
        width = 2 * round(_FADE_SECONDS * self.sample_rate / 2) + 1
        sums = np.cumsum(np.pad(gains.astype(np.float64), (width // 2 + 1, width // 2), mode="edge"))
        faded = (sums[width:] - sums[:-width]) / width
        result: Samples = np.clip(samples * faded.astype(np.float32), -1.0, 1.0)
        return result

    def _vocode(self, mel: NDArray[np.float32] | None) -> Samples:
        if mel is None or not mel.size or not np.isfinite(mel).all():
            return np.zeros(0, dtype=np.float32)
        return griffin_lim(mel, self._graph.mel)

    def _times(
        self, words: Sequence[SpokenWord], sequence: TokenSequence, durations: NDArray[np.int64], position: int
    ) -> tuple[TimedWord, ...]:
        frame = self._graph.hop_length / self.sample_rate
        edges = position / self.sample_rate + np.concatenate(([0], np.cumsum(durations))) * frame
        timed = []
        for word, (first, last) in zip(words, sequence.words, strict=True):
            phones = tuple(
                TimedPhone(sequence.symbols[index], float(edges[index]), float(edges[index + 1]))
                for index in range(first, last)
            )
            timed.append(TimedWord(word.text, float(edges[first]), float(edges[last]), phones))
        return tuple(timed)


def _styles_of_tokens(words: Sequence[SpokenWord], styles: Sequence[Style], sequence: TokenSequence) -> list[Style]:
    """The style of each token: that of its word; marks and spaces follow the word before them."""
    ends = [first for first, _ in sequence.words[1:]] + [len(sequence.ids)]
    of_tokens: list[Style] = []
    for word, end in zip(words, ends, strict=True):
        of_tokens += [styles[word.part]] * (end - len(of_tokens))
    return of_tokens
