"""Opinion scores that DNSMOS predicts: how listeners would rate a clip on a scale of 1 to 5.

Two models of Microsoft's: P.835 rates signal, background and the whole (C. Reddy et al., "DNSMOS P.835", ICASSP 2022),
P.808 the quality of the whole (C. Reddy et al., "DNSMOS", ICASSP 2021). Both were trained on noisy speech and on what
noise suppression makes of it; docs/evaluation.md has what they give for synthetic speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.audio import onnx
from voicemill.audio.decode import resample
from voicemill.errors import NotMeasurableError
from voicemill.weights.store import ResolvedWeights

RATE = 16_000
WINDOW = int(9.01 * RATE)
"""Samples that the models take; a shorter sound is repeated."""
STEP = 4 * RATE
"""Samples between two windows of a longer sound. Microsoft's program takes a second, which costs four times as much."""
PEAK = 0.9
"""Sounds are scaled to this peak, so that a score does not depend on the level."""
_CURVES = {
    "signal": (-0.08397278, 1.22083953, 0.0052439),
    "background": (-0.13166888, 1.60915514, -0.39604546),
    "overall": (-0.06766283, 1.11546468, 0.04602535),
}
"""Polynomials, highest power first, from the model's outputs to scores; from Microsoft's program."""


@dataclass(frozen=True)
class OpinionScores:
    """Predicted scores, 1 to 5 and a little beyond."""

    signal: float
    background: float
    overall: float
    p808: float


@dataclass(frozen=True)
class OpinionModel:
    """The two checked models.

    Attributes:
        name: id on the weights allowlist.
        rating: ONNX graph of P.835: signal, background, overall.
        quality: ONNX graph of P.808.
    """

    name: str
    rating: tuple[Path, str]
    quality: tuple[Path, str]

    @classmethod
    def of(cls, weights: ResolvedWeights) -> OpinionModel:
        """The models of an allowlist entry, whose files are listed in the order of the attributes."""
        rating, quality = ((weights.paths[item.path], item.sha256 or "") for item in weights.entry.files)
        return cls(weights.entry.id, rating, quality)

    def score(self, samples: NDArray[np.float32], sample_rate: int) -> OpinionScores:
        """Scores of mono samples (n,), mean over windows of 9 s.

        Raises:
            NotMeasurableError: the sound is empty, silent or not finite.
        """
        peak = float(np.abs(samples).max()) if len(samples) else 0.0
        if not np.isfinite(peak) or peak == 0.0:
            raise NotMeasurableError("A sound without a sample above zero has no opinion score.")
        sound = resample(samples, sample_rate, RATE)
        sound = np.resize(sound, max(len(sound), WINDOW)) * np.float32(PEAK / np.abs(sound).max())
        windows = [sound[start : start + WINDOW] for start in range(0, len(sound) - WINDOW + 1, STEP)]
        found = np.mean([self._window(window.astype(np.float32)) for window in windows], axis=0)
        return OpinionScores(*(float(value) for value in found))

    def _window(self, window: NDArray[np.float32]) -> tuple[float, float, float, float]:
        raw = onnx.session(*self.rating).run(None, {"input_1": window[None]})[0][0]
        p808 = onnx.session(*self.quality).run(None, {"input_1": _features(window[:-160])[None]})[0][0][0]
        signal, background, overall = (
            float(np.polyval(curve, value)) for curve, value in zip(_CURVES.values(), raw, strict=True)
        )
        return signal, background, overall, float(p808)


def _features(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel spectrogram of P.808, (frames, 120), 0 dB at the loudest bin, scaled to -1 to 1."""
    import librosa

    power = librosa.feature.melspectrogram(y=window, sr=RATE, n_fft=321, hop_length=160, n_mels=120)
    features: NDArray[np.float32] = ((librosa.power_to_db(power, ref=np.max) + 40) / 40).T.astype(np.float32)
    return features
