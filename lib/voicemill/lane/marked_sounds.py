"""Marks of the sounds that a lane writes into its pages."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill import files
from voicemill.bundle.contents import GRAPH
from voicemill.bundle.promote import PromotedBundle
from voicemill.settings import Settings
from voicemill_marks.origin import Origin
from voicemill_marks.signer import MarkSigner
from voicemill_marks.watermark import Watermark
from voicemill_runtime.bundle import bundle_origin
from voicemill_runtime.sound_files import marked_bytes, sound_bytes

NO_MODEL = "0" * 64
"""In place of the digest of a model that is still being trained."""


@dataclass(frozen=True)
class MarkedPlayer:
    """Makes the data URI of a synthetic sound with its watermark, comments and signed metadata.

    Attributes:
        origin: None for a voice that is unmarked by decision.
        marks: folder of the self-made key.
    """

    origin: Origin | None
    marks: Path

    def __call__(self, samples: NDArray[np.float32], rate: int) -> str:
        """The data URI of a FLAC file.

        Args:
            samples: mono, shape (samples,).
            rate: in Hz.
        """
        if self.origin is None:
            data = sound_bytes(samples, rate, ".flac")
        else:
            marked = Watermark(rate, self.origin.payload).mark(samples)
            data = marked_bytes(marked, rate, ".flac", self.origin, _signer(self.marks))
        return "data:audio/flac;base64," + base64.b64encode(data).decode("ascii")

    @classmethod
    def of_training(cls, settings: Settings, voice: str) -> MarkedPlayer:
        """For a voice that is being trained."""
        origin = None if settings.voice.unmarked else Origin(voice, NO_MODEL)
        return cls(origin, settings.workspace.marks)

    @classmethod
    def of_voice(cls, settings: Settings, voice: str, folder: Path, promoted: PromotedBundle | None) -> MarkedPlayer:
        """For a voice that has been trained.

        Args:
            settings: the environment.
            voice: profile id.
            folder: of the training, with the graph.
            promoted: its bundle; None for a voice outside the limits of its preset.
        """
        if promoted is not None:
            return cls(bundle_origin(promoted.root), settings.workspace.marks)
        graph = folder / GRAPH
        digest = files.sha256_file(graph) if graph.is_file() else NO_MODEL
        return cls(None if settings.voice.unmarked else Origin(voice, digest), settings.workspace.marks)


@functools.lru_cache(maxsize=1)
def _signer(marks: Path) -> MarkSigner:
    return MarkSigner.find(marks)
