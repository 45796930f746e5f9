"""What the caller of a training hears and decides while it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.training.checkpoint import StepReport
from voicemill.training.data import Clip


@dataclass(frozen=True)
class Preview:
    """One sentence as the voice would speak it after `step` steps.

    Attributes:
        clip: the held-out clip that it is compared with.
        mel: predicted log-mel, (mels, frames).
        tokens: symbols of the text.
        durations: predicted frames of each token.
    """

    step: int
    clip: Clip
    mel: NDArray[np.float32]
    tokens: tuple[str, ...]
    durations: tuple[int, ...]


def _unheard(told: object) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Hooks:
    """Every hook is optional.

    Attributes:
        on_step: called after each step that taught something.
        should_stop: asked after each step; true writes a checkpoint and ends the run as interrupted. Signals are the
            caller's: Lightning's own SIGTERM handler, which ends a run without a checkpoint, is kept out.
        preview_every: steps between two previews of an acoustic model; 0 makes none.
        on_preview: called with the previews of the fixed sentences (`training.previews`).
        note: hears of what a person should know: a broken checkpoint, a skipped step, a batch that had to be split.
        taking_steps: entered while steps are taken, that is, while there is something to save when a signal comes.
    """

    on_step: Callable[[StepReport], None] = _unheard
    should_stop: Callable[[], bool] = _never
    preview_every: int = 0
    on_preview: Callable[[list[Preview]], None] = _unheard
    note: Callable[[str], None] = _unheard
    taking_steps: Callable[[], AbstractContextManager[None]] = nullcontext
