"""Judges: learned models that measure finished speech. They are part of no voice, and nothing is trained from them.

    recogniser  Whisper tiny.en, a recogniser that makes few errors on recordings
    speaker     a speaker encoder: how alike two voices are
    opinion     DNSMOS: predicted opinion scores

Each passes the licence gate first. A judge that cannot be used is replaced by the reason, one sentence; figures that
need it are null, with this reason. docs/evaluation.md describes what each can measure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from voicemill.align import transcription
from voicemill.align.transcription import RecogniserModel, WhisperTranscriber
from voicemill.audio.embedding import SpeakerModel
from voicemill.errors import DatasetError, VoicemillError
from voicemill.metrics.opinion import OpinionModel
from voicemill.text import normalise
from voicemill.weights.allowlist import Kind
from voicemill.weights.registry import WeightsRegistry
from voicemill.weights.store import ResolvedWeights

WHISPER_BASE = "openai/whisper-base"
"""Id on the weights allowlist of a larger recogniser, which `find_judges` does not look for."""
WHISPER, ENCODER, DNSMOS = "openai/whisper-tiny.en", "resemble-ai/voice-encoder", "microsoft/dnsmos"
"""Ids on the weights allowlist of the judges."""
NO_JUDGE = "No judge was given."
NO_OWN = "There are no other recordings of the speaker to compare with."
_Judge = TypeVar("_Judge")


@dataclass(frozen=True)
class WhisperRecogniser:
    """Whisper as a `voicemill.align.recognition.Recogniser`; deterministic, one load in each process."""

    model: RecogniserModel

    @property
    def name(self) -> str:
        return self.model.weights_id

    @property
    def version(self) -> str:
        return f"faster-whisper {metadata.version('faster-whisper')}"

    def transcribe(self, samples: NDArray[np.float32]) -> str:
        """Words of (n,) mono samples at 16 kHz, in lower case, digits and signs spelled out."""
        return spoken_form(transcription.load(self.model).transcribe([samples])[0])

    def transcribe_after(self, samples: NDArray[np.float32], start: float) -> str:
        """As `transcribe`, but only the words after a time in seconds: what is before it prepares the recogniser."""
        words = cast("WhisperTranscriber", transcription.load(self.model)).words(samples)
        return spoken_form(" ".join(word.text for word in words if (word.start + word.end) / 2 > start))


@dataclass(frozen=True)
class Judges:
    """The judges; each is a model or the reason that it cannot be used."""

    recogniser: WhisperRecogniser | str = NO_JUDGE
    speaker: SpeakerModel | str = NO_JUDGE
    opinion: OpinionModel | str = NO_JUDGE


def find_judges(registry: WeightsRegistry) -> Judges:
    """Look for each judge; downloads nothing and loads no model."""
    return Judges(
        recogniser=find_whisper(registry, WHISPER),
        speaker=_find(registry, ENCODER, "judge", _encoder),
        opinion=_find(registry, DNSMOS, "judge", OpinionModel.of),
    )


def find_whisper(registry: WeightsRegistry, weights_id: str) -> WhisperRecogniser | str:
    """A Whisper model of the allowlist, or the reason that it cannot be used; downloads nothing and loads no model."""
    return _find(registry, weights_id, "asr", _recogniser)


def whisper_model(weights: ResolvedWeights) -> RecogniserModel:
    """Checked weights of a Whisper model, for `voicemill.align.transcription.load`.

    Raises:
        DependencyError: `extra_missing:faster-whisper`.
    """
    transcription.require("faster-whisper")
    pins = tuple((Path(item.path).name, item.sha256 or "") for item in weights.entry.files)
    return RecogniserModel("faster-whisper", weights.entry.id, weights.main.parent, pins[0][1], pins)


def spoken_form(text: str) -> str:
    """A recogniser's text as lower-case words: `In 1910, Mr. Lee` -> `in nineteen ten mister lee`."""
    with contextlib.suppress(DatasetError):  # letters that no English word has stay as they are, and count as errors
        text = normalise.normalise(text)
    return " ".join(normalise.words(text))


def _find(
    registry: WeightsRegistry, weights_id: str, kind: Kind, build: Callable[[ResolvedWeights], _Judge]
) -> _Judge | str:
    try:
        return build(registry.resolve(weights_id, kind, download=False))
    except VoicemillError as error:
        return f"{weights_id} cannot be used: {error.reason}."


def _recogniser(weights: ResolvedWeights) -> WhisperRecogniser:
    return WhisperRecogniser(whisper_model(weights))


def _encoder(weights: ResolvedWeights) -> SpeakerModel:
    return SpeakerModel(weights.entry.id, weights.main, weights.entry.files[0].sha256 or "")
