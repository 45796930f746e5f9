"""What a report is made of: the evaluation, the sounds, how the voice was made, and the small print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voicemill.evaluation.candidates import Reference
from voicemill.evaluation.model import Evaluation


@dataclass(frozen=True)
class LossCurve:
    """One training curve. Curves of one group share a chart."""

    group: str
    """Title of the chart: `FastPitch`, `HiFi-GAN`."""
    name: str
    steps: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Licence:
    """Something third-party that the voice is made of or was made with."""

    name: str
    licence: str
    attribution: str
    address: str = ""
    """Shown as text, not as a link: the report points nowhere."""


@dataclass(frozen=True)
class ReportData:
    """All that the report shows. Rows are (label, value) pairs, shown as they are."""

    display_name: str
    voice: str
    created_at: str
    """RFC 3339."""
    evaluation: Evaluation
    # sound
    sample_rate: int = 22_050
    references: Sequence[Reference] = ()
    spoken: Mapping[str, Mapping[str, NDArray[np.float32]]] = field(default_factory=dict)
    """`VoiceEvaluation.spoken`: vocoder -> sentence id -> samples."""
    trials: Sequence[NDArray[np.float32]] = ()
    """`VoiceEvaluation.trials`: the test sentences, in step with `evaluation.trials`."""
    pitch_range: tuple[float, float] | None = None
    """Hz; pitch charts are left out without it."""
    # how it was made
    curves: Sequence[LossCurve] = ()
    clip_seconds: Sequence[float] = ()
    dataset: Sequence[tuple[str, str]] = ()
    training: Sequence[tuple[str, str]] = ()
    stage_seconds: Sequence[tuple[str, float]] = ()
    # small print
    licences: Sequence[Licence] = ()
    provenance: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
