"""A second recogniser: Whisper tiny.en judges the words of a known text, and recognises what is spoken.

PocketSphinx's alignment (`forced_alignment`) finds whole texts that are wrong, but a single wrong word costs it little.
Whisper was trained on other data with another kind of model, so its errors are others. It computes two things:

* The probability of each word of the text, given the sound and the words before: one pass of the decoder, no search.
* The words that are spoken: a greedy search, run only where a word of the text is unlikely.

The encoder runs on the length of the clip, not on Whisper's usual 30 seconds, which makes it five times as fast.
"""

from __future__ import annotations

import functools
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
_SILENCE = 1.0
"""Seconds of silence put behind the clip: without it the decoder misses the end and starts again."""
_WORDS_PER_SECOND = 6
"""Tokens for each second in the search, more than anyone speaks."""
_FLOOR = 1e-9
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

    def encode(self, samples: npt.NDArray[np.float32]) -> EncodedClip:
        """Encode a clip.

        Args:
            samples: (n,) mono float at 16 kHz, at most `LONGEST_SECONDS`.
        """
        padded = np.pad(samples, (0, round(_SILENCE * SAMPLE_RATE)))
        mel = self._model.feature_extractor(padded)[:, :-1]
        mel = mel[:, : mel.shape[1] // 2 * 2]
        return EncodedClip(self._model, self._tokenizer, self._model.encode(mel), mel.shape[1], len(samples))


@dataclass(frozen=True, eq=False)
class EncodedClip:
    """A clip with the output of Whisper's encoder.

    Attributes:
        encoded: the encoder's output, which the decoder reads.
        frames: length of the mel spectrogram.
        samples: length of the clip, without the silence behind it.
    """

    model: Any
    tokenizer: Any
    encoded: Any
    frames: int
    samples: int

    def log_probabilities(self, words: Sequence[SpokenWord]) -> list[float]:
        """For each word the logarithm of the probability of its least likely token, after the words before it.

        Whisper writes capital letters and marks, which a text may lack, so each word counts with the better of two
        spellings of the text: as given, and in lower case without marks.
        """
        given = self._scores([(word.written or word.text, word.mark) for word in words])
        plain = self._scores([(_PRONOUN_I.get(word.text, word.text), "") for word in words])
        return [max(pair) for pair in zip(given, plain, strict=True)]

    def continuation(self, words: Sequence[SpokenWord]) -> str:
        """What is spoken after the last word of the text, if anything: the first few tokens."""
        tokens = [token for word in words for token in self._tokens(word.written or word.text, word.mark)]
        return self._generate(tokens, len(tokens) + 8)

    def text(self) -> str:
        """What is spoken, as Whisper writes it."""
        return self._generate([], 10 + round(_WORDS_PER_SECOND * self.samples / SAMPLE_RATE))

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

    def _tokens(self, word: str, mark: str) -> list[int]:
        return [*self.tokenizer.encode(" " + word), *(self.tokenizer.encode(mark) if mark else [])]

    def _generate(self, tokens: Sequence[int], longest: int) -> str:
        prompt = [self.tokenizer.sot, self.tokenizer.no_timestamps, *tokens]
        found = self.model.model.generate(self.encoded, [prompt], beam_size=1, max_length=min(440, longest + 2))
        return str(self.tokenizer.decode(found[0].sequences_ids[0])).strip()
