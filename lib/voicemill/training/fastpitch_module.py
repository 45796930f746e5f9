"""Training steps of FastPitch: losses, learning-rate schedule, batches, moving average of the weights.

Imports torch and Lightning at once: import it inside functions, within `nemo_runtime()`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from nemo.collections.tts.models import FastPitchModel

from voicemill.training import ranks
from voicemill.training.batches import Batch, BatchPlan, MicroBatch, collate, split_batch
from voicemill.training.checkpoint import StepReport
from voicemill.training.config import AcousticConfig, OptimiserConfig
from voicemill.training.examples import ExampleSource
from voicemill.training.manual_optimisation import ManualOptimisation
from voicemill.training.mel_adversary import MelAdversary


@dataclass(frozen=True)
class Losses:
    """The losses of one step; `total` is minimised."""

    total: torch.Tensor
    mel: torch.Tensor
    duration: torch.Tensor
    pitch: torch.Tensor

    def plus(self, other: Losses) -> Losses:
        """The sum of the losses of two micro-batches, without their graphs."""
        return Losses(*(getattr(self, name) + getattr(other, name).detach() for name in vars(self)))

    def averaged(self) -> Losses:
        """The mean over the processes that train together."""
        return Losses(*ranks.average(list(vars(self).values())))

    def detached(self) -> Losses:
        """The same values without the autograd graph, which holds the memory of a step."""
        return Losses(*(each.detach() for each in vars(self).values()))


def learning_rate(optimiser: OptimiserConfig, step: int, max_steps: int) -> float:
    """Learning rate of step `step` (from 0).

    `noam` is NeMo's NoamAnnealing with `d_model: 1`: rate * min(n^-0.5, n * warmup^-1.5). A rate of 1e-3 with 1000
    warm-up steps therefore peaks at 3e-5.
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
    """The batches of some steps; each of several training processes gets its share of a batch.

    Args:
        source: makes the examples.
        plan: the clips of each step.
        steps: numbers of the steps, from 0.
    """

    def __init__(self, source: ExampleSource, plan: BatchPlan, steps: range) -> None:
        self._source, self._plan, self._steps = source, plan, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Batch]:
        for step in self._steps:
            indices = self._plan.batch(step)
            yield collate([self._source[index] for index in ranks.share(indices)], self._source.model.vocab.pad)


