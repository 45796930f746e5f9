"""One synthesised sentence beside its recording, and copy synthesis beside all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError
from voicemill.evaluation.figures import mean_of, missing
from voicemill.evaluation.model import Figure
from voicemill.metrics.durations import duration_error
from voicemill.metrics.pitch_errors import pitch_errors
from voicemill.metrics.spectral import MelSettings, log_mel, mel_cepstral_distortion, stft_distance

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """Figures of one sentence; None where no frame carries the figure."""

    mcd: float
    f0_rmse: float | None
    gross_pitch_error: float | None
    f0_correlation: float | None
    voicing_error: float
    f0_frame_error: float
    duration_error: float
    median_f0: float | None
    """Hz, of the synthesised sound."""
    median_f0_real: float | None
    """Hz, of the recording."""


def pitch_contour(samples: Samples, sample_rate: int, pitch_range: tuple[float, float]) -> NDArray[np.float64]:
    """F0 in Hz every 256 samples (in step with the mel spectrogram), 0 where unvoiced."""
    from voicemill.audio.pitch import pyin

    pitch = pyin(samples, sample_rate=sample_rate, fmin=pitch_range[0], fmax=pitch_range[1])
    return np.where(pitch.voiced, np.nan_to_num(pitch.f0), 0.0)


def compare(real: Samples, made: Samples, *, sample_rate: int, pitch_range: tuple[float, float]) -> Comparison:
    """Compare a synthesised sentence with its recording over frames paired by dynamic time warping.

    Args:
        real: recording, mono.
        made: synthesised sound of the same text, mono.
        sample_rate: of both, Hz.
        pitch_range: lowest and highest F0 of the speaker, Hz; the same for both sounds.

    Raises:
        NotMeasurableError: one of them has no frame that can be compared.
    """
    settings = MelSettings(sample_rate=sample_rate)
    distortion = mel_cepstral_distortion(log_mel(real, settings), log_mel(made, settings))
    contours = [pitch_contour(samples, sample_rate, pitch_range) for samples in (real, made)]
    errors = pitch_errors(contours[0], contours[1], distortion.path)
    return Comparison(
        mcd=distortion.decibels,
        f0_rmse=errors.f0_rmse_cents,
        gross_pitch_error=errors.gross_pitch_error,
        f0_correlation=errors.f0_correlation,
        voicing_error=errors.voicing_decision_error,
        f0_frame_error=errors.f0_frame_error,
        duration_error=duration_error(len(real) / sample_rate, len(made) / sample_rate),
        median_f0=_median(contours[1]),
        median_f0_real=_median(contours[0]),
    )


def _median(contour: NDArray[np.float64]) -> float | None:
    voiced = contour[contour > 0]
    return float(np.median(voiced)) if len(voiced) else None


def copy_distances(
    resynthesise: Callable[[Samples], Samples] | None, recordings: Sequence[Samples], sample_rate: int
) -> dict[str, Figure]:
    """What the vocoder alone loses: recordings through their mel spectrogram and back (`copy_mcd`, `copy_stft`)."""
    kinds = ("copy_mcd", "copy_stft")
    if resynthesise is None:
        return {kind: missing(kind, "No copy synthesis was offered for this vocoder.") for kind in kinds}
    settings = MelSettings(sample_rate=sample_rate)
    mcd: list[float | None] = []
    stft: list[float | None] = []
    for recording in recordings:
        try:
            copy = np.asarray(resynthesise(recording), dtype=np.float32).reshape(-1)
            mcd.append(mel_cepstral_distortion(log_mel(recording, settings), log_mel(copy, settings)).decibels)
            stft.append(stft_distance(recording, copy))
        except NotMeasurableError:
            continue  # counted: the figure carries how many recordings it rests on
    why = "No recording could be compared with its copy."
    return {"copy_mcd": mean_of("copy_mcd", mcd, why=why), "copy_stft": mean_of("copy_stft", stft, why=why)}
