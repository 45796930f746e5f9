"""Forced alignment: the times of each word and phone of a known text, a score that detects wrong text, and the reading
of a text that was spoken.

One pass of Viterbi alignment (`viterbi`) with PocketSphinx's en-us acoustic model and front end (`acoustic_model`,
`features`). Nothing is pruned, and an alignment does not depend on earlier ones.

The score of a word is the mean over its frames of the acoustic score, in units of about 0.1 nat: 0 if the aligned state
is the best of the text's own states in every frame, lower for a worse match. It compares states within one frame, so it
does not depend on loudness. Accuracy, speed, and the scores of right and wrong text are in docs/benchmarks.md.

Of the ways in which a text can be read, the one that fits the sound best was spoken. Every option is aligned with the
clip as a whole, so a place is judged with its neighbours. The likely reading stands unless another one fits clearly
better: docs/benchmarks.md, Spoken readings.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill.align import acoustic_model, features, viterbi
from voicemill.align.features import FRAME_RATE, MIN_SAMPLES, SAMPLE_RATE
from voicemill.align.viterbi import PhoneSegment
from voicemill.errors import DatasetError
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words as words_of
from voicemill.text.readings import Place, TextReading

SCORE_THRESHOLD = -36.0
"""Mean score below which the text does not belong to the audio (docs/benchmarks.md)."""
WORD_THRESHOLD = -50.0
"""Score below which a single word was probably not spoken."""
MISFIT_LIMIT = 0.2
"""Largest share of the speech in such words."""
MAX_MINIMAL_RUN = 5
"""Most consecutive phones of the minimal length, 30 ms: words that were not spoken are aligned with such runs."""
_MINIMAL_PHONE = 0.035
"""Seconds; phones of the minimal length, three frames, are shorter."""
MAX_MISSING_PHONES = 1
"""Most phones outside the clip: a tight cut can cause one; two mean that words are missing."""
_PADDING, _PADDING_SOURCE = 0.2, 0.04
"""Seconds of background added before and after a clip, and seconds at each end of the clip that it is mirrored from.
Without it the first and last phone extend into the short silence of the clip (docs/benchmarks.md)."""

WORDS_MARGIN = 150
"""Score, in units of about 0.1 nat, by which other words must fit better than the likely ones."""
PHONES_MARGIN = 300
"""The same for another pronunciation of a heteronym: one sound differs, and the acoustic model confuses vowels."""
MOST_PLACES = 24
"""Places of one clip that are decided by the sound; further ones keep the likely reading."""


@dataclass(frozen=True)
class Phone:
    """One ARPABET phone, times in seconds from the start of the clip."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Word:
    """One word of the text with its phones, times in seconds from the start of the clip.

    Attributes:
        text: the word in lower case.
        start: seconds.
        end: seconds; a gap before the next word is a pause.
        phones: in order, without gaps.
        score: mean acoustic score of its frames, see `Alignment`.
    """

    text: str
    start: float
    end: float
    phones: tuple[Phone, ...]
    score: float


@dataclass(frozen=True)
class BrokenRule:
    """The rule that an alignment breaks: its name, the figure, its unit, the limit, and what it means."""

    name: str
    figure: float
    unit: str
    limit: float
    detail: str


def misfit_of(words: Sequence[Word]) -> float:
    """Share of the words' time, 0 to 1, in words with a score below `WORD_THRESHOLD`; 0 without words."""
    spoken = sum(word.end - word.start for word in words)
    return sum(word.end - word.start for word in words if word.score < WORD_THRESHOLD) / spoken if spoken else 0.0