class AcousticModule(ManualOptimisation):
    """Trains a FastPitchModel.

    Attributes:
        average: moving average of the trained weights; None if none is kept.
        adversary: a discriminator of the mels, whose loss is added to the total; None: none.
        forward_pass: the model's forward pass; it may be compiled (`training.speedups`).
    """

    model: FastPitchModel

    def __init__(self, model: FastPitchModel, acoustic: AcousticConfig, *, seed: int) -> None:
        super().__init__(
            model,
            seed=seed,
            max_steps=acoustic.max_steps,
            hint="Lower acoustic.optimiser.learning_rate, or look for broken clips.",
        )
        self.acoustic = acoustic
        self.average: list[torch.Tensor] | None = None
        self.adversary: MelAdversary | None = None
        self._losses: Losses | None = None
        self._rate = 0.0
        self._frames = 0
        self.forward_pass: Callable[..., Any] = self._forward_pass
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
        """All weights, except the aligner's in alignment mode `durations`."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def state(self) -> dict[str, object]:
        adversary = None if self.adversary is None else self.adversary.state()
        return super().state() | {"average": self.average, "adversary": adversary}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.average = state["average"]
        if self.adversary is not None:
            self.adversary.restore(state["adversary"])

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        self._rate = self.set_rate(learning_rate(self.acoustic.optimiser, self.step, self.max_steps))
        accumulated: list[Losses] = []

        def accumulate_gradients(micro_batch: MicroBatch) -> None:
            losses = self.losses(micro_batch)
            self.manual_backward(losses.total)
            accumulated.append(losses.detached())

        self.in_micro_batches(batch, split_batch, accumulate_gradients, accumulated.clear)
        losses = accumulated[0]
        for more in accumulated[1:]:
            losses = losses.plus(more)
        losses = losses.averaged()
        optimiser = self.acoustic.optimiser
        stepped = self.update(self.optimizers(), losses.total, optimiser.gradient_clip)
        self.step += 1
        self._losses, self._frames = losses if stepped else None, int(batch.mel_lengths.sum()) * ranks.world()
        if stepped:
            self._move_average()
        else:
            self.note(self.recovery.skip(self.step, float(losses.total), last=self.step == self.max_steps))

    def report(self, seconds: float) -> StepReport | None:
        losses = self._losses
        if losses is None:
            return None
        return StepReport(
            step=self.step,
            max_steps=self.max_steps,
            loss=float(losses.total),
            mel_loss=float(losses.mel),
            duration_loss=float(losses.duration),
            pitch_loss=float(losses.pitch),
            learning_rate=self._rate,
            seconds=seconds,
            frames=self._frames,
        )

    def losses(self, micro_batch: MicroBatch) -> Losses:
        """Weighted losses of a micro-batch, from NeMo's own forward pass and loss functions."""
        if micro_batch.batch.durations is not None:
            return self._losses_with_durations(micro_batch)
        return self._losses_with_aligner(micro_batch)

    def _forward_pass(self, **inputs: object) -> Any:
        return self.model(**inputs)

    def _losses_with_durations(self, micro_batch: MicroBatch) -> Losses:
        batch = micro_batch.batch
        mel, _, _, log_durations, pitch, *_ = self.forward_pass(
            text=batch.tokens, durs=batch.durations, pitch=batch.pitch
        )
        losses = self._sum(micro_batch, (mel, log_durations, pitch), batch.durations, batch.pitch)
        if self.adversary is None:
            return losses
        judged = self.adversary.take_step(mel, batch.mels, batch.mel_lengths) * micro_batch.values
        return dataclasses.replace(losses, total=losses.total + judged)

    def _losses_with_aligner(self, micro_batch: MicroBatch) -> Losses:
        model, batch = self.model, micro_batch.batch
        mel, _, _, log_durations, pitch, soft, log_probability, hard, durations, pitch_target, *_ = self.forward_pass(
            text=batch.tokens,
            pitch=batch.pitch,
            spec=batch.mels,
            attn_prior=batch.prior,
            mel_lens=batch.mel_lengths,
            input_lens=batch.token_lengths,
        )
        losses = self._sum(micro_batch, (mel, log_durations, pitch), durations, pitch_target)
        forward_sum = model.forward_sum_loss_fn(
            attn_logprob=log_probability, in_lens=batch.token_lengths, out_lens=batch.mel_lengths
        )
        # NeMo counts this warm-up in epochs: in a short run the alignment would never become binary.
        weight = min(1.0, self.step / (self.acoustic.bin_loss_warmup * self.max_steps))
        binary = model.bin_loss_fn(hard_attention=hard, soft_attention=soft) * weight
        total = losses.total + forward_sum * micro_batch.clips + binary * micro_batch.frames
        return Losses(total, losses.mel, losses.duration, losses.pitch)

    def _sum(
        self,
        micro_batch: MicroBatch,
        predicted: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        durations: torch.Tensor | None,
        pitch_target: torch.Tensor,
    ) -> Losses:
        """Weighted losses of the predicted mel, log durations and pitch."""
        mel, log_durations, pitch = predicted
        model, batch = self.model, micro_batch.batch
        mel_loss = model.mel_loss_fn(spect_predicted=mel, spect_tgt=batch.mels) * micro_batch.values
        duration_loss = model.duration_loss_fn(
            log_durs_predicted=log_durations, durs_tgt=durations, len=batch.token_lengths
        )
        pitch_loss = model.pitch_loss_fn(pitch_predicted=pitch, pitch_tgt=pitch_target, len=batch.token_lengths)
        duration_loss, pitch_loss = duration_loss * micro_batch.tokens, pitch_loss * micro_batch.tokens
        return Losses(mel_loss + duration_loss + pitch_loss, mel_loss, duration_loss, pitch_loss)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def _move_average(self) -> None:
        decay = self.acoustic.average_decay
        if decay == 0:
            return
        weights = [parameter.detach() for parameter in self.trained_parameters()]
        if self.average is None:
            self.average = [weight.clone() for weight in weights]
        # The first steps must not average in the random start: (1 + n) / (10 + n) as in TensorFlow's
        # ExponentialMovingAverage.
        now = min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, weights, 1 - now)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the context the averaged weights, if any, replace the last ones."""
        last = [weight.detach().clone() for weight in self.trained_parameters()] if self.average else []
        self.use_average()
        try:
            yield
        finally:
            self._set_weights(last)

    def use_average(self) -> None:
        """Replace the last weights by the averaged ones, if any."""
        self._set_weights(self.average or [])

    def _set_weights(self, values: list[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.trained_parameters(), values, strict=False):
                parameter.copy_(value)
