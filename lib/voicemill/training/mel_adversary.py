"""A discriminator of mel patches, which keeps FastPitch from smoothing its mels. Imports torch at once.

The mel loss alone is lowest for the mean of all ways to speak a sentence, which is blurred. With the recording's own
durations, predicted and recorded frames belong together, so features of the discriminator can be matched frame by frame
(adversarial training of FastSpeech 2: GANSpeech, Yang et al., 2021).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

RATE = 4e-4
"""Learning rate of the discriminator."""
ADVERSARIAL_SCALE, FEATURE_SCALE = 0.1, 0.5
WINDOW = 64
"""Frames of each clip that are judged in a step."""
RAMP = 50
"""Steps in which the losses grow to their full weight."""
CHANNELS = (20, 40, 64, 64)
_PLACES = 2
"""Distinguishes the random numbers of the windows from others of the same seed and step."""


class MelDiscriminator(nn.Module):
    """Judges patches of a log-mel: (B, mels, frames) -> features of the layers and, last, the verdicts."""

    def __init__(self) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        widths = (1, *CHANNELS)
        shapes = (((5, 5), (2, 1)), ((5, 5), (2, 2)), ((3, 3), (2, 1)), ((3, 3), (1, 1)))
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(widths[i], widths[i + 1], kernel, stride, (kernel[0] // 2, kernel[1] // 2)))
            for i, (kernel, stride) in enumerate(shapes)
        )
        self.head = norm(nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, mel: torch.Tensor) -> list[torch.Tensor]:
        """Features of each layer, then verdicts: above 0 for recordings."""
        x = (mel / 4 + 1)[:, None]
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return [*features, self.head(x)]


class MelAdversary:
    """The discriminator and its optimiser.

    Attributes:
        discriminator: judges the mels.
        steps: that it has taken.
    """

    def __init__(self, seed: int) -> None:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.discriminator = MelDiscriminator()
        self.steps = 0
        self._seed = seed
        self._optimiser = torch.optim.AdamW(self.discriminator.parameters(), lr=RATE, betas=(0.8, 0.99))

    def take_step(self, predicted: torch.Tensor, recorded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Train the discriminator for a step, and judge the predicted mels by it.

        Args:
            predicted: log-mels (clips, mels, frames) with their graph, frame by frame those of the recordings.
            recorded: of the recordings, the same shape.
            lengths: (clips,), frames without padding.

        Returns:
            The loss of the predicted mels, shape (); 0 where the discriminator's own loss is not finite.
        """
        self._move(predicted.device)
        random = np.random.default_rng([self._seed, self.steps, _PLACES])
        window = min(WINDOW, int(lengths.min()))
        starts = [int(random.integers(length - window + 1)) for length in lengths.tolist()]
        ours, theirs = (
            torch.stack([mel[:, start : start + window].float() for mel, start in zip(mels, starts, strict=True)])
            for mels in (predicted, recorded)
        )
        if not self._train(theirs, ours.detach()):
            return predicted.new_zeros(())
        weight = min(1.0, self.steps / RAMP)
        adversarial, features = self._losses(theirs, ours)
        return weight * (ADVERSARIAL_SCALE * adversarial + FEATURE_SCALE * features)

    def _move(self, device: torch.device) -> None:
        """Move the discriminator, and with it the optimiser's moments, which may come from a checkpoint."""
        if next(self.discriminator.parameters()).device != device:
            moments = self._optimiser.state_dict()
            self.discriminator.to(device)
            self._optimiser.load_state_dict(moments)

    def _train(self, real: torch.Tensor, fake: torch.Tensor) -> bool:
        """Hinge loss, one step; False where it is not finite, and no weight changes."""
        loss = functional.relu(1 - self.discriminator(real)[-1]).mean()
        loss = loss + functional.relu(1 + self.discriminator(fake)[-1]).mean()
        self.steps += 1
        if not bool(torch.isfinite(loss)):
            return False
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return True

    def _losses(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Adversarial and feature-matching loss; the gradient stops at the discriminator's weights."""
        self.discriminator.requires_grad_(False)
        with torch.no_grad():
            wanted = self.discriminator(real)
        found = self.discriminator(fake)
        self.discriminator.requires_grad_(True)
        matched = [
            functional.l1_loss(ours, theirs) / theirs.abs().mean().clamp_min(1e-3)
            for ours, theirs in zip(found[:-1], wanted[:-1], strict=True)
        ]
        return functional.relu(1 - found[-1]).mean(), torch.stack(matched).mean()

    def state(self) -> dict[str, object]:
        """The state to keep in a checkpoint."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps = int(state["steps"])
