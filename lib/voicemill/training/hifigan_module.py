"""Training steps of HiFi-GAN: discriminators first, then the generator against them.

Imports torch and Lightning at once: import it inside functions, within `nemo_runtime()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from nemo.collections.tts.models import HifiGanModel

from voicemill.training import memory, ranks
from voicemill.training.checkpoint import StepReport
from voicemill.training.config import VocoderConfig
from voicemill.training.manual_optimisation import ManualOptimisation

SegmentBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Samples (B, S), their lengths (B,), mels (B, n_mels, frames)."""


@dataclass
class Segments:
    """A micro-batch of segments.

    Attributes:
        samples: (B, S).
        lengths: (B,), samples of each segment.
        mels: (B, n_mels, frames).
        share: of the batch, 0..1.
        generated: (B, 1, S), the generator's output with its graph; None if not computed or the batch is split.
    """

    samples: torch.Tensor
    lengths: torch.Tensor
    mels: torch.Tensor
    share: float
    generated: torch.Tensor | None = None


def split_segments(batch: SegmentBatch, count: int) -> list[Segments]:
    """The batch as up to `count` micro-batches. Losses are means over segments of one length: the shares are exact."""
    samples, lengths, mels = batch
    rows = torch.arange(len(samples)).tensor_split(min(count, len(samples)))
    return [Segments(samples[row], lengths[row], mels[row], len(row) / len(samples)) for row in rows]


class VocoderModule(ManualOptimisation):
    """Trains a HifiGanModel as Kong et al. (2020) do, with NeMo's modules and loss functions.

    NeMo's own `training_step` is not used: it would update weights with gradients that are not finite.
    """

    model: HifiGanModel

    def __init__(self, model: HifiGanModel, vocoder: VocoderConfig, *, seed: int) -> None:
        super().__init__(
            model,
            seed=seed,
            max_steps=vocoder.max_steps,
            hint="Lower vocoder.learning_rate, or look for broken clips.",
        )
        self.vocoder = vocoder
        self._figures: tuple[float, float] | None = None
        self._rate = vocoder.learning_rate

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        generator, discriminators = self.model.configure_optimizers()
        return [generator, discriminators]

    def training_step(self, batch: SegmentBatch, batch_idx: int) -> None:
        self._rate = self.set_rate(self.vocoder.learning_rate)
        generator, discriminators = self.optimizers()
        whole_batch: list[Segments] = []
        discriminator_losses: list[torch.Tensor] = []

        def accumulate_discriminator_gradients(segments: Segments) -> None:
            # The generator's pass over a whole batch is kept for its own optimisation.
            with torch.set_grad_enabled(segments.share == 1.0):
                generated = self.model.generator(x=segments.mels)
            loss = self.discriminator_loss(segments.samples.unsqueeze(1), generated.detach()) * segments.share
            self.manual_backward(loss)
            discriminator_losses.append(loss.detach())
            if segments.share == 1.0:
                segments.generated = generated
                whole_batch[:] = [segments]

        def reset_discriminators() -> None:
            discriminator_losses.clear()
            whole_batch.clear()

        self.in_micro_batches(batch, split_segments, accumulate_discriminator_gradients, reset_discriminators)
        (discriminator_loss,) = ranks.average([torch.stack(discriminator_losses).sum()])
        stepped = self.update(discriminators, discriminator_loss)

        generator_losses: list[torch.Tensor] = []
        mel_distances: list[torch.Tensor] = []

        def split(batch: SegmentBatch, count: int) -> list[Segments]:
            return whole_batch if count == 1 and whole_batch else split_segments(batch, count)

        def accumulate_generator_gradients(segments: Segments) -> None:
            loss, distance = self.generator_loss(segments)
            self.manual_backward(loss * segments.share)
            generator_losses.append(loss.detach() * segments.share)
            mel_distances.append(distance.detach() * segments.share)

        def reset_generator() -> None:
            for results in (generator_losses, mel_distances, whole_batch):
                results.clear()

        self.in_micro_batches(batch, split, accumulate_generator_gradients, reset_generator)
        loss, distance = ranks.average([torch.stack(generator_losses).sum(), torch.stack(mel_distances).sum()])
        stepped = self.update(generator, loss) and stepped
        discriminators.zero_grad(set_to_none=True)  # the generator's loss passed through them
        self.step += 1
        self._figures = (float(loss), float(distance)) if stepped else None
        if not stepped:
            total = float(loss + discriminator_loss)
            self.note(self.recovery.skip(self.step, total, last=self.step == self.max_steps))

    def discriminator_loss(self, real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
        """Loss of the discriminators on recordings and generated samples, both (B, 1, S)."""
        total = torch.zeros((), device=real.device)
        for discriminator in (self.model.mpd, self.model.msd):
            real_outputs, generated_outputs, _, _ = discriminator(y=real, y_hat=generated)
            loss, _, _ = self.model.discriminator_loss(
                disc_real_outputs=real_outputs, disc_generated_outputs=generated_outputs
            )
            total = total + loss
        return total

    def generator_loss(self, segments: Segments) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of the generator, and the L1 distance of log-mels that is part of it."""
        model = self.model
        generated = model.generator(x=segments.mels) if segments.generated is None else segments.generated
        real_mel, _ = model.trg_melspec_fn(segments.samples, segments.lengths)
        generated_mel, _ = model.trg_melspec_fn(generated.squeeze(1), segments.lengths)
        distance = torch.nn.functional.l1_loss(generated_mel, real_mel)
        total = distance * model.l1_factor
        for discriminator in (model.mpd, model.msd):
            _, outputs, real_features, features = discriminator(y=segments.samples.unsqueeze(1), y_hat=generated)
            adversarial, _ = model.generator_loss(disc_outputs=outputs)
            total = total + adversarial + model.feature_loss(fmap_r=real_features, fmap_g=features)
        return total, distance

    def memory_estimate(self, batch: SegmentBatch) -> memory.MemoryEstimate:
        """Memory of a step on such a batch. The peak is in the generator's pass, which runs the discriminators too."""
        samples, lengths, mels = batch

        def forward(count: int) -> torch.Tensor:
            rows = torch.arange(count) % len(samples)
            loss, _ = self.generator_loss(Segments(samples[rows], lengths[rows], mels[rows], 1.0))
            return loss

        return memory.measure_memory(self, forward, len(samples))

    def report(self, seconds: float) -> StepReport | None:
        if self._figures is None:
            return None
        loss, distance = self._figures
        frames = self.vocoder.batch_size * self.vocoder.segment_frames * ranks.world()
        return StepReport(self.step, self.max_steps, loss, distance, 0.0, 0.0, self._rate, seconds, frames)
