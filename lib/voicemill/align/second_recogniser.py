"""A second recogniser: Whisper tiny.en judges the words of a known text, and recognises what is spoken.

PocketSphinx's alignment (`forced_alignment`) finds whole texts that are wrong, but a single wrong word costs it little.
Whisper was trained on other data with another kind of model, so its errors are others. It computes two things:

* The words that are spoken: a greedy search over several clips at once. A step of the decoder takes hardly longer for
  sixteen clips than for one.
* The probability of each word of the text, given the sound and the words before: one pass of the decoder, no search.

The encoder runs on the length of the clip, not on Whisper's usual 30 seconds, which makes it five times as fast. Clips
are lengthened with silence to an even number of seconds, and clips of one length form a batch, so that no result
depends on the other clips of its batch.
"""

from __future__ import annotations

import functools
import itertools
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill.align.features import SAMPLE_RATE
from voicemill.align.transcription import RecogniserModel
from voicemill.text.frontend import SpokenWord

WEIGHTS_ID = "openai/whisper-tiny.en"
LONGEST_SECONDS = 28.0
"""Seconds of a clip; Whisper's encoder takes 30."""
_SILENCE = 2.0
"""Least silence (seconds) put behind the clip. Without it the decoder misses the end and starts again: after 14 of 64
clips with 1 s, after none with 2 s and `_REPETITION_PENALTY`."""
_GRID = 2
"""Seconds; the coarser, the more clips have the same length."""
_REPETITION_PENALTY = 1.1
"""Divides the scores of tokens that were written before; with 1.2 words are lost."""
_TOKENS_PER_SECOND, _MORE_TOKENS, _MOST_TOKENS = 5, 10, 220
"""Most tokens of the search: for each second, which is more than anyone speaks, for marks, and of all."""
MOST_CLIPS, MOST_SECONDS = 16, 120
"""Most clips, and seconds with their silence, of a batch; its memory grows with both."""
_FRAMES_PER_SECOND = 100
_FLOOR = 1e-9
_WIDER_BEAM = 5
"""Texts that the second search of a clip follows at once."""
_PRONOUN_I = {"i": "I", "i'm": "I'm", "i'll": "I'll", "i've": "I've", "i'd": "I'd"}


@functools.lru_cache(maxsize=1)
def load(recogniser: RecogniserModel) -> SecondRecogniser:
    """The recogniser, loaded once per process.

    Raises:
        GateError: `weights_checksum_mismatch:<name>`, `weights_unavailable:<name>`.
    """
    return SecondRecogniser(recogniser)


class SecondRecogniser:
    """Whisper tiny.en on one core, with int8 weights; deterministic."""

    def __init__(self, recogniser: RecogniserModel) -> None:
        """See `load`. Only pinned files are loaded, from a private copy that was hashed."""
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer

        from voicemill.weights.store import copy_checked

        with tempfile.TemporaryDirectory(prefix="voicemill-recogniser-") as copies:
            for name, sha256 in recogniser.pins:
                copy_checked(recogniser.path / name, sha256, Path(copies) / name)
            self._model = WhisperModel(copies, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual=False, task="transcribe", language="en")

    def recognise(self, clips: Sequence[npt.NDArray[np.float32]]) -> list[RecognisedClip]:
        """Recognise clips; those of the same `padded_seconds` are computed together.

        Args:
            clips: (n,) mono float at 16 kHz each, at most `LONGEST_SECONDS`.
        """
        found: dict[int, RecognisedClip] = {}
        by_length = sorted(range(len(clips)), key=lambda index: padded_seconds(len(clips[index])))
        for seconds, group in itertools.groupby(by_length, key=lambda index: padded_seconds(len(clips[index]))):
            indices = list(group)
            size = clips_at_once(seconds)
            for first in range(0, len(indices), size):
                batch = indices[first : first + size]
                found |= zip(batch, self._batch([clips[index] for index in batch], seconds), strict=True)
        return [found[index] for index in range(len(clips))]

    def _batch(self, clips: Sequence[npt.NDArray[np.float32]], seconds: int) -> list[RecognisedClip]:
        import ctranslate2  # type: ignore[import-untyped]

        frames = seconds * _FRAMES_PER_SECOND
        padded = [np.pad(samples, (0, seconds * SAMPLE_RATE - len(samples))) for samples in clips]
        mels = np.stack([self._model.feature_extractor(samples)[:, :frames] for samples in padded])
        encoded = self._model.encode(mels)
        texts = _search(
            self._model, self._tokenizer, encoded, len(clips), frames, beam=1, repetition_penalty=_REPETITION_PENALTY
        )
        each = np.array(encoded)
        return [
            RecognisedClip(self._model, self._tokenizer, ctranslate2.StorageView.from_array(part), frames, text)
            for part, text in zip(np.split(each, len(clips)), texts, strict=True)
        ]


