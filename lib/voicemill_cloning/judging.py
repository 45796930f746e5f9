"""What learned judges find in a take: the words that are recognised, and how alike two voices are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicemill.align.features import SAMPLE_RATE
from voicemill.audio.decode import resample
from voicemill.audio.embedding import SpeakerModel, centroid
from voicemill.errors import DependencyError, GateError, UsageError
from voicemill.metrics.error_rate import word_errors
from voicemill.metrics.judges import WHISPER, Judges, WhisperRecogniser
from voicemill_cloning.engines.engine import AUTO, Samples

DEFAULT = WHISPER.removeprefix("openai/whisper-")
"""Name of the recogniser."""
SPOKEN = ("English", AUTO)
"""Languages that the recogniser knows."""


@dataclass(frozen=True)
class RecognisedTake:
    """The words of a take.

    Attributes:
        transcript: as recognised.
        word_errors: substitutions, insertions and deletions over the words of the text; may exceed 1.
    """

    transcript: str
    word_errors: float

    @property
    def intelligibility(self) -> float:
        """1 where every word is there once and in order, 0 where nothing of the text is left."""
        return max(0.0, 1.0 - self.word_errors)

    def qa(self, seconds: float) -> dict[str, Any]:
        """For `takes.meta.json`."""
        return {
            "transcript": self.transcript,
            "intelligibility": round(self.intelligibility, 4),
            "duration_sec": round(seconds, 3),
        }


def require_english(language: str) -> None:
    """Refuse to judge the words of another language.

    Raises:
        UsageError: `language_not_judged:<language>`.
    """
    if language not in SPOKEN:
        raise UsageError(
            f"The recogniser that judges takes knows English only, and the text is in {language}.",
            reason=f"language_not_judged:{language}",
            hint="Leave --qa, --select-best and --align-words out for other languages.",
        )


def require_recogniser(judges: Judges, language: str, name: str = DEFAULT) -> WhisperRecogniser:
    """The recogniser, if it can judge a text in this language.

    Args:
        judges: that were found.
        language: of the text.
        name: of the Whisper model that was asked for.

    Raises:
        UsageError: `language_not_judged:<language>`; `unknown_recogniser:<name>`.
        DependencyError: `judge_unavailable:recogniser`.
    """
    require_english(language)
    if name.removeprefix("openai/whisper-") != DEFAULT:
        raise UsageError(
            f"The recogniser Whisper {name[:40]} is not on the allowlist of judges.",
            reason=f"unknown_recogniser:{name[:40]}",
            hint=f"Use --whisper-model {DEFAULT}.",
        )
    if isinstance(judges.recogniser, str):
        raise DependencyError(
            f"The words of takes cannot be judged. {judges.recogniser}",
            reason="judge_unavailable:recogniser",
            hint="Set the toolbox up again, which installs the recogniser.",
        )
    return judges.recogniser


def require_speaker_model(judges: Judges) -> SpeakerModel:
    """The speaker encoder.

    Raises:
        GateError: `judge_unavailable:speaker`.
    """
    if isinstance(judges.speaker, str):
        raise GateError(
            f"The likeness of voices cannot be judged. {judges.speaker}",
            reason="judge_unavailable:speaker",
            hint="Set the toolbox up again, which installs the encoder.",
        )
    return judges.speaker


def recognise(recogniser: WhisperRecogniser, samples: Samples, rate: int, text: str) -> RecognisedTake:
    """Recognise a take and compare it with its text.

    Raises:
        NotMeasurableError: the text has no words.
    """
    transcript = recogniser.transcribe(resample(samples, rate, SAMPLE_RATE))
    return RecognisedTake(transcript, word_errors([text], [transcript])[0].rate)


class ReferenceVoice:
    """Speaker embeddings of a voice: of its reference, or of the takes that were accepted so far."""

    def __init__(self, model: SpeakerModel, vectors: list[NDArray[np.float64]] | None = None) -> None:
        self._model = model
        self._vectors = list(vectors or [])
        self._fixed = bool(vectors)

    @classmethod
    def of(cls, model: SpeakerModel, samples: Samples, rate: int) -> ReferenceVoice:
        """The voice of a reference recording, which takes do not change.

        Raises:
            NotMeasurableError: the recording is silent.
        """
        return cls(model, [model.embed(samples, rate)])

    @property
    def model_name(self) -> str:
        """Id of the encoder."""
        return self._model.name

    def embed(self, samples: Samples, rate: int) -> NDArray[np.float64]:
        """The embedding of a take; see `SpeakerModel.embed`."""
        return self._model.embed(samples, rate)

    def similarity(self, vector: NDArray[np.float64]) -> float | None:
        """Cosine of an embedding and the voice's; None before there is anything to compare with."""
        return float(vector @ centroid(np.array(self._vectors))) if self._vectors else None

    def add(self, vector: NDArray[np.float64]) -> None:
        """Count an accepted take in, where there is no reference."""
        if not self._fixed:
            self._vectors.append(vector)
