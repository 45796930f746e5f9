"""Pitch contours, and pitch errors of one utterance against another over paired frames.

A contour is float (frames,) in Hz with 0 where the frame is unvoiced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError

GROSS_ERROR = 0.2
"""A voiced frame more than 20% off is a gross error (Rabiner et al., 1976)."""
CENTS_PER_OCTAVE = 1200.0
MIN_CORRELATED = 10
"""Frames (0.1 s) below which a correlation is meaningless."""


@dataclass(frozen=True)
class PitchErrors:
    """Shares are between 0 and 1; a figure is None where no frame can be compared."""

    gross_pitch_error: float | None
    """Share of frames voiced in both whose F0 differs by more than 20%."""
    voicing_decision_error: float
    """Share of all frames voiced in one and unvoiced in the other."""
    f0_frame_error: float
    """Share of all frames with either error (Chu and Alwan, 2009)."""
    f0_rmse_cents: float | None
    """Root mean square difference in cents over frames voiced in both without a gross error."""
    f0_correlation: float | None
    """Pearson's correlation of F0 in Hz over all frames voiced in both: agreement of the intonation."""
    frames: int


def pitch_errors(reference: NDArray[np.floating], other: NDArray[np.floating], path: NDArray[np.intp]) -> PitchErrors:
    """Compare two pitch contours along a pairing of their frames.

    Args:
        reference: F0 of the real recording in Hz, (frames,), 0 where unvoiced.
        other: F0 of the synthesised sound, (other frames,), 0 where unvoiced.
        path: (steps, 2) frame indices, for example `Distortion.path`; pairs beyond the end of a contour are left out
            (a spectrogram may have one frame more than a pitch contour).

    Raises:
        NotMeasurableError: no pair is left.
    """
    path = path[(path[:, 0] < len(reference)) & (path[:, 1] < len(other))]
    if not len(path):
        raise NotMeasurableError("There is no pair of frames to compare pitch over.")
    a = np.nan_to_num(reference[path[:, 0]].astype(np.float64))
    b = np.nan_to_num(other[path[:, 1]].astype(np.float64))
    both = (a > 0) & (b > 0)
    gross = np.zeros(len(path), dtype=bool)
    gross[both] = np.abs(b[both] / a[both] - 1.0) > GROSS_ERROR
    fine = both & ~gross
    voicing = (a > 0) != (b > 0)
    cents = CENTS_PER_OCTAVE * np.log2(b[fine] / a[fine])
    return PitchErrors(
        gross_pitch_error=float(gross.sum() / both.sum()) if both.any() else None,
        voicing_decision_error=float(voicing.mean()),
        f0_frame_error=float((voicing | gross).mean()),
        f0_rmse_cents=float(np.sqrt(np.mean(cents**2))) if fine.any() else None,
        f0_correlation=_correlation(a[both], b[both]),
        frames=len(path),
    )


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson's r; None for too few frames, or where one contour is constant."""
    if len(a) < MIN_CORRELATED or min(np.ptp(a), np.ptp(b)) <= 1e-9 * max(a.max(), b.max()):
        return None
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1.0, 1.0))


def pitch_contour(
    samples: NDArray[np.float32], sample_rate: int, pitch_range: tuple[float, float]
) -> NDArray[np.float64]:
    """F0 in Hz every 256 samples (in step with the mel spectrogram), 0 where unvoiced."""
    from voicemill.audio.pitch import pyin

    pitch = pyin(samples, sample_rate=sample_rate, fmin=pitch_range[0], fmax=pitch_range[1])
    return np.where(pitch.voiced, np.nan_to_num(pitch.f0), 0.0)
