"""Forced alignment: when each word and phone of a known text is spoken.

PocketSphinx's en-us model and front end (`acoustics`, `features`) and the best path through all ways to say the text
(`paths`), in one pass: nothing is pruned, and an alignment does not depend on what was aligned before. PocketSphinx's
own aligner takes two passes, words and then phones inside them; nine phones in ten come out the same.

Measured on 204 clips of two hours of flite's slt in the noise of a room (scripts/construction), one core at 2.5 GHz, in
turns with PocketSphinx's aligner: 153 x real time, PocketSphinx's 27 x. Error of words' beginnings and ends at the
50th, 95th and 99th percentile 9, 30 and 52 ms (10, 32 and 98), of a clip's first and last 45 ms at the 95th (48).

The score says how well the sound fits the phones: the mean over the frames of words of the acoustic score, in which 0
is the best state among the text's own and every step down is a less likely match. It compares states within one frame,
so it does not move with loudness. Lowest and median score of right text, highest score of wrong text (another sentence
of the script):

    demo clips                  -24, -15    wrong -43     28 clips each of flite's awb  -20, -13    wrong -50
    with white noise at 30 dB   -24, -17    wrong -36                          of kal (8 kHz)  -30, -23    wrong -42
    with white noise at 20 dB   -33, -24    wrong -30                          of kal16        -21, -15    wrong -47
    with white noise at 10 dB   -50, -34    wrong -27                          of rms          -19, -13    wrong -43

So -36 parts most of them on clean recordings and at 30 dB. With the other signs below (`Alignment.fits`) 3 of 330 wrong
texts pass on clean clips, of three words each (1 with PocketSphinx's aligner and -40), and 5 at 20 dB (4), where 109 of
110 right clips do; at 10 dB many right ones are lost, and the score no longer tells. A text that is wrong in places
shows in single words: with 1, 2 and 4 words of a sentence replaced the median share of speech in words below -50 is 8%,
16% and 33%; it is at most 7% for right text on the demo and 16% at 20 dB of noise. These are all synthetic voices: no
human recording was at hand to measure.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill.align import acoustic_model, features, viterbi
from voicemill.align.features import FRAME_RATE, SAMPLE_RATE
from voicemill.align.viterbi import Stretch
from voicemill.errors import DatasetError
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words as words_of

SCORE_THRESHOLD = -36.0
"""Mean score below which text and sound do not belong together (figures above)."""
WORD_THRESHOLD = -50.0
"""Score below which a single word was hardly said."""
MISFIT_LIMIT = 0.2
"""Largest share of speech that may lie in such words."""
MAX_RUSHED = 5
"""Most phones one after the other at the aligner's shortest, 30 ms: that is what becomes of words that were not said.
In 220 clips of right text (scripts/construction) the longest run was of 4, in the one that lacked a word of 8."""
_SHORTEST = 0.035
MIN_SAMPLES = 800
"""Samples (50 ms) below which PocketSphinx's front end has no frame to give."""
_ROOM, _ROOM_OF = 0.2, 0.04
"""Seconds of the clip's own background put before and after it, made of so much at each of its ends: with the 50 to
150 ms that a clip has, the first or last phone takes some of the silence for itself. On 30 clips of
scripts/construction the error of first beginnings fell from 65 to 41 ms at the 95th percentile, that of last ends from
87 to 59."""
_PEAK = 0.5
"""Samples are scaled to this peak before they become 16-bit: quiet recordings keep their resolution."""


