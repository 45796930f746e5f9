"""Previews during training: mels and durations of fixed held-out sentences.

A preview draws no random numbers and leaves the weights unchanged, so the training is the same with and without
previews. The caller turns them into sound and pictures, in a process of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from voicemill.training.checkpoint import StepReport
from voicemill.training.data import TrainingClip, TrainingDataset
from voicemill.training.hooks import Hooks, Preview

if TYPE_CHECKING:
    from voicemill.training.fastpitch_module import AcousticModule

SENTENCES = 2
"""Of the validation split, the first ones."""


def with_previews(hooks: Hooks, module: AcousticModule, dataset: TrainingDataset) -> Hooks:
    """The same hooks, with a preview after each `hooks.preview_every` steps and after the last."""
    clips = dataset.validation[:SENTENCES]
    if not hooks.preview_every or not clips:
        return hooks

    def on_step(report: StepReport) -> None:
        hooks.on_step(report)
        if report.step % hooks.preview_every == 0 or report.step == report.max_steps:
            hooks.on_preview(previews(module, clips))

    return replace(hooks, on_step=on_step)


def previews(module: AcousticModule, clips: tuple[TrainingClip, ...]) -> list[Preview]:
    """A preview of each clip's text with the present (averaged) weights, except texts that give no sound yet."""
    import torch

    from voicemill.training.examples import aligned_text, encode

    model, found = module.model, []
    model.eval()
    try:
        with module.averaged(), torch.no_grad():
            for clip in clips:
                ids, symbols = encode(model, aligned_text(model, clip, strict=True))
                text, shift = torch.tensor([ids], device=model.device), torch.zeros(1, 1, device=model.device)
                try:
                    predicted, _, durations, *_ = model.fastpitch.infer(text=text, pitch=shift)
                except RuntimeError:  # fewer frames than its convolutions are wide; a preview must not end a training
                    continue
                mel = predicted[0].float().cpu().numpy()
                if mel.size and np.isfinite(mel).all():
                    frames = tuple(round(float(each)) for each in durations[0])
                    found.append(Preview(module.step, clip, mel, tuple(symbols), frames))
    finally:
        module.train()
    return found
