"""Training steps of the iSTFT base vocoder: reconstruction, later with spectral discriminators. Imports torch at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from people import PeopleCrops, PreparedCrops

from voicemill.files import atomic_path
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.istft_adversary import Adversary
from voicemill.training.istft_losses import SpectralLoss, pitch_loss
from voicemill.training.istft_network import IstftConfig, IstftNetwork

RATE = 1e-3
ADVERSARIAL_RATE = 5e-4
"""The generator's rate once discriminators take part."""
AVERAGE_DECAY = 0.999
BLURRED_PART, LARGEST_BLUR = 0.3, (1.2, 1.0)
"""Part of the mels that is blurred as an acoustic model blurs them; standard deviations in bands and in frames."""
PITCH_ERROR = 0.003
"""Standard deviation of the pitch's relative error during training, as the pitch network makes it."""


class IstftTraining:
    """The vocoder, its discriminators, their optimisers and the moving average of the vocoder's weights."""

    def __init__(
        self, config: IstftConfig, audio: AudioConfig, crops: PeopleCrops | PreparedCrops, *, batch: int, frames: int
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.config, self.audio, self.crops, self.size, self.frames = config, audio, crops, batch, frames
        self.model = IstftNetwork(config, audio).to(self.device)
        self.adversary = Adversary(audio.sample_rate, self.device)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=RATE, betas=(0.8, 0.99))
        self.average = [weight.detach().clone() for weight in self.model.parameters()]
        self.loss = SpectralLoss(audio, self.device)
        self.step, self.seconds = 0, 0.0

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
            judged, more = self.adversary.take_step(real, fake, cutoff, random, decay)
            loss, figures = loss + judged, figures | more
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
        model.eval()
        return model

    def start_from(self, weights: IstftNetwork) -> None:
        """Begin with the weights of a finished base of the same sizes, and new optimisers."""
        self.model.load_state_dict(weights.state_dict())
        self.average = [weight.detach().clone() for weight in self.model.parameters()]

    def save(self, path: Path) -> None:
        """Save the state for a resumed run, atomically."""
        state = {
            "config": self.config.model_dump(),
            "step": self.step,
            "adversarial_steps": self.adversary.steps,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average,
            "discriminators": self.adversary.discriminators.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "discriminator_optimiser": self.adversary.optimiser.state_dict(),
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.adversary.steps = int(state["adversarial_steps"])
        self.model.load_state_dict(state["model"])
        self.average = list(state["average"])
        self.adversary.discriminators.load_state_dict(state["discriminators"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.adversary.optimiser.load_state_dict(state["discriminator_optimiser"])


def _smoother(size: int, deviations: torch.Tensor) -> torch.Tensor:
    """Matrices (B, size, size) that smooth with Gaussians of these standard deviations (B,); 0 is the identity."""
    at = torch.arange(size, device=deviations.device)
    weights = torch.exp(-((at[:, None] - at) ** 2) / (2 * deviations.clamp_min(1e-2)[:, None, None] ** 2))
    return weights / weights.sum(2, keepdim=True)
