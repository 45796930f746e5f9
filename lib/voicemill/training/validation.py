"""Validation during training: held-out sentences synthesised, recognised and compared with their recordings.

The training process only predicts mel spectrograms, which is quick. A child process vocodes, recognises and measures
them. The result of a validation is taken at the next one, so that decisions based on it depend on steps alone and a
resumed run decides the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import BlockedError, NotMeasurableError
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.data import PitchStatistics, TrainingClip, read_audio, read_pitch
from voicemill.workers import Workers, lower_priority

Mel = NDArray[np.float32]

_ITERATIONS = 30
"""Of Griffin-Lim; enough for speech recognition."""
_DECIBELS_PER_ERROR_RATE = 20.0
"""Mel-cepstral distortion that weighs as much as a character error rate of 1. Good voices have 4 to 6 dB, babble far
more than 10: distortion decides between voices with equal error rates."""


@dataclass(frozen=True)
class ValidationScores:
    """Scores over the held-out sentences.

    Attributes:
        mel_distance: mel-cepstral distortion in dB, mean over the sentences.
        character_errors: character error rate of PocketSphinx, over all characters.
        pitch_errors: share of frames with a gross pitch or a voicing error, mean over the sentences.
    """

    mel_distance: float
    character_errors: float
    pitch_errors: float

    @property
    def score(self) -> float:
        """Lower is better; infinite for a voice without sound."""
        return self.character_errors + self.mel_distance / _DECIBELS_PER_ERROR_RATE + self.pitch_errors

    def __str__(self) -> str:
        return (
            f"mel distance {self.mel_distance:.2f} dB, character errors {self.character_errors:.2f}, "
            f"pitch errors {self.pitch_errors:.2f}"
        )


NO_SOUND = ValidationScores(math.inf, 1.0, 1.0)


@dataclass(frozen=True)
class HeldOutSentence:
    """A held-out sentence and its recording.

    Attributes:
        mel: log-mel of the recording, (mels, frames).
        pitch: Hz of each frame, 0 where unvoiced.
    """

    text: str
    mel: Mel
    pitch: NDArray[np.float32]


def read_sentence(clip: TrainingClip, audio: AudioConfig) -> HeldOutSentence:
    """Read a clip of the validation split."""
    from voicemill.metrics.spectral import MelSettings, log_mel

    settings = MelSettings(
        sample_rate=audio.sample_rate,
        n_fft=audio.n_fft,
        hop_length=audio.hop_length,
        win_length=audio.n_fft,
        n_mels=audio.n_mels,
        low_hz=audio.fmin,
        high_hz=audio.fmax,
        guard=audio.log_floor,
    )
    return HeldOutSentence(clip.text, log_mel(read_audio(clip.audio, audio.sample_rate), settings), read_pitch(clip))


def measure_sentences(
    predicted: list[Mel], sentences: list[HeldOutSentence], audio: AudioConfig, pitch_statistics: PitchStatistics
) -> ValidationScores:
    """Compare predicted log-mels with the recordings of the same sentences.

    It is called in a child process, which imports it by name.
    """
    from voicemill.align.features import SAMPLE_RATE
    from voicemill.align.recognition import PocketSphinxRecogniser
    from voicemill.audio.decode import resample
    from voicemill.audio.pitch import pyin
    from voicemill.metrics.error_rate import character_errors, pooled
    from voicemill.metrics.pitch_errors import pitch_errors
    from voicemill.metrics.spectral import mel_cepstral_distortion
    from voicemill.synthesis.griffin_lim import griffin_lim

    recogniser = PocketSphinxRecogniser()
    distances, pitches, recognised = [], [], []
    try:
        for sentence, mel in zip(sentences, predicted, strict=True):
            distortion = mel_cepstral_distortion(sentence.mel, mel)
            samples = griffin_lim(mel, audio, iterations=_ITERATIONS)
            pitch = pyin(
                samples,
                sample_rate=audio.sample_rate,
                fmin=pitch_statistics.pitch_fmin,
                fmax=pitch_statistics.pitch_fmax,
                hop_length=audio.hop_length,
            )
            distances.append(distortion.decibels)
            pitches.append(pitch_errors(sentence.pitch, pitch.f0, distortion.path).f0_frame_error)
            recognised.append(recogniser.transcribe(resample(samples, audio.sample_rate, SAMPLE_RATE)))
        rate = pooled(character_errors([sentence.text for sentence in sentences], recognised)).rate
    except NotMeasurableError:
        return NO_SOUND
    return ValidationScores(float(np.mean(distances)), rate, float(np.mean(pitches)))


class ValidationWorker:
    """The child process of validations; it starts with the first one, at a lower priority than the training."""

    def __init__(self, sentences: list[HeldOutSentence], audio: AudioConfig, pitch_statistics: PitchStatistics) -> None:
        self._measure = partial(measure_sentences, sentences=sentences, audio=audio, pitch_statistics=pitch_statistics)
        self._workers = Workers(1, lower_priority)
        self._predicted: list[Mel] | None = None
        self._scores: ValidationScores | None = None

    def submit(self, predicted: list[Mel] | None) -> None:
        """Begin to measure these mels; None for a voice without sound."""
        self._predicted, self._scores = predicted, NO_SOUND if predicted is None else None
        if predicted is not None:
            self._workers.begin(self._measure, predicted)

    def result(self) -> ValidationScores:
        """The scores of the mels submitted last; waits for them.

        A child process that was killed, for example by a signal to the whole group, is started once more.

        Raises:
            BlockedError: `worker_died`: the second one was killed too.
        """
        if self._scores is None:
            try:
                self._scores = self._workers.finish()
            except BlockedError:
                self._workers.begin(self._measure, self._predicted)
                self._scores = self._workers.finish()
        return self._scores

    def close(self) -> None:
        """Stop the child process at once."""
        self._workers.stop(at_once=True)
