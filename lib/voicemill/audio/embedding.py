"""Speaker embeddings: vectors that are close to each other for recordings of the same speaker.

A speaker-embedding model is an entry of the weights allowlist of kind `speaker`. Its first file is an ONNX graph with
one input, mono samples at 16 kHz as float32 (1, samples), and the embedding as its first output. No such model is on
the shipped allowlist: preparation then uses pitch and formants instead. The evaluation's own encoder is of kind `judge`
(`voicemill.metrics.judges`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.audio import onnx
from voicemill.audio.decode import resample
from voicemill.errors import NotMeasurableError

RATE = 16_000
"""Sample rate (Hz) of the model's input."""


@dataclass(frozen=True)
class SpeakerModel:
    """A checked embedding model.

    Attributes:
        name: id on the weights allowlist.
        path: the ONNX graph.
        sha256: of the file.
    """

    name: str
    path: Path
    sha256: str

    def embed(self, samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
        """Embedding (dimensions,) of norm 1 of mono samples (n,).

        Raises:
            NotMeasurableError: the embedding is zero or not finite.
        """
        session = onnx.session(self.path, self.sha256)
        sound = resample(samples, sample_rate, RATE)[None].astype(np.float32)
        found = session.run(None, {session.get_inputs()[0].name: sound})[0]
        vector = np.asarray(found, dtype=np.float64).ravel()
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0.0:
            raise NotMeasurableError("The embedding of a sound is empty or not finite.")
        return np.asarray(vector / length)


def centroid(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centroid of several embeddings of a speaker, of norm 1.

    Source: L. Wan et al., "Generalized end-to-end loss for speaker verification", 2018.

    Args:
        vectors: (recordings, dimensions), each of norm 1.

    Returns:
        (dimensions,)
    """
    mean = vectors.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))
