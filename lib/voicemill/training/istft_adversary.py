"""Discriminators of the iSTFT vocoder: spectrograms at three resolutions, one in a step. Imports torch at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

RATE = 4e-4
"""Learning rate of the discriminators."""
RESOLUTIONS = (512, 1024, 2048)
"""Samples in a transform, hop a quarter."""
ADVERSARIAL_SCALE, FEATURE_SCALE = 0.15, 0.5
DISCRIMINATED = 6
"""Crops of a batch that the discriminator judges: it costs more than the generator."""


class SpectralDiscriminator(nn.Module):
    """Judges patches of a compressed magnitude spectrogram at one resolution (UnivNet; Jang et al., 2021)."""

    def __init__(self, size: int, channels: int = 16) -> None:
        super().__init__()
        self.size = size
        norm = nn.utils.parametrizations.weight_norm
        widths = (1, channels, 2 * channels, 4 * channels, 4 * channels)
        shapes = (((5, 5), (3, 1)), ((5, 5), (3, 2)), ((5, 3), (3, 1)), ((3, 3), (1, 1)))
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(widths[i], widths[i + 1], kernel, stride, (kernel[0] // 2, kernel[1] // 2)))
            for i, (kernel, stride) in enumerate(shapes)
        )
        self.head = norm(nn.Conv2d(widths[-1], 1, (3, 3), 1, (1, 1)))
        self.register_buffer("window", torch.hann_window(size), persistent=False)

    def forward(self, samples: torch.Tensor, cutoff: torch.Tensor, rate: int) -> list[torch.Tensor]:
        """Features of the layers and the verdict (last) of samples (B, n); bins above `cutoff` (B,) are set to 0."""
        spectrum = torch.stft(samples, self.size, self.size // 4, window=self.window, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square() + 1e-7
        hertz = torch.arange(self.size // 2 + 1, device=samples.device) * (rate / self.size)
        x = (power.pow(0.15) * (hertz[None] < cutoff[:, None])[..., None])[:, None]
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return [*features, self.head(x)]


class Adversary:
    """The discriminators and their optimiser.

    Attributes:
        discriminators: one for each of `RESOLUTIONS`.
        optimiser: of all of them.
        steps: that they have taken since they were made.
    """

    def __init__(self, sample_rate: int, device: torch.device | str = "cpu", *, ramp: int = 300) -> None:
        """
        Args:
            sample_rate: of the samples (Hz).
            device: of the samples.
            ramp: steps in which the generator's losses grow to their full weight.
        """
        self.discriminators = nn.ModuleList(SpectralDiscriminator(size) for size in RESOLUTIONS).to(device)
        self.optimiser = torch.optim.AdamW(self.discriminators.parameters(), lr=RATE, betas=(0.8, 0.99))
        self.steps = 0
        self._sample_rate, self._ramp = sample_rate, ramp

    def take_step(
        self,
        real: torch.Tensor,
        fake: torch.Tensor,
        cutoff: torch.Tensor,
        random: np.random.Generator,
        decay: float = 1.0,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Train one of the discriminators for a step, and judge the generator by it.

        Args:
            real: recordings (B, n).
            fake: the generator's samples (B, n), with their graph.
            cutoff: (B,), Hz up to which the recordings have content.
            random: chooses the discriminator.
            decay: 0..1, scales the learning rate.

        Returns:
            The generator's loss, shape (), and the figures `discriminator`, `adversarial` and `features`.
        """
        judge = self.discriminators[int(random.integers(len(self.discriminators)))]
        real, fake, cutoff = (each[:DISCRIMINATED] for each in (real, fake, cutoff))
        learned = self._train(judge, real, fake, cutoff, decay)
        adversarial, features = self._losses(judge, real, fake, cutoff)
        weight = min(1.0, self.steps / self._ramp)
        self.steps += 1
        figures = {"discriminator": learned, "adversarial": float(adversarial.detach())}
        figures["features"] = float(features.detach())
        return weight * (ADVERSARIAL_SCALE * adversarial + FEATURE_SCALE * features), figures

    def _train(
        self, judge: nn.Module, real: torch.Tensor, fake: torch.Tensor, cutoff: torch.Tensor, decay: float
    ) -> float:
        """Hinge loss, one step of one discriminator."""
        loss = functional.relu(1 - judge(real, cutoff, self._sample_rate)[-1]).mean()
        loss = loss + functional.relu(1 + judge(fake.detach(), cutoff, self._sample_rate)[-1]).mean()
        self.optimiser.zero_grad()
        loss.backward()
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * decay
        self.optimiser.step()
        return float(loss.detach())

    def _losses(
        self, judge: nn.Module, real: torch.Tensor, fake: torch.Tensor, cutoff: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Adversarial and feature-matching loss of the generator; the gradient stops at the discriminator's weights."""
        judge.requires_grad_(False)
        with torch.no_grad():
            wanted = judge(real, cutoff, self._sample_rate)
        found = judge(fake, cutoff, self._sample_rate)
        judge.requires_grad_(True)
        matched = [
            functional.l1_loss(ours, theirs) / theirs.abs().mean().clamp_min(1e-3)
            for ours, theirs in zip(found[:-1], wanted[:-1], strict=True)
        ]
        return functional.relu(1 - found[-1]).mean(), torch.stack(matched).mean()
