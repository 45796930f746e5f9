"""Letting a recogniser write down many sounds, on one core or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.workers import Workers

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser

Samples = NDArray[np.float32]
RECOGNISER_RATE = 16_000
"""Hz; what a `Recogniser` listens to."""


def listen(
    recogniser: Recogniser,
    sounds: Sequence[Samples],
    sample_rate: int,
    *,
    workers: int = 1,
    heard_one: Callable[[], None] = lambda: None,
) -> list[str]:
    """What the recogniser hears in each sound, in order.

    Args:
        recogniser: each call must be independent of those before it; it is pickled for more than one worker.
        sounds: mono.
        sample_rate: of all of them, Hz.
        workers: processes; 1 stays in this one.
        heard_one: called after each sound.
    """
    jobs = [(recogniser, sound, sample_rate) for sound in sounds]
    heard: list[str] = []
    if workers <= 1 or len(sounds) < 2:
        for job in jobs:
            heard.append(_hear(job))
            heard_one()
        return heard
    with Workers(min(workers, len(sounds)), _start, recogniser) as processes:
        return processes.run(_hear_here, [(sound, sample_rate) for sound in sounds], lambda done: heard_one())


_own: list[Recogniser] = []
"""The worker process's recogniser: loading its model takes longer than a sentence."""


def _start(recogniser: Recogniser) -> None:
    _own[:] = [recogniser]


def _hear_here(job: tuple[Samples, int]) -> str:
    return _hear((_own[0], *job))


def _hear(job: tuple[Recogniser, Samples, int]) -> str:
    from voicemill.audio.decode import resample

    recogniser, samples, sample_rate = job
    return recogniser.transcribe(resample(samples, sample_rate, RECOGNISER_RATE))
