"""Training steps of the base vocoder: reconstruction alone, then with discriminators.

Imports torch at once: import it inside functions, within `nemo_runtime()`.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from nemo.collections.tts.models import HifiGanModel
from numpy.typing import NDArray
from torch.nn import functional

from voicemill.files import atomic_path
from voicemill.training.config import TrainingConfig
from voicemill.training.hifigan_model import build_hifigan
from voicemill.training.runtime import restore_hifigan

RESOLUTIONS = (512, 1024, 2048)
"""Samples in a transform, hop a quarter: the multi-resolution STFT loss of Parallel WaveGAN (Yamamoto et al., 2020)."""
RECONSTRUCTION_RATE, ADVERSARIAL_RATE = 1e-3, 2e-4
AVERAGE_DECAY = 0.998
CONTEXT_FRAMES = 2
"""Frames beside a segment, so that its outer mel frames see real neighbours instead of zeros."""
BLURRED_PART = 0.4
"""Part of the segments whose mel is blurred, as an acoustic model blurs it; the target samples are not."""
LARGEST_BLUR = (1.5, 1.2)
"""Standard deviation of that blur: in mel bands, in frames."""


class Crops(Protocol):
    """Random pieces of recordings; those of a step depend on a seed and the step only."""

    def batch(self, step: int, size: int, length: int) -> NDArray[np.float32]:
        """Float32 (size, length) in -1..1."""


class VocoderTraining:
    """A HifiGanModel with its optimisers, the moving average of its generator, and the progress of the training."""

    def __init__(self, config: TrainingConfig, crops: Crops) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model: HifiGanModel = build_hifigan(config).to(self.device).train()
        self.config, self.crops = config, crops
        self.step, self.seconds = 0, 0.0
        betas = config.vocoder.betas
        self.generator_optimiser = torch.optim.AdamW(
            self.model.generator.parameters(), lr=RECONSTRUCTION_RATE, betas=betas
        )
        discriminators = itertools.chain(self.model.msd.parameters(), self.model.mpd.parameters())
        self.discriminator_optimiser = torch.optim.AdamW(discriminators, lr=ADVERSARIAL_RATE, betas=betas)
        self.average = [weight.detach().clone() for weight in self.model.generator.parameters()]
        self._windows = {size: torch.hann_window(size, device=self.device) for size in RESOLUTIONS}

    def take_step(self, *, adversarial: bool, done: float) -> dict[str, float]:
        """Take one step and return its losses.

        Args:
            adversarial: with the discriminators.
            done: part of the time budget that is used, 0..1; learning rates decay along a cosine to a tenth.
        """
        decay = 0.1 + 0.9 * (1 + math.cos(math.pi * min(1.0, done))) / 2
        rate = (ADVERSARIAL_RATE if adversarial else RECONSTRUCTION_RATE) * decay * min(1.0, (self.step + 1) / 100)
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = rate
        audio, mel = self._batch()
        generated = self.model.generator(x=mel)
        discriminator = self._step_discriminators(audio, generated) if adversarial else {}
        spectral = self._spectral_loss(generated.squeeze(1), audio.squeeze(1))
        mel_loss = self._mel_loss(generated.squeeze(1), audio.squeeze(1))
        if adversarial:
            adversarial_loss = self._adversarial_loss(audio, generated)
            loss = adversarial_loss + mel_loss * self.config.vocoder.mel_loss_scale + spectral
            discriminator["generator"] = float(adversarial_loss)
        else:
            loss = spectral + 2 * mel_loss
        self.generator_optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.generator.parameters(), 1000.0 if adversarial else 10.0)
        self.generator_optimiser.step()
        self._average()
        self.step += 1
        return {"loss": float(loss), "spectral": float(spectral), "mel": float(mel_loss), "rate": rate} | discriminator

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Audio (B, 1, samples) and its mel spectrogram (B, n_mels, frames), samples = frames * hop."""
        vocoder, hop = self.config.vocoder, self.config.audio.hop_length
        length = (vocoder.segment_frames + 2 * CONTEXT_FRAMES) * hop
        audio = torch.from_numpy(self.crops.batch(self.step, vocoder.batch_size, length)).to(self.device)
        lengths = torch.full((len(audio),), length, device=self.device)
        mel, _ = self.model.audio_to_melspec_precessor(audio, lengths)
        mel = self._blurred(mel)
        edge = CONTEXT_FRAMES * hop
        return audio[:, None, edge:-edge], mel[:, :, CONTEXT_FRAMES:-CONTEXT_FRAMES]

    def _blurred(self, mel: torch.Tensor) -> torch.Tensor:
        random = np.random.default_rng([self.config.seed, self.step])
        deviations = random.uniform(0, LARGEST_BLUR, (len(mel), 2)) * (random.random((len(mel), 1)) < BLURRED_PART)
        bands, frames = torch.from_numpy(deviations.T.astype(np.float32)).to(self.device)
        return _smoother(mel.shape[1], bands) @ mel @ _smoother(mel.shape[2], frames).transpose(1, 2)

    def _mel_loss(self, generated: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        lengths = torch.full((len(audio),), audio.shape[1], device=self.device)
        ours, _ = self.model.trg_melspec_fn(generated, lengths)
        theirs, _ = self.model.trg_melspec_fn(audio, lengths)
        return functional.l1_loss(ours, theirs)

    def _spectral_loss(self, generated: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """Spectral convergence and log-magnitude distance, mean over the resolutions."""
        total = torch.zeros((), device=self.device)
        for size, window in self._windows.items():
            ours, theirs = (
                torch.stft(each, size, size // 4, size, window, return_complex=True).abs().clamp_min(1e-5)
                for each in (generated, audio)
            )
            convergence = torch.linalg.norm(theirs - ours) / torch.linalg.norm(theirs).clamp_min(1e-3)
            total = total + convergence + functional.l1_loss(ours.log(), theirs.log())
        return total / len(self._windows)

    def _step_discriminators(self, audio: torch.Tensor, generated: torch.Tensor) -> dict[str, float]:
        """The discriminators' half of NeMo's HifiGanModel.training_step."""
        model = self.model
        loss = torch.zeros((), device=self.device)
        for discriminator in (model.mpd, model.msd):
            real, fake, _, _ = discriminator(y=audio, y_hat=generated.detach())
            part, _, _ = model.discriminator_loss(disc_real_outputs=real, disc_generated_outputs=fake)
            loss = loss + part
        self.discriminator_optimiser.zero_grad()
        loss.backward()
        self.discriminator_optimiser.step()
        return {"discriminators": float(loss)}

    def _adversarial_loss(self, audio: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
        """The generator's half of it: adversarial and feature-matching losses."""
        model = self.model
        loss = torch.zeros((), device=self.device)
        for discriminator in (model.mpd, model.msd):
            _, fake, real_features, fake_features = discriminator(y=audio, y_hat=generated)
            part, _ = model.generator_loss(disc_outputs=fake)
            loss = loss + part + model.feature_loss(fmap_r=real_features, fmap_g=fake_features)
        return loss

    def _average(self) -> None:
        now = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.model.generator.parameters()), 1 - now)

    def averaged_model(self) -> HifiGanModel:
        """The model with the averaged generator, on the CPU, ready to save."""
        model = build_hifigan(self.config)
        model.load_state_dict(self.model.state_dict())
        with torch.no_grad():
            for weight, average in zip(model.generator.parameters(), self.average, strict=True):
                weight.copy_(average)
        return model.eval()

    def start_from(self, path: Path) -> None:
        """Begin with the weights of a finished base `.nemo`, its discriminators among them, and new optimisers."""
        self.model.load_state_dict(restore_hifigan(path).state_dict())
        self.average = [weight.detach().clone() for weight in self.model.generator.parameters()]

    def save(self, path: Path) -> None:
        """Save the state for a resumed run, atomically."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average,
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.model.load_state_dict(state["model"])
        self.average = list(state["average"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])


def _smoother(size: int, deviations: torch.Tensor) -> torch.Tensor:
    """Matrices (B, size, size) that smooth with Gaussians of these standard deviations (B,); 0 is the identity."""
    at = torch.arange(size, device=deviations.device)
    weights = torch.exp(-((at[:, None] - at) ** 2) / (2 * deviations.clamp_min(1e-2)[:, None, None] ** 2))
    return weights / weights.sum(2, keepdim=True)
