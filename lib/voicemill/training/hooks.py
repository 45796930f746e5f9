"""Callbacks from a training to its caller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.training.checkpoint import StepReport
from voicemill.training.data import TrainingClip


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
        on_preview: called with the previews of the fixed sentences (`training.previews`).
        note: takes messages for a person: a broken checkpoint, a skipped step, a batch that had to be split.
        taking_steps: a context around the steps, within which there is a state to save when a signal comes.
    """

    on_step: Callable[[StepReport], None] = _ignore
    should_stop: Callable[[], bool] = _never
    preview_every: int = 0
    on_preview: Callable[[list[Preview]], None] = _ignore
    note: Callable[[str], None] = _ignore
    taking_steps: Callable[[], AbstractContextManager[None]] = nullcontext