def _search(
    model: Any, tokenizer: Any, encoded: Any, clips: int, frames: int, *, beam: int, repetition_penalty: float = 1.0
) -> list[str]:
    """The texts of encoded clips of so many frames each."""
    longest = min(_MOST_TOKENS, _MORE_TOKENS + _TOKENS_PER_SECOND * (frames // _FRAMES_PER_SECOND))
    found = model.model.generate(
        encoded,
        [[tokenizer.sot, tokenizer.no_timestamps]] * clips,
        beam_size=beam,
        max_length=2 * longest,  # CTranslate2 stops at half of it
        repetition_penalty=repetition_penalty,
    )
    return [str(tokenizer.decode(one.sequences_ids[0])).strip() for one in found]


def padded_seconds(samples: int) -> int:
    """Seconds of a clip with the silence behind it, a multiple of `_GRID`."""
    return _GRID * math.ceil((samples / SAMPLE_RATE + _SILENCE) / _GRID)


def clips_at_once(seconds: int) -> int:
    """Most clips of `padded_seconds` in a batch."""
    return max(1, min(MOST_CLIPS, MOST_SECONDS // seconds))


@dataclass(frozen=True, eq=False)
class RecognisedClip:
    """A clip that Whisper has recognised.

    Attributes:
        encoded: the encoder's output, which the decoder reads.
        frames: length of the mel spectrogram.
        text: what is spoken, as Whisper writes it.
    """

    model: Any
    tokenizer: Any
    encoded: Any
    frames: int
    text: str

    def recognise_again(self) -> str:
        """What is spoken, by a wider search without a penalty for repetitions: another text where Whisper is unsure."""
        [text] = _search(self.model, self.tokenizer, self.encoded, 1, self.frames, beam=_WIDER_BEAM)
        return text

    def log_probabilities(self, words: Sequence[SpokenWord], enough: float = math.inf) -> list[float]:
        """For each word the logarithm of the probability of its least likely token, after the words before it.

        Whisper writes capital letters and marks, which a text may lack, so each word counts with the better of two
        spellings of the text: as given, and in lower case without marks. The second is not computed where every word
        has `enough` in the first.
        """
        given = self._scores([(word.written or word.text, word.mark) for word in words])
        if min(given, default=0.0) >= enough:
            return given
        plain = self._scores([(_PRONOUN_I.get(word.text, word.text), "") for word in words])
        return [max(pair) for pair in zip(given, plain, strict=True)]

    def _scores(self, spelled: Sequence[tuple[str, str]]) -> list[float]:
        words = [
            (self.tokenizer.encode(" " + word), self.tokenizer.encode(mark) if mark else []) for word, mark in spelled
        ]
        tokens = [token for word, mark in words for token in (*word, *mark)]
        found = self.model.model.align(self.encoded, [self.tokenizer.sot], [tokens], [self.frames])[0]
        logarithms = np.log(np.maximum(found.text_token_probs, _FLOOR))
        scores, first = [], 0
        for word, mark in words:
            scores.append(float(logarithms[first : first + len(word)].min(initial=0.0)))
            first += len(word) + len(mark)
        return scores
