"""The features that PocketSphinx's acoustic model judges: cepstra of its own front end, and how they move.

PocketSphinx keeps its cepstra to itself but for one door, its log of them (`mfclogdir`): a file an utterance, which is
read and removed at once. So frames, filters and its removal of noise are exactly those that the model was made with.
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
CEPSTRA = 13
"""Numbers a frame."""
_WINDOW = 410
"""Samples that a frame is made of."""
_REACH = 3
"""Frames to each side that tell how the cepstra move."""

Floats = npt.NDArray[np.float32]


class FrontEnd:
    """Cepstra of one utterance after another; holds one decoder, so use one a process."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        # a folder that is there only while something is written: a process that is killed leaves nothing behind
        self._folder = Path(tempfile.gettempdir()) / f"voicemill-cepstra-{uuid.uuid4().hex}"
        with tempfile.TemporaryDirectory(prefix="voicemill-words-") as folder:
            dictionary = Path(folder) / "words.dict"
            dictionary.write_text("a AH\n", encoding="ascii")  # no utterance starts without a search for words
            self._decoder: Any = Decoder(
                samprate=SAMPLE_RATE, loglevel="FATAL", lm=None, dict=str(dictionary), mfclogdir=str(self._folder)
            )
        self._decoder.set_align_text("a")

    def cepstra(self, pcm: bytes) -> Floats:
        """(frames, 13) of 16-bit mono PCM at 16 kHz, less their means over the utterance.

        Raises:
            StorageError: the folder for temporary files cannot be written.
        """
        with files.library_writes(self._folder, OSError, RuntimeError):
            self._folder.mkdir(mode=0o700)
            try:
                raw = self._logged(pcm)
            finally:
                shutil.rmtree(self._folder)
        found = np.frombuffer(raw, ">f4", offset=4).reshape(-1, CEPSTRA).astype(np.float32)
        less: Floats = found - found.mean(axis=0)
        return less

    def _logged(self, pcm: bytes) -> bytes:
        """What the decoder writes down about an utterance: how many numbers, and the numbers."""
        self._decoder.reinit_feat()  # forgets the noise of the utterance before: the same sound, the same numbers
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, no_search=True, full_utt=True)
        self._decoder.end_utt()
        (written,) = self._folder.iterdir()
        raw = written.read_bytes()
        frames = (len(pcm) // 2 - _WINDOW) // (SAMPLE_RATE // FRAME_RATE) + 1
        if len(raw) < 4 + 4 * CEPSTRA * frames:  # PocketSphinx does not say when a disk is full
            raise OSError(f"{written.name} is not whole")
        return raw


def streams(cepstra: Floats) -> list[Floats]:
    """The three streams of the model, each (frames, 13): the cepstra, their difference over four frames, and the
    difference of that over two more; beyond its ends the utterance stands still.
    """
    around = np.pad(cepstra, ((_REACH, _REACH), (0, 0)), mode="edge")

    def at(shift: int) -> Floats:
        return around[_REACH + shift : _REACH + shift + len(cepstra)]

    return [cepstra, at(2) - at(-2), (at(3) - at(-1)) - (at(1) - at(-3))]
