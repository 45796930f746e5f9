"""Watermarks that `bench.py marks` compares: ours, and the ones of other packages where they are installed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voicemill_marks.detector import detect
from voicemill_marks.watermark import Watermark

Samples = npt.NDArray[np.float32]


class Scheme(Protocol):
    """A watermark under test."""

    name: str

    def mark(self, samples: Samples, rate: int, payload: bytes) -> Samples:
        """The samples with the mark; a scheme without a payload leaves it out."""

    def find(self, samples: Samples, rate: int) -> tuple[float, bool, bytes | None]:
        """The score, whether the mark is found, and the payload that is read."""


class Voicemill:
    """The watermark of this repository."""

    name = "voicemill"

    def mark(self, samples: Samples, rate: int, payload: bytes) -> Samples:
        return Watermark(rate, payload).mark(samples)

    def find(self, samples: Samples, rate: int) -> tuple[float, bool, bytes | None]:
        found = detect(samples, rate)
        return found.score, found.marked, found.payload


class Perth:
    """`resemble-perth` 1.0.1: a network with weights in its wheel. It has no payload.

    Its score is the mean of its predictions. Chatterbox, which is made by the same company, takes 0.5 as the limit.
    """

    name = "resemble-perth 1.0.1"

    def __init__(self) -> None:
        import torch
        from perth.perth_net.perth_net_implicit.perth_watermarker import (  # type: ignore[import-not-found]
            PerthImplicitWatermarker,
        )

        torch.set_num_threads(1)
        self._model: Any = PerthImplicitWatermarker()

    def mark(self, samples: Samples, rate: int, payload: bytes) -> Samples:
        marked = np.asarray(self._model.apply_watermark(samples, sample_rate=rate), dtype=np.float32)[: samples.size]
        return np.pad(marked, (0, samples.size - marked.size))

    def find(self, samples: Samples, rate: int) -> tuple[float, bool, bytes | None]:
        score = float(self._model.get_watermark(np.asarray(samples), sample_rate=rate, round=False).mean())
        return score, score >= 0.5, None


SCHEMES: dict[str, type[Scheme]] = {"voicemill": Voicemill, "perth": Perth}
