"""Distance of two speakers by the second-order statistics of their cepstra.

The distance needs no model: mel cepstra of speech frames are summarised by one Gaussian per speaker, and the distance
is the Bhattacharyya distance between two Gaussians (Kailath, 1967), a second-order statistical measure as in Bimbot,
Magrin-Chagnolleau and Mathan, "Second-order statistical measures for text-independent speaker identification", 1995.
It needs no common text.

Only 80 to 3800 Hz are used, so that the sample rate of a recording does not matter, and coefficients 1 to 12, so that
loudness does not matter. `docs/evaluation.md` has figures for five voices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from voicemill.errors import NotMeasurableError
from voicemill.metrics.spectral import MelSettings, log_mel, mel_cepstra, speech_frames

LOW_HZ, HIGH_HZ, BANDS, ORDER = 80.0, 3800.0, 30, 12
RANGE_DB = 30.0
"""Frames further below the loudest tenth are pauses or breath, which depend more on the room than on the speaker."""
MIN_FRAMES = 200
"""About 2.3 s of speech; with fewer the covariance of 12 coefficients is noise."""
LOW_SAMPLE_RATE = 8000
"""Hz; the band ends above half of a lower one."""
RIDGE = 1e-6
"""Added to the diagonal, so that a synthetic tone (no variation at all) still has an invertible covariance."""


@dataclass(frozen=True)
class SpeakerProfile:
    """One Gaussian over mel cepstra 1 to 12 of a speaker's speech frames."""

    mean: NDArray[np.float64]
    """(12,)"""
    covariance: NDArray[np.float64]
    """(12, 12)"""
    frames: int


@dataclass(frozen=True)
class CepstralSums:
    """Sums over the speech frames of some recordings, from which profiles of any group of them follow."""

    frames: int
    first: NDArray[np.float64]
    """(12,), sum of the cepstra."""
    second: NDArray[np.float64]
    """(12, 12), sum of their outer products."""


def cepstral_sums(recordings: Sequence[NDArray[np.float32]], sample_rate: int) -> CepstralSums:
    """Sums of recordings, see `speaker_profile`."""
    frames = _speech_cepstra(recordings, sample_rate)
    return CepstralSums(len(frames), frames.sum(axis=0), frames.T @ frames)


def pooled_profile(sums: Sequence[CepstralSums]) -> SpeakerProfile:
    """The profile of all recordings together; they have at least two frames."""
    count = sum(one.frames for one in sums)
    mean = np.sum([one.first for one in sums], axis=0) / count
    second = np.sum([one.second for one in sums], axis=0)
    covariance = (second - count * np.outer(mean, mean)) / (count - 1) + RIDGE * np.eye(ORDER)
    return SpeakerProfile(mean=mean, covariance=covariance, frames=count)


def speaker_profile(recordings: Sequence[NDArray[np.float32]], sample_rate: int = 22_050) -> SpeakerProfile:
    """Summarise a speaker's recordings.

    Args:
        recordings: mono sounds of one speaker, any text; each is judged against its own loudness.
        sample_rate: of all of them, Hz, at least 8000.

    Raises:
        NotMeasurableError: less than about 2.3 s of speech.
    """
    frames = _speech_cepstra(recordings, sample_rate)
    if len(frames) < MIN_FRAMES:
        raise NotMeasurableError(
            f"{len(frames)} frames of speech are too few to identify a speaker; {MIN_FRAMES} are needed.",
            hint="Give more recordings of the speaker.",
        )
    covariance = np.cov(frames, rowvar=False) + RIDGE * np.eye(ORDER)
    return SpeakerProfile(mean=frames.mean(axis=0), covariance=covariance, frames=len(frames))


def _speech_cepstra(recordings: Sequence[NDArray[np.float32]], sample_rate: int) -> NDArray[np.float64]:
    """(n, 12): mel cepstra 1 to 12 of the speech frames."""
    settings = MelSettings(sample_rate=sample_rate, n_mels=BANDS, low_hz=LOW_HZ, high_hz=HIGH_HZ)
    parts = [np.empty((0, ORDER))]
    for samples in recordings:
        mel = log_mel(samples, settings)
        parts.append(mel_cepstra(mel, ORDER)[speech_frames(mel, RANGE_DB), 1:])
    return np.concatenate(parts)


def speaker_distance(first: SpeakerProfile, second: SpeakerProfile) -> float:
    """Bhattacharyya distance of two speakers: 0 for the same statistics, symmetric, unbounded.

    1/8 d' C^-1 d + 1/2 ln(det C / sqrt(det C1 det C2)) with d the difference of the means and C the mean covariance.
    """
    pooled = (first.covariance + second.covariance) / 2.0
    difference = first.mean - second.mean
    apart = float(difference @ np.linalg.solve(pooled, difference)) / 8.0
    logs = [float(np.linalg.slogdet(matrix)[1]) for matrix in (pooled, first.covariance, second.covariance)]
    return max(0.0, apart + 0.5 * (logs[0] - 0.5 * (logs[1] + logs[2])))


class StoredProfile(BaseModel):
    """A speaker profile in a JSON file, for comparison without the recordings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    source: str
    frames: int
    mean: list[float]
    covariance: list[list[float]]

    @classmethod
    def of(cls, name: str, source: str, profile: SpeakerProfile) -> StoredProfile:
        """Round to eight significant digits: far finer than two recordings of one speaker agree."""
        return cls(
            name=name,
            source=source,
            frames=profile.frames,
            mean=[float(f"{v:.8g}") for v in profile.mean],
            covariance=[[float(f"{v:.8g}") for v in row] for row in profile.covariance],
        )

    def profile(self) -> SpeakerProfile:
        """The profile itself.

        Raises:
            NotMeasurableError: the stored arrays have the wrong shape, or the covariance is not positive definite.
        """
        mean, covariance = np.array(self.mean, dtype=np.float64), np.array(self.covariance, dtype=np.float64)
        if mean.shape != (ORDER,) or covariance.shape != (ORDER, ORDER) or np.linalg.slogdet(covariance)[0] <= 0:
            raise NotMeasurableError(
                f"The stored profile of speaker {self.name!r} is not usable.",
                reason="speaker_profile_invalid",
                hint="Create it again from recordings.",
            )
        return SpeakerProfile(mean=mean, covariance=covariance, frames=self.frames)
