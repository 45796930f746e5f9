"""One HTML file that shows and plays a trained voice: players, plots, tables, licences.

It is self-contained: sound, pictures, style and script lie in the file, and a content security policy forbids it to
load anything else. It opens from a disk, a mail attachment or a build server alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill import files
from voicemill.evaluation.candidates import Reference
from voicemill.evaluation.model import Evaluation

TEMPLATE = Path(__file__).with_name("report.html.j2")


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


def render_report(data: ReportData) -> str:
    """The report as one HTML document."""
    from voicemill.evaluation.page import render
    from voicemill.evaluation.view import report_view

    return render(TEMPLATE, view=report_view(data))


def write_report(path: Path, data: ReportData) -> int:
    """Write the report atomically and return its size in bytes.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    document = render_report(data).encode("utf-8")
    files.write_bytes(path, document)
    return len(document)
