"""Inputs of metrics: recognised sentences, sentence pairs, copies of recordings, and a speaker's sounds.

Each metric of the catalogue names one of these classes. Importing this module loads no numerical library, so that the
limits of a preset can be checked on a host without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from voicemill.errors import NotMeasurableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voicemill.metrics.error_rate import ErrorRate
    from voicemill.metrics.opinion import OpinionScores
    from voicemill.metrics.pitch_errors import PitchErrors
    from voicemill.metrics.speaker import SpeakerProfile
    from voicemill.metrics.spectral import Distortion

    Samples = NDArray[np.float32]
    Contour = NDArray[np.float64]


@dataclass(frozen=True)
class RecognisedSentences:
    """Errors of the recogniser on a set of synthesised sentences, in order."""

    characters: Sequence[ErrorRate]
    words: Sequence[ErrorRate]

    @classmethod
    def compare(cls, texts: Sequence[str], recognised: Sequence[str]) -> RecognisedSentences:
        """Count the errors of the recognised texts against the texts that were spoken."""
        from voicemill.metrics.error_rate import character_errors, word_errors

        return cls(character_errors(texts, recognised), word_errors(texts, recognised))


@dataclass(frozen=True)
class RecognisedRecordings(RecognisedSentences):
    """Errors of the recogniser on the real recordings of the held-out sentences."""


@dataclass(frozen=True)
class HeldOutSentences:
    """All held-out sentences, synthesised and recorded."""

    synthesised: RecognisedSentences
    recorded: RecognisedSentences
    samples: int
    """Length of all synthesised sentences together, in samples."""
    recorded_samples: int


@dataclass(frozen=True)
class SentencePair:
    """A synthesised sentence and its recording; frames are paired by dynamic time warping."""

    UNMEASURED: ClassVar[str] = "No sentence has frames in both sounds that carry it."
    """Reason of a null when no pair carries a metric."""

    real: Samples
    synthesised: Samples
    sample_rate: int
    distortion: Distortion
    real_f0: Contour
    """F0 in Hz in step with the mel spectrogram, 0 where unvoiced."""
    synthesised_f0: Contour
    pitch: PitchErrors

    @classmethod
    def align(
        cls, real: Samples, synthesised: Samples, *, sample_rate: int, pitch_range: tuple[float, float]
    ) -> SentencePair:
        """Pair the frames of a recording and a synthesised sound of the same text.

        Args:
            real: recording, mono.
            synthesised: mono.
            sample_rate: of both, Hz.
            pitch_range: lowest and highest F0 of the speaker, Hz; the same for both sounds.

        Raises:
            NotMeasurableError: one of them has no frame that can be compared.
        """
        from voicemill.metrics.pitch_errors import pitch_contour, pitch_errors
        from voicemill.metrics.spectral import MelSettings, log_mel, mel_cepstral_distortion

        settings = MelSettings(sample_rate=sample_rate)
        distortion = mel_cepstral_distortion(log_mel(real, settings), log_mel(synthesised, settings))
        real_f0, synthesised_f0 = (pitch_contour(samples, sample_rate, pitch_range) for samples in (real, synthesised))
        return cls(
            real=real,
            synthesised=synthesised,
            sample_rate=sample_rate,
            distortion=distortion,
            real_f0=real_f0,
            synthesised_f0=synthesised_f0,
            pitch=pitch_errors(real_f0, synthesised_f0, distortion.path),
        )


@dataclass(frozen=True)
class CopyPair:
    """A recording and its copy synthesis: through the mel spectrogram and the vocoder, in step with the recording."""

    UNMEASURED: ClassVar[str] = "No recording could be compared with its copy."

    real: Samples
    copy: Samples
    sample_rate: int


@dataclass(frozen=True)
class SynthesisTime:
    """Seconds of sound and of computing, text to samples, for a number of sentences."""

    sound: float
    computing: float
    sentences: int


@dataclass(frozen=True)
class LongSentences:
    """Long test sentences, each spoken at once and again clause by clause."""

    characters: Sequence[ErrorRate]
    clause_characters: Sequence[ErrorRate]
    samples: int
    clause_samples: int


@dataclass(frozen=True)
class NumberSentences:
    """Test sentences with numbers and dates."""

    recognised: RecognisedSentences
    read_well: Sequence[bool]
    """Whether the normaliser reads each sentence in one of the accepted ways."""


@dataclass(frozen=True)
class SpeakerSounds:
    """Sounds for speaker comparison."""

    synthesised: Sequence[Samples]
    recorded: Sequence[Samples]
    """Recordings of the held-out sentences."""
    own: Sequence[Samples]
    """Other recordings of the speaker (training clips); may be empty."""
    sample_rate: int

    @property
    def enrolment(self) -> Sequence[Samples]:
        """Recordings that represent the speaker: the others, or the held-out ones where there are no others."""
        return self.own or self.recorded

    @cached_property
    def synthesised_profile(self) -> SpeakerProfile:
        """Profile of the synthesised voice."""
        return self._profile(self.synthesised)

    @cached_property
    def own_profile(self) -> SpeakerProfile:
        """Profile of the speaker."""
        return self._profile(self.enrolment)

    @cached_property
    def recorded_profile(self) -> SpeakerProfile:
        """Profile of the held-out recordings."""
        return self._profile(self.recorded)

    def _profile(self, sounds: Sequence[Samples]) -> SpeakerProfile:
        from voicemill.metrics.speaker import speaker_profile

        return speaker_profile(sounds, self.sample_rate)


@dataclass(frozen=True)
class Likeness:
    """How alike a sentence and the voice's speaker are, by the speaker encoder.

    Attributes:
        own: cosine to the mean embedding of the speaker's recordings.
        nearest: the highest cosine to one of the shipped other people; None where there are none.
    """

    own: float
    nearest: float | None = None

    @property
    def confused(self) -> bool:
        """Whether another person is nearer than the own speaker."""
        return self.nearest is not None and self.nearest >= self.own


@dataclass(frozen=True)
class JudgedSentences:
    """What the judges give for a set of synthesised sentences, in order; a judge that is missing gives its reason."""

    words: Sequence[ErrorRate] | str
    """Errors of Whisper."""
    likeness: Sequence[Likeness] | str
    opinions: Sequence[OpinionScores] | str


@dataclass(frozen=True)
class JudgedRecordings(JudgedSentences):
    """The same for the real recordings of the sentences."""


@dataclass(frozen=True)
class JudgedPair:
    """The same sentences, synthesised and recorded."""

    synthesised: JudgedSentences
    recorded: JudgedRecordings


def duration_error(reference: float, other: float) -> float:
    """Relative error of a sentence's length: |other / reference - 1|, 0 for equal lengths, 1 for twice as long.

    Unlike the ratio of two sums it does not let a sentence spoken too fast compensate for one spoken too slowly. Its
    mean over sentences is the mean absolute percentage error of forecasting (as a share, not in percent).

    Args:
        reference: seconds of the recording.
        other: seconds of the synthesised sound.

    Raises:
        NotMeasurableError: the recording has no length.
    """
    if not reference > 0:
        raise NotMeasurableError("The recording has no length to compare with.")
    return abs(other / reference - 1.0)
