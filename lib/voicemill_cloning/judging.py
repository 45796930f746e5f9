"""What learned judges find in a take: the words that are recognised, and how alike two voices are."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from voicemill.align import transcription
from voicemill.align.features import SAMPLE_RATE
from voicemill.align.transcription import RecogniserModel, WhisperTranscriber
from voicemill.audio.decode import resample
from voicemill.audio.embedding import SpeakerModel, centroid
from voicemill.errors import DependencyError, GateError, NotMeasurableError, UsageError
from voicemill.metrics.error_rate import ErrorRate, errors_in_words
from voicemill.metrics.judges import WHISPER, Judges, find_judges, spoken_form, whisper_model
from voicemill.progress import Observer, SilentObserver
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import recogniser_files
from voicemill_cloning.engines.engine import Samples
from voicemill_cloning.languages import AUTO, CODES

ENGLISH_MODEL, OTHER_MODEL = "tiny.en", "base"
"""Names of the recognisers for English and for the other languages."""
MODELS = {
    ENGLISH_MODEL: WHISPER,
    OTHER_MODEL: recogniser_files.WEIGHTS_ID,
    "small": "Systran/faster-whisper-small",
}
"""Name of a Whisper model -> id on the weights allowlist."""
_AS_ENGLISH = ("English", AUTO)
_BY_CHARACTER = ("Chinese", "Japanese", "Korean")
"""Languages whose words are not, or not always, written apart: their characters are compared."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


@dataclass(frozen=True)
class TakeRecogniser:
    """A Whisper model for one language; loaded at its first use, once in each process.

    Attributes:
        name: one of `MODELS`.
        model: after the weights gate.
        language: a name of `voicemill_cloning.languages`; `AUTO` lets a multilingual model detect it.
    """

    name: str
    model: RecogniserModel
    language: str

    @property
    def weights_id(self) -> str:
        """Id on the weights allowlist."""
        return self.model.weights_id

    def load(self) -> WhisperTranscriber:
        """The model in memory; see `voicemill.align.transcription.load`."""
        code = "en" if self.name == ENGLISH_MODEL else CODES.get(self.language)
        return cast("WhisperTranscriber", transcription.load(replace(self.model, language=code)))

    def transcribe(self, samples: Samples, rate: int) -> str:
        """The words of mono samples; English in lower case with digits and signs spelled out."""
        text = self.load().transcribe([resample(samples, rate, SAMPLE_RATE)])[0]
        return spoken_form(text) if self.language in _AS_ENGLISH else text


@dataclass(frozen=True)
class TakeJudges:
    """The judges of takes and references.

    Attributes:
        registry: of the weights.
        observer: receives the progress of downloads.
    """

    registry: WeightsRegistry
    observer: Observer = field(default_factory=SilentObserver, compare=False)

    @functools.cached_property
    def found(self) -> Judges:
        """The judges that need no language; each is a model or why it cannot be used."""
        return find_judges(self.registry)

    def recogniser(self, language: str, name: str | None = None) -> TakeRecogniser:
        """The recogniser of a language.

        Args:
            language: a name of `voicemill_cloning.languages`, or `AUTO`.
            name: of the Whisper model that was asked for; None takes the language's.

        Raises:
            UsageError: `unknown_recogniser:<name>`; `language_not_judged:<language>`, the model knows English only.
            DependencyError: `judge_unavailable:recogniser`.
            GateError: `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>` and the refusals of the gate.
        """
        chosen = recogniser_name(language, name)
        if chosen == ENGLISH_MODEL:
            if isinstance(self.found.recogniser, str):
                raise DependencyError(
                    f"Words cannot be judged. {self.found.recogniser}",
                    reason="judge_unavailable:recogniser",
                    hint="Set the toolbox up again, which installs the recogniser.",
                )
            return TakeRecogniser(chosen, self.found.recogniser.model, language)
        if chosen == OTHER_MODEL:
            recogniser_files.fetch(self.registry, self.observer)
        weights = self.registry.resolve(MODELS[chosen], "asr", download=True)
        return TakeRecogniser(chosen, whisper_model(weights), language)

    def speaker(self) -> SpeakerModel:
        """The speaker encoder.

        Raises:
            GateError: `judge_unavailable:speaker`.
        """
        if isinstance(self.found.speaker, str):
            raise GateError(
                f"The likeness of voices cannot be judged. {self.found.speaker}",
                reason="judge_unavailable:speaker",
                hint="Set the toolbox up again, which installs the encoder.",
            )
        return self.found.speaker


def recogniser_name(language: str, name: str | None) -> str:
    """The recogniser of a language: the one that was asked for, or the language's own.

    Raises:
        UsageError: `unknown_recogniser:<name>`; `language_not_judged:<language>`, the model knows English only.
    """
    english = language in _AS_ENGLISH
    chosen = (name or (ENGLISH_MODEL if english else OTHER_MODEL)).removeprefix("openai/whisper-")
    if chosen not in MODELS:
        raise UsageError(
            f"The recogniser Whisper {chosen[:40]} is not on the allowlist of judges.",
            reason=f"unknown_recogniser:{chosen[:40]}",
            hint=f"Use --whisper-model {' or '.join(MODELS)}, or leave it out.",
        )
    if chosen == ENGLISH_MODEL and not english:
        raise UsageError(
            f"Whisper {ENGLISH_MODEL} knows English only, and this is {language}.",
            reason=f"language_not_judged:{language}",
            hint=f"Leave --whisper-model out, or give {OTHER_MODEL}.",
        )
    return chosen


@dataclass(frozen=True)
class RecognisedTake:
    """The words of a take.

    Attributes:
        transcript: as recognised.
        word_errors: substitutions, insertions and deletions over the words of the text (characters in Chinese,
            Japanese and Korean); may exceed 1.
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


def spoken_units(text: str, language: str) -> list[str]:
    """The units in which a text and its transcript are compared: words as they are read, or characters.

    Args:
        text: as written, or as recognised.
        language: a name of `voicemill_cloning.languages`; `AUTO` counts as English.
    """
    if language in _AS_ENGLISH:
        return spoken_form(text).split()
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u0451", "\u0435")
    if language in _BY_CHARACTER:
        return [sign for sign in plain if sign.isalnum()]
    return [part for word in _WORD.findall(plain) for part in re.split(r"['\u2019-]", word)]


def error_rate(text: str, transcript: str, language: str) -> ErrorRate:
    """Errors of a transcript in the units of its language.

    Raises:
        NotMeasurableError: the text has no words.
    """
    expected, found = (" ".join(spoken_units(each, language)) for each in (text, transcript))
    if not expected:
        raise NotMeasurableError("The text has no words.")
    if not found:
        return ErrorRate(len(expected.split()), len(expected.split()))
    return errors_in_words(expected, found)


def recognise(recogniser: TakeRecogniser, samples: Samples, rate: int, text: str) -> RecognisedTake:
    """Recognise a take and compare it with its text.

    Raises:
        NotMeasurableError: the text has no words.
    """
    transcript = recogniser.transcribe(samples, rate)
    return RecognisedTake(transcript, error_rate(text, transcript, recogniser.language).rate)


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
