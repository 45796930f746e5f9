"""Quality of one clip: peak, clipping, signal-to-noise ratio, bandwidth, and silence at the edges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.audio.level_envelope import FLOOR_DB, FRAME_SECONDS, frame_levels

SNR_CEILING_DB = 100.0
"""Higher ratios are within float rounding."""
_CLIP_LEVEL = 0.999
_CLIP_RUN = 2
_EDGE_ABOVE_NOISE_DB = 10.0
_EDGE_BELOW_SPEECH_DB = 40.0
_BAND_HZ = 100.0
_MOMENT = 5
"""Frames averaged (10 ms apart), so that random peaks do not lift a band of noise above its mean."""
_BAND_ABOVE_DB, _BAND_BELOW_DB = 10.0, 70.0


@dataclass(frozen=True)
class ClipQuality:
    """Measured on one mono clip.

    Attributes:
        peak_dbfs: highest sample (dBFS).
        clipped_share: share (0 to 1) of samples in runs of two or more at the clip's maximum, if that is at least
            0.999.
        snr_db: mean power of the speech, its short pauses included, against the power of the noise, in dB; the noise is
            the level of the quiet frames (5th percentile). Too high for a clip faded to digital silence (at most 100),
            too low for a clip without pauses.
        loudness_dbfs: RMS level over the frames with speech (dBFS).
        leading_silence: seconds before the first frame above the noise.
        trailing_silence: seconds after the last one.
        bandwidth_hz: upper edge of the highest 100 Hz band with speech: its loudest 3% of 50 ms are 10 dB above the
            clip's quietest eighth and less than 70 dB below the strongest band. Telephone speech ends near 3400.
    """

    peak_dbfs: float
    clipped_share: float
    snr_db: float
    loudness_dbfs: float
    leading_silence: float
    trailing_silence: float
    bandwidth_hz: float = 0.0


def measure(samples: npt.NDArray[np.float32], rate: int) -> ClipQuality:
    """Measure one clip.

    Args:
        samples: mono samples (n,), full scale 1.0; must be finite.
        rate: sample rate (Hz).

    Returns:
        Finite values, also for an empty or silent clip (levels of -120 dBFS, all of it leading silence).
    """
    seconds = len(samples) / rate
    levels = frame_levels(samples, rate)
    if levels.size == 0 or float(levels.max()) <= FLOOR_DB:
        return ClipQuality(FLOOR_DB, 0.0, 0.0, FLOOR_DB, seconds, seconds)
    noise, speech = (float(value) for value in np.percentile(levels, (5.0, 90.0)))
    threshold = max(min(noise + _EDGE_ABOVE_NOISE_DB, speech - 3.0), speech - _EDGE_BELOW_SPEECH_DB)
    active = np.flatnonzero(levels > threshold)
    hop = max(1, round(FRAME_SECONDS * rate)) / rate
    leading = float(active[0]) * hop if active.size else seconds
    trailing = max(0.0, seconds - float(active[-1] + 1) * hop) if active.size else seconds
    power = 10.0 ** (levels[active] / 10.0) if active.size else np.array([1e-12])
    return ClipQuality(
        peak_dbfs=decibels(float(np.max(np.abs(samples)))),
        clipped_share=clipped_share(samples),
        snr_db=_ratio_db(levels[active[0] : active[-1] + 1] if active.size else levels, noise),
        loudness_dbfs=10.0 * math.log10(float(power.mean())),
        leading_silence=leading,
        trailing_silence=trailing,
        bandwidth_hz=bandwidth(samples, rate),
    )


def _ratio_db(levels: npt.NDArray[np.float64], noise: float) -> float:
    """Ratio of speech to noise, 0 to 100 dB, from the levels of the frames of both together and that of the noise."""
    floor = 10.0 ** (noise / 10.0)
    speech = max(float(np.mean(10.0 ** (levels / 10.0))) - floor, 0.0)
    return float(np.clip(10.0 * math.log10(max(speech / floor, 1.0)), 0.0, SNR_CEILING_DB))


def bandwidth(samples: npt.NDArray[np.float32], rate: int) -> float:
    """See `ClipQuality.bandwidth_hz`; 0 if no band is above its noise."""
    size = round(rate / _BAND_HZ / 2) * 4  # bins of 50 Hz, two per band
    if len(samples) < 2 * size:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2] * np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))[:, : size // 2]
    bands = power.reshape(len(power), -1, 2).sum(axis=2)
    # fricatives are short and weak, so each band is measured in its own loudest frames, the noise in the quietest
    silent = np.argsort(power.sum(axis=1))[: max(1, len(power) // 8)]
    moments = np.lib.stride_tricks.sliding_window_view(bands, min(_MOMENT, len(bands)), axis=0).mean(axis=-1)
    loud = 10.0 * np.log10(np.percentile(moments, 97.0, axis=0) + 1e-14)
    quiet = 10.0 * np.log10(bands[silent].mean(axis=0) + 1e-14)
    carries = np.flatnonzero((loud - quiet >= _BAND_ABOVE_DB) & (loud >= loud.max() - _BAND_BELOW_DB))
    return float((carries[-1] + 1) * rate / size * 2) if carries.size else 0.0


def decibels(amplitude: float) -> float:
    """An amplitude (full scale 1.0) in dBFS, at least -120."""
    return 20.0 * math.log10(max(amplitude, 10.0 ** (FLOOR_DB / 20.0)))


def clipped_share(samples: npt.NDArray[np.float32]) -> float:
    """Share of samples in clipped runs; a single sample at full scale is a peak."""
    magnitude = np.abs(samples)
    flat = magnitude >= max(_CLIP_LEVEL, float(magnitude.max()) * _CLIP_LEVEL)
    if not flat.any():
        return 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flat, [False])).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= _CLIP_RUN].sum() / len(samples))
