"""A FastPitch of many speakers, its training, and its export as a FastPitch of one.

Imports torch and NeMo at once: import it inside functions, within `nemo_runtime()`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from speakers import SpeakerBatches, SpeakerClips
from torch import nn

from voicemill.files import atomic_path
from voicemill.training.batches import MicroBatch
from voicemill.training.config import TrainingConfig
from voicemill.training.fastpitch_model import build_fastpitch, write_nemo_lexicon
from voicemill.training.fastpitch_module import AcousticModule
from voicemill.training.fastpitch_weights import write_base
from voicemill.training.mel_adversary import MelAdversary

WARMUP_STEPS, FINAL_RATIO = 200, 0.02
AVERAGE_DECAY = 0.999
"""Of the moving average of the weights, which is exported."""
RECENT = 200
"""Steps whose mean losses are logged."""


class BaseTraining:
    """One training of a base, with a discriminator of its mels where the preset has one.

    Attributes:
        batches: of all speakers.
        step: steps taken.
        seconds: time taken, kept in checkpoints for the caller.
    """

    def __init__(self, config: TrainingConfig, speakers: Sequence[SpeakerClips], folder: Path) -> None:
        self._config, self._speakers = config, speakers
        write_nemo_lexicon(folder / "lexicon.dict", folder / "lexicon.cmudict")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = build_fastpitch(config, speakers[0].pitch, folder / "lexicon.cmudict").to(self._device).eval()
        self._module = AcousticModule(self._model, config.acoustic, seed=config.seed)
        self._module.adversary = MelAdversary(config.seed) if config.acoustic.adversarial else None
        self.batches = SpeakerBatches(
            self._model, speakers, config.audio, size=config.acoustic.batch_size, seed=config.seed
        )
        self._mean_log_mel = self.batches.mean_log_mel()
        with torch.no_grad():
            self._model.fastpitch.proj.bias.copy_(self._mean_log_mel)
        self._symbol_vectors, self._pitch_vectors = (
            nn.Embedding.from_pretrained(torch.zeros(len(speakers), config.acoustic.width), freeze=False).to(
                self._device
            )
            for _ in range(2)
        )
        self._chosen = torch.zeros(0, dtype=torch.long, device=self._device)
        fastpitch = self._model.fastpitch
        fastpitch.encoder.word_emb.register_forward_hook(self._add_to_symbols)
        fastpitch.pitch_emb.register_forward_hook(self._add_to_pitch)
        self._weights = [
            *self._module.trained_parameters(),
            *self._symbol_vectors.parameters(),
            *self._pitch_vectors.parameters(),
        ]
        rate = config.acoustic.optimiser.learning_rate
        self._optimiser = torch.optim.AdamW(self._weights, lr=rate, betas=(0.9, 0.98), weight_decay=1e-6)
        self._average = [weight.detach().clone() for weight in self._weights]
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=RECENT)
        self.step, self.seconds = 0, 0.0

    def _add_to_symbols(self, module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        symbols = (inputs[0] != self._model.vocab.pad)[..., None]
        return output + self._symbol_vectors(self._chosen)[:, None] * symbols

    def _add_to_pitch(self, module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        return output + self._pitch_vectors(self._chosen)[:, :, None]

    def take_step(self, done: float) -> None:
        """Take one step.

        Args:
            done: part of the training that is done, 0..1; it sets the learning rate.
        """
        falling = FINAL_RATIO + (1 - FINAL_RATIO) * (1 + math.cos(math.pi * done)) / 2
        for group in self._optimiser.param_groups:
            rate = self._config.acoustic.optimiser.learning_rate
            group["lr"] = rate * falling * min(1.0, (self.step + 1) / WARMUP_STEPS)
        batch, chosen = self.batches.batch(self.step)
        self._chosen = chosen.to(self._device)
        self._model.train()
        losses = self._module.losses(MicroBatch(batch.to(self._device)))
        self._optimiser.zero_grad()
        losses.total.backward()
        nn.utils.clip_grad_norm_(self._weights, self._config.acoustic.optimiser.gradient_clip)
        self._optimiser.step()
        self._model.eval()  # the examples are made in evaluation mode
        self.step += 1
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._average, [weight.detach() for weight in self._weights], 1 - decay)
        losses = losses.detached()
        self._recent.append((float(losses.mel), float(losses.duration), float(losses.pitch)))

    def mean_losses(self) -> dict[str, float]:
        """Mean losses of the recent steps."""
        means = (sum(column) / len(column) for column in zip(*self._recent, strict=True))
        return {name: round(mean, 4) for name, mean in zip(("mel", "duration", "pitch"), means, strict=True)}

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically."""
        state = {
            "weights": [weight.detach() for weight in self._weights],
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "adversary": None if self._module.adversary is None else self._module.adversary.state(),
            "speakers": [speaker.name for speaker in self._speakers],
            "step": self.step,
            "seconds": self.seconds,
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same speakers.

        Raises:
            ValueError: it is of other speakers.
        """
        state: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        if state["speakers"] != [speaker.name for speaker in self._speakers]:
            raise ValueError(f"{path} is the checkpoint of other speakers.")
        with torch.no_grad():
            for weights, saved in ((self._weights, state["weights"]), (self._average, state["average"])):
                for weight, value in zip(weights, saved, strict=True):
                    weight.copy_(value)
        self._optimiser.load_state_dict(state["optimiser"])
        if self._module.adversary is not None and state["adversary"] is not None:
            self._module.adversary.restore(state["adversary"])
        self.step, self.seconds = state["step"], state["seconds"]

    def export(self, path: Path) -> None:
        """Write the averaged weights as a base of one speaker, who has the mean of the speakers' vectors."""
        fastpitch = self._model.fastpitch
        with torch.no_grad():
            for weight, value in zip(self._weights, self._average, strict=True):
                weight.copy_(value)
            symbols = fastpitch.encoder.word_emb.weight
            padding = symbols[self._model.vocab.pad].clone()
            symbols += self._symbol_vectors.weight.mean(0)
            symbols[self._model.vocab.pad] = padding
            fastpitch.pitch_emb.bias += self._pitch_vectors.weight.mean(0)
        origin = {
            "speakers": " ".join(speaker.name for speaker in self._speakers),
            "minutes_of_audio": f"{self.batches.minutes:.1f}",
            "steps": str(self.step),
            "cpu_minutes": f"{self.seconds / 60:.1f}",
        }
        adversary = self._module.adversary
        discriminator = None if adversary is None else adversary.discriminator
        config = self._config
        write_base(self._model, config.acoustic, config.audio, self._mean_log_mel, path, origin, discriminator)