@dataclass(frozen=True)
class Alignment:
    """The words of a text in order, each with its phones in the lexicon.

    Attributes:
        words: in the order of the text; gaps between them are pauses.
        score: mean acoustic score of the frames inside words; 0 is best.
    """

    words: tuple[Word, ...]
    score: float

    def later(self, seconds: float) -> Alignment:
        """The same with all times moved by some seconds: of a part as times of the whole clip."""

        def moved(phone: Phone) -> Phone:
            return replace(phone, start=phone.start + seconds, end=phone.end + seconds)

        words = [
            replace(
                word,
                start=word.start + seconds,
                end=word.end + seconds,
                phones=tuple(moved(phone) for phone in word.phones),
            )
            for word in self.words
        ]
        return replace(self, words=tuple(words))

    @property
    def misfit(self) -> float:
        """Share of the speech, 0 to 1, in words with a score below `WORD_THRESHOLD`; high if some words are wrong."""
        return misfit_of(self.words)

    @property
    def longest_minimal_run(self) -> int:
        """Length of the longest run of phones of the minimal length."""
        short = [phone.end - phone.start < _MINIMAL_PHONE for word in self.words for phone in word.phones]
        return max((len(list(run)) for minimal, run in itertools.groupby(short) if minimal), default=0)

    @property
    def missing_phones(self) -> int:
        """Number of phones aligned outside the clip."""
        return sum(phone.end - phone.start < 0.5 / FRAME_RATE for word in self.words for phone in word.phones)

    @property
    def broken_rule(self) -> BrokenRule | None:
        """Why the clip probably does not contain this text; None if it does."""
        if self.missing_phones > MAX_MISSING_PHONES:
            missing, what = self.missing_phones, "phones of the text lie outside the clip: the recording lacks words"
            return BrokenRule("outside", missing, "phones", MAX_MISSING_PHONES, f"{missing} {what}")
        if self.longest_minimal_run > MAX_MINIMAL_RUN:
            run, what = self.longest_minimal_run, "phones in a row have the shortest length: words were not spoken"
            return BrokenRule("rushed", run, "phones", MAX_MINIMAL_RUN, f"{run} {what}")
        if self.score < SCORE_THRESHOLD:
            detail = f"alignment score {self.score:.1f} of the whole text"
            return BrokenRule("score", round(self.score, 4), "score", SCORE_THRESHOLD, detail)
        if self.misfit > MISFIT_LIMIT:
            worst = [word.text for word in sorted(self.words, key=lambda word: word.score)[:3]]
            detail = f"{self.misfit:.0%} of the speech sounds unlike its words, most of all {', '.join(worst)}"
            return BrokenRule("words", round(self.misfit, 4), "share", MISFIT_LIMIT, detail)
        return None

    @property
    def fits(self) -> bool:
        """Whether the clip probably contains this text, by the scores of its words and the lengths of its phones."""
        return self.broken_rule is None


class Aligner:
    """Aligns clips with their text; contains a front end, so use one instance per process."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._front: features.FrontEnd | None = None
        self._last: tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float32]]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_lexicon": self._lexicon, "_front": None, "_last": None}

    def align(
        self, samples: npt.NDArray[np.float32], text: str, pronounced: Sequence[Sequence[str]] | None = None
    ) -> Alignment:
        """Align a clip with its text.

        Args:
            samples: (n,) mono float at 16 kHz, one utterance.
            text: normalised text; punctuation is ignored.
            pronounced: phones of each word; those of the lexicon by default.

        Raises:
            DatasetError: `alignment_failed`, the text has no words or the clip is too short for it. A clip of another
                text aligns with a low score, see `Alignment.fits`.
        """
        spoken = words_of(text)
        if not spoken:
            raise _failed(text, "the text contains no words")
        if samples.size < MIN_SAMPLES:
            raise _failed(text, "the clip is empty")
        model = acoustic_model.load()
        phones = pronounced or [self._lexicon.pronounce(word).phones for word in spoken]
        found = viterbi.best_path(model, acoustic_model.decoding_graph(model, phones), self._streams(samples))
        length = samples.size / SAMPLE_RATE
        if found is None:
            raise _failed(text, f"{length:.2f} s of audio are too short for its {len(spoken)} words")
        words = _words(spoken, phones, found, length)
        frames = np.array([max(1, round((word.end - word.start) * FRAME_RATE)) for word in words])
        return Alignment(words, float(np.average([word.score for word in words], weights=frames)))

    def compare(
        self, samples: npt.NDArray[np.float32], candidates: Sequence[Sequence[Sequence[str]]]
    ) -> list[int | None]:
        """Scores of several sequences of words for the same clip, see `viterbi.compare`.

        Args:
            samples: (n,) mono float at 16 kHz, at least `MIN_SAMPLES`.
            candidates: for each, the phones of its words.
        """
        model = acoustic_model.load()
        graphs = [acoustic_model.decoding_graph(model, words) for words in candidates]
        return viterbi.compare(model, graphs, self._streams(samples))

    def _streams(self, samples: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Features of a clip; those of the last one are kept: its readings are compared before it is aligned."""
        if self._last is not None and self._last[0] is samples:
            return self._last[1]
        padded = _with_padding(samples)
        if self._front is None:
            self._front = features.FrontEnd()
        found = features.streams(self._front.cepstra(features.to_pcm16(padded)))
        self._last = samples, found
        return found


