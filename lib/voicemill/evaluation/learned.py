"""Figures of learned models: measured only with weights that passed the licence gate, else null with why.

A speaker-embedding model is an entry of the weights allowlist of kind `speaker` whose first file is an ONNX graph with
one input, float32 (1, samples) of mono sound at 16 kHz, and the embedding as its first output. None is listed today, so
the figure is null; `speaker_distance` needs no weights and is always there. For a predicted opinion score the same
holds (`mos_proxy`): no predictor whose weights may be used commercially is known to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill.audio.decode import resample
from voicemill.errors import NotMeasurableError
from voicemill.evaluation.figures import figure, missing
from voicemill.evaluation.model import Figure

Samples = NDArray[np.float32]
RATE = 16_000
"""Hz; what an embedding model listens to."""
NO_SPEAKER_MODEL = "No speaker-embedding model is on the weights allowlist."


class Embedding(Protocol):
    """Turns speech into a vector that tells speakers apart."""

    @property
    def name(self) -> str:
        """Id on the weights allowlist."""

    def embed(self, samples: Samples) -> NDArray[np.float64]:
        """(dimensions,) of mono samples at 16 kHz."""


class OnnxEmbedding:
    """An embedding model as an ONNX graph, computed on the CPU."""

    def __init__(self, name: str, path: Path) -> None:
        """
        Args:
            name: id on the weights allowlist.
            path: the checked file.
        """
        self.name, self._path = name, path

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(str(self._path), providers=["CPUExecutionProvider"])

    def embed(self, samples: Samples) -> NDArray[np.float64]:
        """See `Embedding.embed`."""
        session = self._session
        first = session.get_inputs()[0].name
        return np.asarray(session.run(None, {first: samples[None].astype(np.float32)})[0], dtype=np.float64).ravel()


def speaker_similarity(
    made: Sequence[Samples], own: Sequence[Samples], sample_rate: int, model: Embedding | str
) -> Figure:
    """Mean cosine of the synthesised sentences' embeddings to the mean embedding of the speaker's own recordings.

    Embeddings are brought to length 1 before they are averaged, as speaker verification enrols a speaker from several
    recordings (L. Wan et al., "Generalized end-to-end loss for speaker verification", 2018).

    Args:
        made: synthesised sentences.
        own: recordings of the voice's own speaker.
        sample_rate: of all of them, Hz.
        model: the embedding model, or why there is none.
    """
    if isinstance(model, str):
        return missing("speaker_similarity", model)
    if not made or not own:
        return missing("speaker_similarity", "There are no recordings of the speaker to compare with.")
    try:
        enrolled = np.mean([_unit(model, sound, sample_rate) for sound in own], axis=0)
        enrolled = enrolled / np.linalg.norm(enrolled)
        found = [float(_unit(model, sound, sample_rate) @ enrolled) for sound in made]
    except NotMeasurableError as error:
        return missing("speaker_similarity", str(error), detail=f", {model.name}")
    return figure("speaker_similarity", float(np.mean(found)), samples=len(found), detail=f", {model.name}")


def _unit(model: Embedding, sound: Samples, sample_rate: int) -> NDArray[np.float64]:
    vector = model.embed(resample(sound, sample_rate, RATE))
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0.0:
        raise NotMeasurableError("The embedding of a sound is empty or not finite.")
    return np.asarray(vector / length)
