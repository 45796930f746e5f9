"""Features of PocketSphinx's acoustic model: cepstra of its own front end, with delta and delta-delta.

PocketSphinx gives access to its cepstra only through a log (`mfclogdir`), one file per utterance, which is read and
removed at once. Frames, filters and noise removal are therefore exactly those that the model was trained with.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill import files

SAMPLE_RATE = 16_000
"""Hz; what PocketSphinx's en-us model was trained on."""
FRAME_RATE = 100
"""Frames per second of PocketSphinx: times are multiples of 10 ms."""
COEFFICIENTS = 13
"""Cepstral coefficients per frame."""
MIN_SAMPLES = 800
"""Samples (50 ms) below which PocketSphinx's front end gives no frame."""
_PEAK = 0.5
"""Samples are scaled to this peak before the conversion to 16 bits, so that quiet recordings keep their resolution."""
_WINDOW = 410
"""Samples per frame."""
_DELTA_CONTEXT = 3
"""Frames on each side that the differences need."""

Floats = npt.NDArray[np.float32]


def to_pcm16(samples: npt.NDArray[np.float32]) -> bytes:
    """Mono float samples as 16-bit PCM at a fixed peak, for PocketSphinx."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    scaled = np.asarray(samples, dtype=np.float32) * (_PEAK / peak if peak > 0 else 1.0)
    return np.round(scaled * 32767.0).astype("<i2").tobytes()


class FrontEnd:
    """Computes cepstra, one utterance at a time; contains a decoder, so use one instance per process."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        # the folder exists only during a call, so a killed process leaves nothing behind between calls
        self._folder = Path(tempfile.gettempdir()) / f"voicemill-cepstra-{uuid.uuid4().hex}"
        with tempfile.TemporaryDirectory(prefix="voicemill-words-") as folder:
            dictionary = Path(folder) / "words.dict"
            dictionary.write_text("a AH\n", encoding="ascii")  # an utterance cannot start without a search
            self._decoder: Any = Decoder(
                samprate=SAMPLE_RATE, loglevel="FATAL", lm=None, dict=str(dictionary), mfclogdir=str(self._folder)
            )
        self._decoder.set_align_text("a")

    def cepstra(self, pcm: bytes) -> Floats:
        """Cepstra (frames, 13) of 16-bit mono PCM at 16 kHz, minus their mean over the utterance.

        Raises:
            StorageError: the folder for temporary files cannot be written.
        """
        with files.library_writes(self._folder, OSError, RuntimeError):
            self._folder.mkdir(mode=0o700)
            try:
                raw = self._logged(pcm)
            finally:
                shutil.rmtree(self._folder)
        found = np.frombuffer(raw, ">f4", offset=4).reshape(-1, COEFFICIENTS).astype(np.float32)
        less: Floats = found - found.mean(axis=0)
        return less

    def _logged(self, pcm: bytes) -> bytes:
        """The decoder's log of an utterance: the number of coefficients, and the coefficients."""
        self._decoder.reinit_feat()  # resets the noise estimate of earlier utterances
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, no_search=True, full_utt=True)
        self._decoder.end_utt()
        (written,) = self._folder.iterdir()
        raw = written.read_bytes()
        frames = (len(pcm) // 2 - _WINDOW) // (SAMPLE_RATE // FRAME_RATE) + 1
        if len(raw) < 4 + 4 * COEFFICIENTS * frames:  # PocketSphinx does not report a full disk
            raise OSError(f"{written.name} is incomplete")
        return raw


def streams(cepstra: Floats) -> list[Floats]:
    """The three feature streams of the model, each (frames, 13).

    They are the cepstra, their difference over four frames (delta), and its difference over two frames (delta-delta).
    The first and last frame are repeated beyond the ends.
    """
    around = np.pad(cepstra, ((_DELTA_CONTEXT, _DELTA_CONTEXT), (0, 0)), mode="edge")

    def at(shift: int) -> Floats:
        return around[_DELTA_CONTEXT + shift : _DELTA_CONTEXT + shift + len(cepstra)]

    return [cepstra, at(2) - at(-2), (at(3) - at(-1)) - (at(1) - at(-3))]
