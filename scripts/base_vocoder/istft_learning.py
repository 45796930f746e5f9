"""Training steps of the iSTFT base vocoder: reconstruction, later with spectral discriminators. Imports torch at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from people import PeopleCrops, PreparedCrops
from torch import nn
from torch.nn import functional

from voicemill.files import atomic_path
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.istft_losses import SpectralLoss, pitch_loss
from voicemill.training.istft_network import IstftConfig, IstftNetwork

RATE, DISCRIMINATOR_RATE = 1e-3, 4e-4
ADVERSARIAL_RATE = 5e-4
"""The generator's rate once discriminators take part."""
AVERAGE_DECAY = 0.999
BLURRED_PART, LARGEST_BLUR = 0.3, (1.2, 1.0)
"""Part of the mels that is blurred as an acoustic model blurs them; standard deviations in bands and in frames."""
PITCH_ERROR = 0.003
"""Standard deviation of the pitch's relative error during training, as the pitch network makes it."""
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


class IstftTraining:
    """The vocoder, its discriminators, their optimisers and the moving average of the vocoder's weights."""

    def __init__(
        self, config: IstftConfig, audio: AudioConfig, crops: PeopleCrops | PreparedCrops, *, batch: int, frames: int
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.config, self.audio, self.crops, self.size, self.frames = config, audio, crops, batch, frames
        self.model = IstftNetwork(config, audio).to(self.device)
        self.discriminators = nn.ModuleList(SpectralDiscriminator(size) for size in (512, 1024, 2048)).to(self.device)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=RATE, betas=(0.8, 0.99))
        self.discriminator_optimiser = torch.optim.AdamW(
            self.discriminators.parameters(), lr=DISCRIMINATOR_RATE, betas=(0.8, 0.99)
        )
        self.average = [weight.detach().clone() for weight in self.model.parameters()]
        self.loss = SpectralLoss(audio, self.device)
        self.step, self.adversarial_steps, self.seconds = 0, 0, 0.0

    def take_step(self, *, adversarial: bool, decay: float) -> dict[str, float]:
        """Take one step and return its losses; `decay` (0..1) scales the learning rates."""
        batch = self.crops.batch(self.step, self.size, self.frames)
        real, hertz, voiced, cutoff = (
            torch.from_numpy(each).to(self.device) for each in (batch.samples, batch.hertz, batch.voiced, batch.cutoff)
        )
        random = np.random.default_rng([7, self.step])
        with torch.no_grad():
            mel = self._blurred(self.loss.log_mel(real)[..., : self.frames], random)
            errors = torch.from_numpy(random.normal(1, PITCH_ERROR, (len(hertz), 1)).astype(np.float32)).to(self.device)
            noise = self._noise(len(real))
        pitch = pitch_loss(self.model.pitch_logits(mel), self.model.pitch_hertz, hertz, voiced)
        fake = self.model.synthesise(mel, hertz * errors, noise)
        spectral = self.loss(fake, real, cutoff)
        loss = spectral + 0.2 * pitch
        figures = {"spectral": float(spectral.detach()), "pitch": float(pitch.detach())}
        rate = decay * min(1.0, (self.step + 1) / 100) * (ADVERSARIAL_RATE if adversarial else RATE)
        if adversarial:
            part = slice(0, DISCRIMINATED)
            judge = self.discriminators[int(random.integers(len(self.discriminators)))]
            figures["discriminator"] = self._step_discriminator(judge, real[part], fake[part], cutoff[part], decay)
            adversarial_loss, feature_loss = self._adversarial(judge, real[part], fake[part], cutoff[part])
            ramp = min(1.0, self.adversarial_steps / 300)
            loss = loss + ramp * (ADVERSARIAL_SCALE * adversarial_loss + FEATURE_SCALE * feature_loss)
            figures |= {"adversarial": float(adversarial_loss.detach()), "features": float(feature_loss.detach())}
            self.adversarial_steps += 1
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.step += 1
        now = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.model.parameters()), 1 - now)
        return figures

    def _step_discriminator(
        self, judge: nn.Module, real: torch.Tensor, fake: torch.Tensor, cutoff: torch.Tensor, decay: float
    ) -> float:
        """Hinge loss, one step of one discriminator."""
        rate = self.audio.sample_rate
        loss = functional.relu(1 - judge(real, cutoff, rate)[-1]).mean()
        loss = loss + functional.relu(1 + judge(fake.detach(), cutoff, rate)[-1]).mean()
        self.discriminator_optimiser.zero_grad()
        loss.backward()
        for group in self.discriminator_optimiser.param_groups:
            group["lr"] = DISCRIMINATOR_RATE * decay
        self.discriminator_optimiser.step()
        return float(loss.detach())

    def _adversarial(
        self, judge: nn.Module, real: torch.Tensor, fake: torch.Tensor, cutoff: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Adversarial and feature-matching loss of the vocoder; the gradient stops at the discriminator's weights."""
        judge.requires_grad_(False)
        with torch.no_grad():
            wanted = judge(real, cutoff, self.audio.sample_rate)
        found = judge(fake, cutoff, self.audio.sample_rate)
        judge.requires_grad_(True)
        adversarial = functional.relu(1 - found[-1]).mean()
        matched = [
            functional.l1_loss(ours, theirs) / theirs.abs().mean().clamp_min(1e-3)
            for ours, theirs in zip(found[:-1], wanted[:-1], strict=True)
        ]
        return adversarial, torch.stack(matched).mean()

    def _noise(self, size: int) -> torch.Tensor:
        """Spectrum (2, size, frames, bins) of new white noise."""
        hop = self.audio.hop_length
        generator = torch.Generator().manual_seed(self.step)
        segments = torch.randn(size, self.frames + 3, hop, generator=generator).to(self.device)
        return self.model._transform(segments)

    def _blurred(self, mel: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
        deviations = random.uniform(0, LARGEST_BLUR, (len(mel), 2)) * (random.random((len(mel), 1)) < BLURRED_PART)
        bands, frames = torch.from_numpy(deviations.T.astype(np.float32)).to(self.device)
        return _smoother(mel.shape[1], bands) @ mel @ _smoother(mel.shape[2], frames).transpose(1, 2)

    def averaged_model(self) -> IstftNetwork:
        """The vocoder with averaged weights, on the CPU."""
        model = IstftNetwork(self.config, self.audio)
        with torch.no_grad():
            for weight, average in zip(model.parameters(), self.average, strict=True):
                weight.copy_(average)
        return model.eval()

    def start_from(self, weights: IstftNetwork) -> None:
        """Begin with the weights of a finished base of the same sizes, and new optimisers."""
        self.model.load_state_dict(weights.state_dict())
        self.average = [weight.detach().clone() for weight in self.model.parameters()]

    def save(self, path: Path) -> None:
        """Save the state for a resumed run, atomically."""
        state = {
            "config": self.config.model_dump(),
            "step": self.step,
            "adversarial_steps": self.adversarial_steps,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average,
            "discriminators": self.discriminators.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.adversarial_steps = int(state["adversarial_steps"])
        self.model.load_state_dict(state["model"])
        self.average = list(state["average"])
        self.discriminators.load_state_dict(state["discriminators"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])


def _smoother(size: int, deviations: torch.Tensor) -> torch.Tensor:
    """Matrices (B, size, size) that smooth with Gaussians of these standard deviations (B,); 0 is the identity."""
    at = torch.arange(size, device=deviations.device)
    weights = torch.exp(-((at[:, None] - at) ** 2) / (2 * deviations.clamp_min(1e-2)[:, None, None] ** 2))
    return weights / weights.sum(2, keepdim=True)
