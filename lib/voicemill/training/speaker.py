"""A trained voice: FastPitch predicts mel spectrograms of normalised text, and a vocoder turns them into sound."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import TrainingError, UsageError
from voicemill.synthesis.mel import AudioConfig
from voicemill.synthesis.out_of_vocabulary import Pronounce, default_pronunciation
from voicemill.synthesis.vocoders import GriffinLimVocoder, HifiganVocoder, Vocoder
from voicemill.text.frontend import SpokenWord, read
from voicemill.text.frontend.chunks import split
from voicemill.text.frontend.reading import LETTER_A
from voicemill.text.frontend.spoken_words import annotated
from voicemill.text.lexicon import Lexicon
from voicemill.training.examples import encode, listed_phones, vocabulary_of

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel, HifiGanModel

PAUSE_SECONDS = 0.1
"""Between chunks, in addition to the silence that the voice itself gives to a full stop."""
_NO_FRAMES = "Kernel size can't be greater than actual input size"
"""torch's message when a barely trained voice predicts fewer frames than its convolutions are wide."""


@dataclass(frozen=True)
class Speaker:
    """A voice in memory; a `voicemill.synthesis.speech.Synthesiser`.

    Attributes:
        fastpitch: the acoustic model.
        vocoder: turns its mels into sound.
        audio: settings of its mels; `audio.sample_rate` is the rate of its samples, in Hz.
        pronounce: phones of out-of-vocabulary words; None refuses them.
    """

    fastpitch: FastPitchModel
    vocoder: Vocoder
    audio: AudioConfig
    pronounce: Pronounce | None

    def synthesise(self, text: str) -> NDArray[np.float32]:
        """Samples in -1..1 at `audio.sample_rate`, shape (samples,), of a normalised text.

        Raises:
            UsageError: `nothing_to_say`: there are no words in the text.
            TrainingError: `synthesis_non_finite`: the output is empty or not finite.
        """
        pause = np.zeros(round(PAUSE_SECONDS * self.audio.sample_rate), dtype=np.float32)
        pieces: list[NDArray[np.float32]] = []
        for chunk in self.chunks(text):
            pieces.extend((self.vocode(self.predict_mel(chunk)), pause))
        if not pieces:
            raise UsageError("There is nothing to say in the text.", reason="nothing_to_say")
        return np.concatenate(pieces[:-1])

    def chunks(self, text: str) -> list[str]:
        """Sentences of a text, or parts of long ones, with the phones that the voice's runtime speaks.

        A word whose phones are not the first ones of the voice's dictionary is written as `|PH OW N Z|`.

        Raises:
            UsageError: `unknown_words:<word>`, see `with_phones`.
        """
        return [
            self.with_phones(annotated([self._spoken(word) for word in part], self.lexicon))
            for sentence in read(text, self.lexicon)
            for part in split(sentence.words)
        ]

    def _spoken(self, word: SpokenWord) -> SpokenWord:
        """The word with the phones of `pronounce`, if the voice's dictionary does not list it."""
        if word.text in self.lexicon or word.phones == LETTER_A:
            return word
        if self.pronounce is None:
            raise _unknown([word.text])
        return dataclasses.replace(word, phones=tuple(self.pronounce(word.text)))

    @functools.cached_property
    def lexicon(self) -> Lexicon:
        """The dictionary of the voice's tokenizer: first pronunciations, without stress."""
        words = self.fastpitch.vocab.g2p.phoneme_dict
        listed = {word.lower(): listed_phones(self.fastpitch, word.lower()) for word in words}
        return Lexicon({word: phones for word, phones in listed.items() if phones})

    def predict_mel(self, text: str, *, speed: float = 1.0, semitones: float = 0.0) -> NDArray[np.float32]:
        """Log-mel of shape (mels, frames) of one chunk of text.

        Args:
            text: normalised, or one of `chunks`.
            speed: 1 as trained, 2 twice as fast.
            semitones: shift of the mean pitch.

        Raises:
            UsageError: no word of it can be pronounced.
            TrainingError: `synthesis_non_finite`: the mel is empty or not finite.
        """
        import torch

        from voicemill.training.runtime import nemo_runtime

        with nemo_runtime(), torch.no_grad():
            tokens, _ = encode(self.fastpitch, self.with_phones(text))
            if not tokens:
                raise UsageError("There is nothing to say in the text.", reason="nothing_to_say")
            batch = torch.tensor([tokens], device=self.fastpitch.device)
            module = self.fastpitch.fastpitch
            # The model's pitch is (Hz - mean) / deviation of the training clips.
            offset = float(module.pitch_mean / module.pitch_std) * (2 ** (semitones / 12) - 1)
            pitch = torch.full((1, 1), offset, device=batch.device)
            try:
                mel: NDArray[np.float32] = module.infer(text=batch, pitch=pitch, pace=speed)[0][0].float().cpu().numpy()
            except RuntimeError as error:
                if _NO_FRAMES not in str(error):
                    raise
                mel = np.zeros((0, 0), dtype=np.float32)
        if not mel.size or not np.isfinite(mel).all():
            raise TrainingError(
                "The voice gave an empty or broken mel spectrogram.",
                reason="synthesis_non_finite",
                hint="Train it longer.",
            )
        return mel

    def vocode(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames).

        Raises:
            TrainingError: `synthesis_non_finite`: the samples are not finite.
        """
        return self.vocoder(mel)

    def with_phones(self, text: str) -> str:
        """The text with its out-of-vocabulary words written as phones.

        Raises:
            UsageError: `unknown_words:<word>`: there are such words, and `pronounce` is None.
        """
        vocabulary = vocabulary_of(self.fastpitch)
        if self.pronounce is None and (unknown := vocabulary.unknown_words(text)):
            raise _unknown(unknown)
        return vocabulary.replace_unknown_words(text, self.pronounce or default_pronunciation)


def _unknown(words: Sequence[str]) -> UsageError:
    return UsageError(f"The voice cannot pronounce: {', '.join(words)}.", reason=f"unknown_words:{words[0]}")


def load_speaker(
    fastpitch: Path,
    hifigan: Path | None = None,
    *,
    device: str = "cpu",
    iterations: int = 60,
    pronounce: Pronounce | None = None,
) -> Speaker:
    """Restore a voice from its `.nemo` files, reading weights only.

    Args:
        fastpitch: the acoustic model.
        hifigan: the vocoder; None takes Griffin-Lim.
        device: as torch names it.
        iterations: of Griffin-Lim.
        pronounce: phones of out-of-vocabulary words; by default the dictionary and rules of `voicemill.text`.

    Raises:
        TrainingError: a file cannot be restored, or the two differ in their mel settings (`vocoder_mismatch`).
    """
    from voicemill.training.runtime import nemo_runtime, restore_fastpitch, restore_hifigan

    with nemo_runtime():
        model = restore_fastpitch(fastpitch, device=device)
        audio = audio_of(model)
        vocoder: Vocoder = GriffinLimVocoder(audio, iterations)
        if hifigan is not None:
            neural = restore_hifigan(hifigan, device=device)
            if audio_of(neural) != audio:
                raise TrainingError(
                    "The vocoder was made for mels of other settings than the voice's.", reason="vocoder_mismatch"
                )
            vocoder = HifiganVocoder(neural, audio)
    return Speaker(model, vocoder, audio, pronounce or default_pronunciation)


def audio_of(model: FastPitchModel | HifiGanModel) -> AudioConfig:
    """The mel settings that a model was made for."""
    settings = model.cfg.preprocessor
    return AudioConfig(
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.n_window_stride,
        # FastPitch's front end calls its bands `features`, HiFi-GAN's calls them `nfilt`.
        n_mels=settings.features if "features" in settings else settings.nfilt,
        fmin=settings.lowfreq,
        fmax=settings.highfreq,
        log_floor=settings.log_zero_guard_value,
    )
