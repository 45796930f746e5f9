"""Callbacks from a training to its caller: steps, notes, and previews of fixed held-out sentences.

A preview draws no random numbers and leaves the weights unchanged, so the training is the same with and without
previews. The caller turns them into sound and pictures, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.training.checkpoint import StepReport
from voicemill.training.data import TrainingClip, TrainingDataset

if TYPE_CHECKING:
    from voicemill.training.fastpitch_module import AcousticModule

SENTENCES = 2
"""Previewed sentences: the first of the validation split."""


@dataclass(frozen=True)
class Preview:
    """The prediction for one held-out sentence after `step` steps.

    Attributes:
        clip: the recording of the sentence.
        mel: predicted log-mel, (mels, frames).
        tokens: symbols of the text.
        durations: predicted frames of each token.
    """

    step: int
    clip: TrainingClip
    mel: NDArray[np.float32]
    tokens: tuple[str, ...]
    durations: tuple[int, ...]


def _ignore(value: object) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Hooks:
    """Every hook is optional.

    Attributes:
        on_step: called after each step that was not skipped.
        should_stop: called after each step; true writes a checkpoint and ends the run as interrupted. The caller
            handles signals: Lightning's own SIGTERM handler, which ends a run without a checkpoint, is not installed.
        preview_every: steps between two previews of an acoustic model; 0 for none.
        on_preview: called with the previews of the fixed sentences.
        note: takes messages for a person: a broken checkpoint, a skipped step, a batch that had to be split.
        taking_steps: a context around the steps, within which there is a state to save when a signal comes.
    """

    on_step: Callable[[StepReport], None] = _ignore
    should_stop: Callable[[], bool] = _never
    preview_every: int = 0
    on_preview: Callable[[list[Preview]], None] = _ignore
    note: Callable[[str], None] = _ignore
    taking_steps: Callable[[], AbstractContextManager[None]] = nullcontext


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