@dataclass(frozen=True)
class Phone:
    """One ARPABET phone, times in seconds from the start of the clip."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Word:
    """One word of the text with its phones, times in seconds; a pause is the gap between two words; `score` as in
    `Alignment`.
    """

    text: str
    start: float
    end: float
    phones: tuple[Phone, ...]
    score: float


@dataclass(frozen=True)
class Alignment:
    """Words of a text in order, each with the lexicon's phones, one to one.

    Attributes:
        words: in the order of the text; gaps between them are pauses.
        score: mean acoustic score of the frames inside words (0 best); below `SCORE_THRESHOLD` the text is wrong.
    """

    words: tuple[Word, ...]
    score: float

    @property
    def misfit(self) -> float:
        """Share of the speech, 0 to 1, that lies in words below `WORD_THRESHOLD`: text that is wrong in places."""
        spoken = sum(word.end - word.start for word in self.words)
        return sum(word.end - word.start for word in self.words if word.score < WORD_THRESHOLD) / spoken

    @property
    def rushed(self) -> int:
        """Longest run of phones that are as short as can be."""
        short = [phone.end - phone.start < _SHORTEST for word in self.words for phone in word.phones]
        return max((len(list(run)) for rushed, run in itertools.groupby(short) if rushed), default=0)

    @property
    def outside(self) -> int:
        """Phones that found no place in the clip; one may be a tight cut, two are words that are not in it."""
        return sum(phone.end - phone.start < 0.5 / FRAME_RATE for word in self.words for phone in word.phones)

    @property
    def fits(self) -> bool:
        """Whether this text was spoken, as far as scores and lengths can tell."""
        in_time = self.rushed <= MAX_RUSHED and self.outside <= 1
        return in_time and self.score >= SCORE_THRESHOLD and self.misfit <= MISFIT_LIMIT


def to_pcm16(samples: npt.NDArray[np.float32]) -> bytes:
    """Mono float samples as 16-bit PCM at a fixed peak, for PocketSphinx."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    scaled = np.asarray(samples, dtype=np.float32) * (_PEAK / peak if peak > 0 else 1.0)
    return np.round(scaled * 32767.0).astype("<i2").tobytes()


class Aligner:
    """Aligns one clip after another; holds one front end, so use one aligner a process."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._front: features.FrontEnd | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_lexicon": self._lexicon, "_front": None}

    def align(self, samples: npt.NDArray[np.float32], text: str) -> Alignment:
        """Find the words and phones of `text` in a clip.

        Args:
            samples: (n,) mono float at 16 kHz, one utterance.
            text: normalised text; its words are aligned, its punctuation shows as gaps.

        Raises:
            DatasetError: `alignment_failed`, the text has no words or does not fit into the clip at all. A clip that
                merely sounds like other text aligns with a low score: see `Alignment.fits`.
        """
        spoken = words_of(text)
        if not spoken:
            raise _failed(text, "the text holds no words")
        if samples.size < MIN_SAMPLES:
            raise _failed(text, "the clip is empty")
        if self._front is None:
            self._front = features.FrontEnd()
        model = acoustic_model.load()
        pronounced = [self._lexicon.pronounce(word).phones for word in spoken]
        cepstra = self._front.cepstra(to_pcm16(_with_room(samples)))
        found = viterbi.best_path(model, viterbi.network(model, pronounced), features.streams(cepstra))
        length = samples.size / SAMPLE_RATE
        if found is None:
            raise _failed(text, f"{length:.2f} s of sound cannot hold its {len(spoken)} words")
        words = _words(spoken, pronounced, found, length)
        frames = np.array([max(1, round((word.end - word.start) * FRAME_RATE)) for word in words])
        return Alignment(words, float(np.average([word.score for word in words], weights=frames)))


def _with_room(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The clip between stretches of its own background, mirrored so that no edge clicks."""
    some, length = round(_ROOM_OF * SAMPLE_RATE), round(_ROOM * SAMPLE_RATE)
    before = np.pad(samples[:some], (length, 0), mode="symmetric")[:length]
    after = np.pad(samples[-some:], (0, length), mode="symmetric")[-length:]
    return np.concatenate((before, samples, after))


def _words(
    spoken: Sequence[str], pronounced: Sequence[Sequence[str]], found: Sequence[Stretch], length: float
) -> tuple[Word, ...]:
    """Times in the clip of `length` seconds: what was put around it is taken off."""

    def second(frame: int) -> float:
        return min(max(0.0, frame / FRAME_RATE - _ROOM), length)

    words = []
    for index, group in itertools.groupby(found, key=lambda stretch: stretch.word):
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
