"""The Lightning side of vocoder training. Imports torch and Lightning at once: import it inside functions, within
`nemo_runtime()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from nemo.collections.tts.models import HifiGanModel

from voicemill.training import memory, ranks
from voicemill.training.checkpoint import StepReport
from voicemill.training.config import VocoderConfig
from voicemill.training.manual_optimisation import Task

SegmentBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Samples (B, S), their lengths (B,), mels (B, n_mels, frames)."""


@dataclass
class Segments:
    """Some segments of a batch, their share of it, and, where the batch is whole, what the generator made of them."""

    samples: torch.Tensor
    lengths: torch.Tensor
    mels: torch.Tensor
    share: float
    made: torch.Tensor | None = None


def split_segments(batch: SegmentBatch, parts: int) -> list[Segments]:
    """The batch in up to `parts` parts; losses are means over segments of one length, so their shares are exact."""
    samples, lengths, mels = batch
    rows = torch.arange(len(samples)).tensor_split(min(parts, len(samples)))
    return [Segments(samples[row], lengths[row], mels[row], len(row) / len(samples)) for row in rows]


class VocoderTask(Task):
    """Teaches a HifiGanModel as Kong et al. (2020) do: discriminators first, then the generator against them.

    NeMo's modules and loss functions; its own `training_step` would update weights from whatever gradient there is.
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
        whole: list[Segments] = []

        def segments(batch: SegmentBatch, parts: int) -> list[Segments]:
            return whole if parts == 1 and whole else split_segments(batch, parts)

        judged: list[torch.Tensor] = []

        def judge(part: Segments) -> None:
            # The generator's work on a whole batch is kept for its own turn.
            with torch.set_grad_enabled(part.share == 1.0):
                made = self.model.generator(x=part.mels)
            loss = self.discriminator_loss(part.samples.unsqueeze(1), made.detach()) * part.share
            self.manual_backward(loss)
            judged.append(loss.detach())
            if part.share == 1.0:
                part.made = made
                whole[:] = [part]

        def forget() -> None:
            judged.clear()
            whole.clear()

        self.in_parts(batch, split_segments, judge, forget)
        (judgement,) = ranks.average([torch.stack(judged).sum()])
        taught = self.update(discriminators, judgement)

        made: list[torch.Tensor] = []
        nearness: list[torch.Tensor] = []

        def generate(part: Segments) -> None:
            loss, distance = self.generator_loss(part)
            self.manual_backward(loss * part.share)
            made.append(loss.detach() * part.share)
            nearness.append(distance.detach() * part.share)

        def forget_generated() -> None:
            for kept in (made, nearness, whole):
                kept.clear()

        self.in_parts(batch, segments, generate, forget_generated)
        loss, distance = ranks.average([torch.stack(made).sum(), torch.stack(nearness).sum()])
        taught = self.update(generator, loss) and taught
        discriminators.zero_grad(set_to_none=True)  # the generator's loss went through them
        self.step += 1
        self._figures = (float(loss), float(distance)) if taught else None
        if not taught:
            bad = float(loss + judgement)
            self.note(self.recovery.skip(self.step, bad, last=self.step == self.max_steps))

    def discriminator_loss(self, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """How badly recordings are told from the generator's work, both (B, 1, S)."""
        total = torch.zeros((), device=real.device)
        for discriminator in (self.model.mpd, self.model.msd):
            of_real, of_made, _, _ = discriminator(y=real, y_hat=made)
            loss, _, _ = self.model.discriminator_loss(disc_real_outputs=of_real, disc_generated_outputs=of_made)
            total = total + loss
        return total

    def generator_loss(self, part: Segments) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of the generator, and the mean distance of the log-mels in it."""
        model = self.model
        made = model.generator(x=part.mels) if part.made is None else part.made
        wanted, _ = model.trg_melspec_fn(part.samples, part.lengths)
        heard, _ = model.trg_melspec_fn(made.squeeze(1), part.lengths)
        distance = torch.nn.functional.l1_loss(heard, wanted)
        total = distance * model.l1_factor
        for discriminator in (model.mpd, model.msd):
            _, of_made, features_real, features_made = discriminator(y=part.samples.unsqueeze(1), y_hat=made)
            adversarial, _ = model.generator_loss(disc_outputs=of_made)
            total = total + adversarial + model.feature_loss(fmap_r=features_real, fmap_g=features_made)
        return total, distance

    def need(self, batch: SegmentBatch) -> memory.Need:
        """Memory of a step on such a batch. The generator's turn keeps most: its own pass and both discriminators'."""
        samples, lengths, mels = batch

        def forward(count: int) -> torch.Tensor:
            rows = torch.arange(count) % len(samples)
            loss, _ = self.generator_loss(Segments(samples[rows], lengths[rows], mels[rows], 1.0))
            return loss

        return memory.measured_need(self, forward, len(samples))

    def report(self, seconds: float) -> StepReport | None:
        if self._figures is None:
            return None
        loss, distance = self._figures
        frames = self.vocoder.batch_size * self.vocoder.segment_frames * ranks.world()
        return StepReport(self.step, self.max_steps, loss, distance, 0.0, 0.0, self._rate, seconds, frames)
