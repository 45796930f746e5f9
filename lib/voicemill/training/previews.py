"""The voice now and then while it learns: mels and durations of fixed held-out sentences, for whoever shows them.

A preview takes no random number and leaves the weights as they are, so that what is learned stays the same; making
sound and pictures of it is the caller's, outside of the training's way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from voicemill.training.checkpoint import StepReport
from voicemill.training.data import Clip, PreparedDataset
from voicemill.training.hooks import Hooks, Preview

if TYPE_CHECKING:
    from voicemill.training.fastpitch_module import AcousticTask

SENTENCES = 2
"""Of the validation split, the first ones."""


def previewing(hooks: Hooks, task: AcousticTask, dataset: PreparedDataset) -> Hooks:
    """The same hooks, which now also give a preview after each `hooks.preview_every` steps and after the last."""
    clips = dataset.validation[:SENTENCES]
    if not hooks.preview_every or not clips:
        return hooks

    def on_step(report: StepReport) -> None:
        hooks.on_step(report)
        if report.step % hooks.preview_every == 0 or report.step == report.max_steps:
            hooks.on_preview(previews(task, clips))

    return replace(hooks, on_step=on_step)


def previews(task: AcousticTask, clips: tuple[Clip, ...]) -> list[Preview]:
    """Each clip's text by the present (averaged) weights; those that a young voice cannot say are left out."""
    import torch

    from voicemill.training.examples import encode

    model, found = task.model, []
    model.eval()
    try:
        with task.averaged(), torch.no_grad():
            for clip in clips:
                ids, symbols = encode(model, clip.text)
                text, shift = torch.tensor([ids], device=model.device), torch.zeros(1, 1, device=model.device)
                try:
                    spoken, _, durations, *_ = model.fastpitch.infer(text=text, pitch=shift)
                except RuntimeError:  # it predicts fewer frames than its convolutions are wide; no page ends a training
                    continue
                mel = spoken[0].float().cpu().numpy()
                if mel.size and np.isfinite(mel).all():
                    frames = tuple(round(float(each)) for each in durations[0])
                    found.append(Preview(task.step, clip, mel, tuple(symbols), frames))
    finally:
        task.train()
    return found
