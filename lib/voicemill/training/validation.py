"""A voice measured while it learns: held-out sentences spoken, heard and compared with their recordings.

The training process only predicts mel spectrograms, which is quick. A process beside it makes sound of them, listens
and measures. The result of one validation is taken at the next, whenever it was ready, so that what follows from it
(which weights are best, whether to stop) depends on steps alone and a resumed run decides the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import BlockedError, NotMeasurableError
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.data import Clip, DatasetFacts, read_audio, read_pitch
from voicemill.workers import Workers, give_way

Mel = NDArray[np.float32]

_ITERATIONS = 30
"""Of Griffin-Lim: enough for a recogniser to follow."""
_DECIBELS_AS_MUCH_AS_ALL_WRONG = 20.0
"""Mel-cepstral distortion that weighs as much as a character error rate of 1: good voices lie at 4 to 6 dB, babble far
above 10, so that distortion decides between voices that are understood equally well."""


@dataclass(frozen=True)
class Quality:
    """What was measured on the sentences; the mean, and for errors all of them over all characters.

    Attributes:
        mel_distance: mel-cepstral distortion in dB.
        character_errors: rate, of PocketSphinx.
        pitch_errors: share of frames with a gross pitch or a voicing error.
    """

    mel_distance: float
    character_errors: float
    pitch_errors: float

    @property
    def score(self) -> float:
        """Lower is better; infinite for a voice that gives no sound."""
        return self.character_errors + self.mel_distance / _DECIBELS_AS_MUCH_AS_ALL_WRONG + self.pitch_errors

    def __str__(self) -> str:
        return (
            f"mel distance {self.mel_distance:.2f} dB, character errors {self.character_errors:.2f}, "
            f"pitch errors {self.pitch_errors:.2f}"
        )


NO_SOUND = Quality(math.inf, 1.0, 1.0)


@dataclass(frozen=True)
class HeldOut:
    """One held-out sentence and how it was really spoken.

    Attributes:
        mel: log-mel of the recording, (mels, frames).
        pitch: Hz of each frame, 0 where unvoiced.
    """

    text: str
    mel: Mel
    pitch: NDArray[np.float32]


def held_out(clip: Clip, audio: AudioConfig) -> HeldOut:
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
    return HeldOut(clip.text, log_mel(read_audio(clip.audio, audio.sample_rate), settings), read_pitch(clip))


def measure(spoken: list[Mel], sentences: list[HeldOut], audio: AudioConfig, facts: DatasetFacts) -> Quality:
    """Compare predicted log-mels with the recordings of the same sentences; an importable function for a worker."""
    from voicemill.align.features import SAMPLE_RATE
    from voicemill.align.recognition import PocketSphinxRecogniser
    from voicemill.audio.decode import resample
    from voicemill.audio.pitch import pyin
    from voicemill.metrics.error_rate import character_errors, pooled
    from voicemill.metrics.pitch_errors import pitch_errors
    from voicemill.metrics.spectral import mel_cepstral_distortion
    from voicemill.synthesis.griffin_lim import griffin_lim

    recogniser = PocketSphinxRecogniser()
    distances, pitches, heard = [], [], []
    try:
        for sentence, mel in zip(sentences, spoken, strict=True):
            distortion = mel_cepstral_distortion(sentence.mel, mel)
            samples = griffin_lim(mel, audio, iterations=_ITERATIONS)
            pitch = pyin(
                samples,
                sample_rate=audio.sample_rate,
                fmin=facts.pitch_fmin,
                fmax=facts.pitch_fmax,
                hop_length=audio.hop_length,
            )
            distances.append(distortion.decibels)
            pitches.append(pitch_errors(sentence.pitch, pitch.f0, distortion.path).f0_frame_error)
            heard.append(recogniser.transcribe(resample(samples, audio.sample_rate, SAMPLE_RATE)))
        rate = pooled(character_errors([sentence.text for sentence in sentences], heard)).rate
    except NotMeasurableError:
        return NO_SOUND
    return Quality(float(np.mean(distances)), rate, float(np.mean(pitches)))


class Listener:
    """The process beside the training; it starts with the first sentences and gives way to the training."""

    def __init__(self, sentences: list[HeldOut], audio: AudioConfig, facts: DatasetFacts) -> None:
        self._measure = partial(measure, sentences=sentences, audio=audio, facts=facts)
        self._workers = Workers(1, give_way)
        self._spoken: list[Mel] | None = None
        self._heard: Quality | None = None

    def submit(self, spoken: list[Mel] | None) -> None:
        """Have these mels measured; None for a voice that could not speak."""
        self._spoken, self._heard = spoken, NO_SOUND if spoken is None else None
        if spoken is not None:
            self._workers.begin(self._measure, spoken)

    def result(self) -> Quality:
        """Of what was submitted last; waits for it. A process that is gone, as after a signal to all, has a second try.

        Raises:
            BlockedError: `worker_died`, when the second one is ended too.
        """
        if self._heard is None:
            try:
                self._heard = self._workers.finish()
            except BlockedError:
                self._workers.begin(self._measure, self._spoken)
                self._heard = self._workers.finish()
        return self._heard

    def close(self) -> None:
        """End the process, whatever it does."""
        self._workers.stop(at_once=True)