def spoken_reading(aligner: Aligner, samples: npt.NDArray[np.float32], reading: TextReading) -> TextReading:
    """The reading that was spoken.

    Args:
        aligner: of the voice's lexicon.
        samples: (n,) mono float at 16 kHz, one utterance.
        reading: the text with its places.
    """
    places = reading.places[:MOST_PLACES]
    if not places or samples.size < MIN_SAMPLES:
        return TextReading(reading.words)
    tried = [(place, index) for place in places for index in range(1, len(place.options))]
    candidates = [reading.phones, *(reading.variant([one]).phones for one in tried)]
    likely, *scores = aligner.compare(samples, candidates)
    best: dict[Place, tuple[int, int]] = {}
    for (place, index), score in zip(tried, scores, strict=True):
        better = score is not None and (likely is None or score > likely + margin(place))
        if score is not None and better and score > best.get(place, (score - 1, 0))[0]:
            best[place] = (score, index)
    return reading.variant([(place, index) for place, (_, index) in best.items()])


def margin(place: Place) -> int:
    """How much better another option than the likely one must fit."""
    return PHONES_MARGIN if place.same_spelling else WORDS_MARGIN


def _with_padding(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The clip with its own background added at both ends, mirrored so that there is no click."""
    some, length = round(_PADDING_SOURCE * SAMPLE_RATE), round(_PADDING * SAMPLE_RATE)
    before = np.pad(samples[:some], (length, 0), mode="symmetric")[:length]
    after = np.pad(samples[-some:], (0, length), mode="symmetric")[-length:]
    return np.concatenate((before, samples, after))


def _words(
    spoken: Sequence[str], pronounced: Sequence[Sequence[str]], found: Sequence[PhoneSegment], length: float
) -> tuple[Word, ...]:
    """Words with times in the clip of `length` seconds, without the padding."""

    def second(frame: int) -> float:
        return min(max(0.0, frame / FRAME_RATE - _PADDING), length)

    words = []
    for index, group in itertools.groupby(found, key=lambda segment: segment.word):
        parts = list(group)
        phones = tuple(
            Phone(name, second(part.first), second(part.end))
            for name, part in zip(pronounced[index], parts, strict=True)
        )
        frames = parts[-1].end - parts[0].first
        score = sum(part.score for part in parts) / frames
        words.append(Word(spoken[index], phones[0].start, phones[-1].end, phones, score))
    return tuple(words)


def _failed(text: str, why: str) -> DatasetError:
    return DatasetError(
        f"The text {text[:60]!r} cannot be aligned: {why}.",
        reason="alignment_failed",
        hint="Check that the clip and its text belong together.",
    )
