"""A recogniser applied to many sounds, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.workers import Workers

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser

Samples = NDArray[np.float32]
RECOGNISER_RATE = 16_000
"""Hz, the rate that a `Recogniser` takes."""


@dataclass(frozen=True)
class RecogniserPool:
    """A recogniser and the number of processes that run it.

    Attributes:
        recogniser: each call must be independent of those before it; it is pickled for more than one worker.
        workers: processes; 1 stays in this one.
    """

    recogniser: Recogniser
    workers: int = 1

    def transcribe(
        self, sounds: Sequence[Samples], sample_rate: int, advance: Callable[[], None] = lambda: None
    ) -> list[str]:
        """Recognise each sound, in order.

        Args:
            sounds: mono.
            sample_rate: of all of them, Hz.
            advance: called after each sound.
        """
        if self.workers <= 1 or len(sounds) < 2:
            texts: list[str] = []
            for sound in sounds:
                texts.append(_recognise(self.recogniser, sound, sample_rate))
                advance()
            return texts
        with Workers(min(self.workers, len(sounds)), _initialise, self.recogniser) as processes:
            jobs = [(sound, sample_rate) for sound in sounds]
            return processes.run(_recognise_in_worker, jobs, lambda done: advance())


_worker_recogniser: list[Recogniser] = []
"""The worker process's recogniser: loading its model takes longer than a sentence."""


def _initialise(recogniser: Recogniser) -> None:
    _worker_recogniser[:] = [recogniser]


def _recognise_in_worker(job: tuple[Samples, int]) -> str:
    return _recognise(_worker_recogniser[0], *job)


def _recognise(recogniser: Recogniser, samples: Samples, sample_rate: int) -> str:
    from voicemill.audio.decode import resample

    return recogniser.transcribe(resample(samples, sample_rate, RECOGNISER_RATE))
