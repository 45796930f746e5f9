"""Vocoders on people: what `bench.py vocoders` measures.

Copy synthesis: the mel spectrogram of a recording in, sound out, by every judge and beside the recording. CPU seconds
are those of the vocoder alone, on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from judges import RATE, conditions, shipped_judges

from voicemill.metrics.spectral import MelSettings, log_mel
from voicemill.synthesis.mel import AudioConfig
from voicemill.synthesis.vocoders import GriffinLimVocoder, HifiganVocoder, IstftVocoder, Vocoder
from voicemill.training.istft_weights import read_istft
from voicemill.training.runtime import nemo_runtime, restore_hifigan

_Samples = npt.NDArray[np.float32]


@dataclass
class Copies:
    """Copy synthesis by one vocoder, timed."""

    vocoder: Vocoder
    seconds: float = 0.0
    sound: float = 0.0

    def __call__(self, samples: _Samples) -> _Samples:
        """The copy of a recording at the dataset's rate."""
        mel = log_mel(samples, MelSettings(sample_rate=RATE))
        begun = time.process_time()
        copy = self.vocoder(mel)
        self.seconds += time.process_time() - begun
        self.sound += len(copy) / RATE
        return copy


def report(
    folders: tuple[Path, ...], bases: tuple[Path, ...], hifigans: tuple[Path, ...], count: int
) -> Iterator[str]:
    """Lines of the table, as they are measured.

    Args:
        folders: one for each speaker, with recordings and a `metadata.csv`.
        bases: iSTFT vocoders.
        hifigans: HiFi-GANs.
        count: clips of each speaker.
    """
    import torch

    torch.set_num_threads(1)
    audio = AudioConfig()
    vocoders: dict[str, Vocoder] = {"Griffin-Lim": GriffinLimVocoder(audio)}
    with nemo_runtime():
        vocoders |= {path.stem: HifiganVocoder(restore_hifigan(path, device="cpu"), audio) for path in hifigans}
    vocoders |= {path.stem: IstftVocoder(read_istft(path, audio)) for path in bases}
    copies = {name: Copies(vocoder) for name, vocoder in vocoders.items()}
    changes: dict[str, Callable[[_Samples], _Samples]] = dict(copies)
    judges, _, people = shipped_judges()
    for folder in folders:
        yield from conditions(folder, judges, people, count, changes)
    for name, each in copies.items():
        yield f"{name}: {each.sound / each.seconds:.0f} x real time of CPU"
