"""Vocoders: log-mel of shape (mels, frames) -> samples in -1..1 of shape (frames * hop,)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import TrainingError
from voicemill.synthesis.griffin_lim import griffin_lim
from voicemill.synthesis.mel import AudioConfig

if TYPE_CHECKING:
    from nemo.collections.tts.models import HifiGanModel
    from torch import nn


class Vocoder(Protocol):
    """Turns the mel spectrograms of an acoustic model into sound."""

    @property
    def name(self) -> Literal["griffin_lim", "hifigan", "istft"]:
        """As it appears in reports."""

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames)."""


@dataclass(frozen=True)
class GriffinLimVocoder:
    """Fast Griffin-Lim with a fixed number of iterations; needs no trained weights."""

    audio: AudioConfig
    iterations: int = 60
    name: Literal["griffin_lim"] = "griffin_lim"

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames)."""
        return griffin_lim(mel, self.audio, iterations=self.iterations)


@dataclass(frozen=True)
class HifiganVocoder:
    """NeMo's HiFi-GAN."""

    model: HifiGanModel
    audio: AudioConfig
    name: Literal["hifigan"] = "hifigan"

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames).

        Raises:
            TrainingError: `synthesis_non_finite`: the samples are not finite.
        """
        import torch

        from voicemill.weights.nemo_runtime import nemo_runtime

        with nemo_runtime(), torch.no_grad():
            spectrogram = torch.from_numpy(mel)[None].to(self.model.device)
            samples: NDArray[np.float32] = (
                self.model.convert_spectrogram_to_audio(spec=spectrogram)[0].float().cpu().numpy()
            )
        if not np.isfinite(samples).all():
            raise TrainingError(
                "The vocoder produced samples that are not finite.",
                reason="synthesis_non_finite",
                hint="Use Griffin-Lim.",
            )
        # HiFi-GAN's frame t covers samples [t * hop, (t + 1) * hop); FastPitch's is centred on sample t * hop.
        # Without the shift the sound would be half a hop (5.8 ms) late.
        half = self.audio.hop_length // 2
        return np.pad(np.clip(samples, -1.0, 1.0)[half:], (0, half))


@dataclass(frozen=True)
class IstftVocoder:
    """Pulses and noise, filtered at the frame rate: the vocoder of the runtime, which NeMo does not know.

    Attributes:
        network: an IstftNetwork of `voicemill.training`: log-mel (B, mels, frames) -> samples (B, frames * hop).
    """

    network: nn.Module
    name: Literal["istft"] = "istft"

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples in -1..1, shape (frames * hop,), of a log-mel of shape (mels, frames).

        Raises:
            TrainingError: `synthesis_non_finite`: the samples are not finite.
        """
        import torch

        with torch.no_grad():
            samples: NDArray[np.float32] = self.network(torch.from_numpy(mel)[None])[0].numpy()
        if not np.isfinite(samples).all():
            raise TrainingError(
                "The vocoder produced samples that are not finite.",
                reason="synthesis_non_finite",
                hint="Use Griffin-Lim.",
            )
        return np.clip(samples, -1.0, 1.0)
