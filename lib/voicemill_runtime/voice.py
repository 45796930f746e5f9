"""A voice that speaks: text -> samples and the times of words and phones, sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import BundleError, UsageError
from voicemill.synthesis.input_text import parse_breaks
from voicemill.synthesis.options import SynthesisOptions
from voicemill.text.frontend import ReadSentence, SpokenWord, read
from voicemill.text.lexicon import Lexicon
from voicemill_runtime.graph import VoiceGraph
from voicemill_runtime.griffin_lim import griffin_lim
from voicemill_runtime.tokens import TokenSequence, encode

Samples = NDArray[np.float32]
LONGEST_CHUNK = 45
"""Words of one pass of the acoustic model: a longer sentence is split at its marks, or else between words."""


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
class SpokenChunk:
    """A stretch of speech, at most a sentence long, or a pause.

    Attributes:
        samples: in -1..1, shape (samples,).
        words: with their times from the start of the whole speech.
    """

    samples: Samples
    words: tuple[TimedWord, ...] = ()


class Voice:
    """A voice in memory."""

    def __init__(self, graph: VoiceGraph, lexicon: Lexicon) -> None:
        """Put a graph and its pronunciations together."""
        self._graph = graph
        self._lexicon = lexicon

    @property
    def sample_rate(self) -> int:
        """Of the samples, in Hz."""
        return self._graph.sample_rate

    @property
    def vocoder(self) -> str:
        """`hifigan` or `griffin_lim`."""
        return "hifigan" if self._graph.neural else "griffin_lim"

    def read(self, text: str) -> list[ReadSentence]:
        """How the voice reads a text."""
        return read(text, self._lexicon)

    def speak(self, text: str, options: SynthesisOptions | None = None) -> Iterator[SpokenChunk]:
        """Speak a text as a stream: each sentence is yielded as soon as it is computed.

        Args:
            text: plain, with `<break>` tags; any length.
            options: speed, pitch and pauses.

        Raises:
            UsageError: `nothing_to_say`, or `markup_unsupported`.
            BundleError: `synthesis_non_finite`: the graph gives no sound.
        """
        options = options or SynthesisOptions()
        position = 0
        spoken = False
        for passage in parse_breaks(text, options.paragraph_pause):
            if isinstance(passage, float):
                position += (chunk := self._silence(passage)).samples.size
                yield chunk
                continue
            chunks = [part for sentence in self.read(passage) for part in split(sentence.words)]
            for index, words in enumerate(chunks):
                if index:
                    position += (pause := self._silence(options.sentence_pause)).samples.size
                    yield pause
                chunk = self._speak(words, options, position)
                position += chunk.samples.size
                spoken = True
                yield chunk
        if not spoken:
            raise UsageError("There is nothing to say in the text.", reason="nothing_to_say", hint="Give words to say.")

    def _silence(self, seconds: float) -> SpokenChunk:
        return SpokenChunk(np.zeros(round(seconds * self.sample_rate), dtype=np.float32))

    def _speak(self, words: Sequence[SpokenWord], options: SynthesisOptions, position: int) -> SpokenChunk:
        sequence = encode(words, self._graph.tokens)
        count = len(sequence.ids)
        pace = np.full(count, options.speed, dtype=np.float32)
        output = self._graph.run(sequence.ids, pace, np.full(count, options.semitones, dtype=np.float32))
        samples = output.samples if output.samples is not None else self._vocode(output.mel)
        if not samples.size or not np.isfinite(samples).all():
            raise BundleError(
                "The voice gave no sound for a sentence.", reason="synthesis_non_finite", hint="Train it longer."
            )
        return SpokenChunk(samples, self._times(words, sequence, output.durations, position))

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


def split(words: Sequence[SpokenWord], longest: int = LONGEST_CHUNK) -> list[Sequence[SpokenWord]]:
    """Words of a sentence in runs of at most `longest`, cut after the last mark that fits, or else between words."""
    runs: list[Sequence[SpokenWord]] = []
    while len(words) > longest:
        marks = [index for index in range(longest // 3, longest) if words[index].mark]
        cut = (marks[-1] if marks else longest - 1) + 1
        runs.append(words[:cut])
        words = words[cut:]
    return [*runs, words] if words else runs
