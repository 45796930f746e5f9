"""The Lightning side of acoustic training. Imports torch and Lightning at once: import it inside functions, within
`guests()`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from lightning.pytorch import LightningModule
from nemo.collections.tts.models import FastPitchModel

from voicemill.errors import TrainingError
from voicemill.training.config import AcousticConfig, OptimiserConfig
from voicemill.training.data import Batch, BatchPlan, collate
from voicemill.training.examples import ExampleSource


@dataclass(frozen=True)
class Losses:
    """The parts of one step's loss; `total` is what is minimised."""

    total: torch.Tensor
    mel: torch.Tensor
    duration: torch.Tensor
    pitch: torch.Tensor


def learning_rate(optimiser: OptimiserConfig, step: int, max_steps: int) -> float:
    """Rate of step `step` (from 0).

    `noam` is what NeMo's NoamAnnealing with `d_model: 1` really gives: rate * min(n^-0.5, n * warmup^-1.5), so that a
    rate of
    1e-3 with 1000 warm-up steps peaks at 3e-5.
    """
    number = step + 1
    warmup = optimiser.warmup_steps
    if optimiser.schedule == "noam":
        return optimiser.learning_rate * min(1.0 / math.sqrt(number), number / math.sqrt(max(1, warmup) ** 3))
    if number <= warmup:
        return optimiser.learning_rate * number / warmup
    if optimiser.schedule == "constant":
        return optimiser.learning_rate
    done = min(1.0, (number - warmup) / max(1, max_steps - warmup))
    left = (1 + math.cos(math.pi * done)) / 2 if optimiser.schedule == "cosine" else 1 - done
    return optimiser.learning_rate * (optimiser.final_ratio + (1 - optimiser.final_ratio) * left)


class StepBatches:
    """The batches of steps `first`..`last - 1`, of this process's share when several train together."""

    def __init__(
        self, source: ExampleSource, plan: BatchPlan, first: int, last: int, padding: int, rank: int = 0, world: int = 1
    ) -> None:
        self._source, self._plan, self._steps, self._padding = source, plan, range(first, last), padding
        self._rank, self._world = rank, world

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Batch]:
        for step in self._steps:
            indices = self._plan.batch(step)
            mine = indices[self._rank :: self._world] or indices[:1]
            yield collate([self._source[index] for index in mine], self._padding)


class AcousticTask(LightningModule):  # type: ignore[misc]  # Lightning is not typed here
    """Teaches a FastPitchModel. Composition instead of a subclass, so that what is saved is NeMo's own class.

    Everything random in step `n` is seeded by (seed, n), and the rate is a function of `n`: a checkpoint needs weights,
    optimiser state and the step, no more.
    """

    def __init__(self, model: FastPitchModel, acoustic: AcousticConfig, *, seed: int, first_step: int) -> None:
        super().__init__()
        self.model = model
        self.acoustic = acoustic
        self.seed_base = seed
        self.step = first_step
        self.optimiser_state: dict[str, object] | None = None
        self.average: list[torch.Tensor] | None = None
        self.last_losses: Losses | None = None
        if acoustic.alignment == "durations":
            model.aligner.requires_grad_(requires_grad=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimiser = self.acoustic.optimiser
        return torch.optim.AdamW(
            self.trained_parameters(),
            lr=optimiser.learning_rate,
            betas=optimiser.betas,
            weight_decay=optimiser.weight_decay,
            fused=True,
        )

    def trained_parameters(self) -> list[torch.nn.Parameter]:
        """All weights, but for the aligner's where nothing teaches it."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def on_train_start(self) -> None:
        if self.optimiser_state is not None:
            self.trainer.optimizers[0].load_state_dict(self.optimiser_state)
            self.optimiser_state = None

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        torch.manual_seed(self.seed_base * 1_000_003 + self.step)
        rate = learning_rate(self.acoustic.optimiser, self.step, self.acoustic.max_steps)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        losses = self.losses(batch)
        if not torch.isfinite(losses.total):
            raise TrainingError(
                f"The loss became {float(losses.total)} at step {self.step + 1}.",
                reason=f"non_finite_loss:step={self.step + 1}",
                hint="Lower acoustic.optimiser.learning_rate, or look for broken clips.",
            )
        self.last_losses = losses
        return losses.total

    def losses(self, batch: Batch) -> Losses:
        """Loss of one batch through NeMo's own forward pass and loss functions."""
        if batch.durations is not None:
            return self._losses_with_durations(batch)
        return self._losses_with_aligner(batch)

    def _losses_with_durations(self, batch: Batch) -> Losses:
        model = self.model
        mel, _, _, log_durations, pitch, *_ = model(text=batch.tokens, durs=batch.durations, pitch=batch.pitch)
        return self._sum(batch, mel, log_durations, batch.durations, pitch, batch.pitch)

    def _losses_with_aligner(self, batch: Batch) -> Losses:
        model = self.model
        mel, _, _, log_durations, pitch, soft, log_probability, hard, durations, pitch_target, *_ = model(
            text=batch.tokens,
            pitch=batch.pitch,
            spec=batch.mels,
            attn_prior=batch.prior,
            mel_lens=batch.mel_lengths,
            input_lens=batch.token_lengths,
        )
        losses = self._sum(batch, mel, log_durations, durations, pitch, pitch_target)
        forward_sum = model.forward_sum_loss_fn(
            attn_logprob=log_probability, in_lens=batch.token_lengths, out_lens=batch.mel_lengths
        )
        # NeMo counts this warm-up in epochs, so that a short run would never make its alignment binary.
        weight = min(1.0, self.step / (self.acoustic.bin_loss_warmup * self.acoustic.max_steps))
        binary = model.bin_loss_fn(hard_attention=hard, soft_attention=soft) * weight
        return Losses(losses.total + forward_sum + binary, losses.mel, losses.duration, losses.pitch)

    def _sum(
        self,
        batch: Batch,
        mel: torch.Tensor,
        log_durations: torch.Tensor,
        durations: torch.Tensor | None,
        pitch: torch.Tensor,
        pitch_target: torch.Tensor,
    ) -> Losses:
        model = self.model
        mel_loss = model.mel_loss_fn(spect_predicted=mel, spect_tgt=batch.mels)
        duration_loss = model.duration_loss_fn(
            log_durs_predicted=log_durations, durs_tgt=durations, len=batch.token_lengths
        )
        pitch_loss = model.pitch_loss_fn(pitch_predicted=pitch, pitch_tgt=pitch_target, len=batch.token_lengths)
        return Losses(mel_loss + duration_loss + pitch_loss, mel_loss, duration_loss, pitch_loss)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def after_step(self) -> Losses:
        """Count the step, move the average towards the new weights, and tell the step's losses."""
        if self.last_losses is None:
            raise RuntimeError("no step was taken")
        self.step += 1
        self._move_average()
        return self.last_losses

    def _move_average(self) -> None:
        decay = self.acoustic.average_decay
        if decay == 0:
            return
        weights = [parameter.detach() for parameter in self.trained_parameters()]
        if self.average is None:
            self.average = [weight.clone() for weight in weights]
        # A young average must not remember the random start: (1 + n) / (10 + n) as in TensorFlow's
        # ExponentialMovingAverage.
        now = min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, weights, 1 - now)

    def use_average(self) -> None:
        """Put the averaged weights, if any, in place of the last ones."""
        if self.average is None:
            return
        with torch.no_grad():
            for parameter, value in zip(self.trained_parameters(), self.average, strict=True):
                parameter.copy_(value)
