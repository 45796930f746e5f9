"""Speech recognition with PocketSphinx: a measure of intelligibility, and script recognition.

PocketSphinx makes about one error in three words on clean read sentences. That suffices to compare recordings with
synthesised speech and to find a known text, but not for transcripts: its words never become text of a dataset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voicemill.align.features import FRAME_RATE, MIN_SAMPLES, SAMPLE_RATE, to_pcm16
from voicemill.text.lexicon import pocketsphinx_folder, pocketsphinx_version


class Recogniser(Protocol):
    """Transcribes speech to lower-case words."""

    @property
    def name(self) -> str:
        """Name of the recogniser and its model for reports."""

    @property
    def version(self) -> str:
        """Version of the recogniser's library."""

    def transcribe(self, samples: npt.NDArray[np.float32]) -> str:
        """Words of (n,) mono float samples at 16 kHz, in lower case, separated by single spaces."""


@dataclass(frozen=True)
class RecognisedWord:
    """A recognised word; times in seconds from the start of the samples."""

    text: str
    start: float
    end: float


class PocketSphinxRecogniser:
    """PocketSphinx with the en-us model of its wheel; needs no download.

    Calls are independent of each other: the front end is reset, so the same samples give the same words.
    """

    def __init__(
        self,
        *,
        language_model: Path | None = None,
        dictionary: Path | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """
        Args:
            language_model: an ARPA model over the words of `dictionary`; the wheel's general English model by default.
            dictionary: words and phones as `Lexicon.subset` writes them; the whole CMU dictionary by default.
            settings: of PocketSphinx's search, in place of its defaults.
        """
        self._language_model = language_model
        self._dictionary = dictionary
        self._settings = dict(settings or {})
        self._decoder: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoder": None}

    @property
    def name(self) -> str:
        return (
            "PocketSphinx en-us" if self._language_model is None else f"PocketSphinx en-us, {self._language_model.name}"
        )

    @property
    def version(self) -> str:
        return pocketsphinx_version()

    def transcribe(self, samples: npt.NDArray[np.float32]) -> str:
        """See `Recogniser.transcribe`; an empty string when nothing was recognised."""
        return " ".join(word.text for word in self.words(samples))

    def words(self, samples: npt.NDArray[np.float32]) -> list[RecognisedWord]:
        """Words with times in (n,) mono float samples at 16 kHz."""
        if samples.size < MIN_SAMPLES:
            return []
        if self._decoder is None:
            self._decoder = self._load()
        decoder = self._decoder
        decoder.reinit_feat()  # resets the noise estimate of earlier calls
        decoder.start_utt()
        decoder.process_raw(to_pcm16(samples), full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return []
        return [
            RecognisedWord(
                segment.word.partition("(")[0], segment.start_frame / FRAME_RATE, (segment.end_frame + 1) / FRAME_RATE
            )
            for segment in decoder.seg()
            if segment.word[0] not in "<["
        ]

    def _load(self) -> Any:
        from pocketsphinx import Decoder

        model = pocketsphinx_folder() / "model" / "en-us"
        return Decoder(
            samprate=SAMPLE_RATE,
            loglevel="FATAL",
            hmm=str(model / "en-us"),
            lm=str(self._language_model or model / "en-us.lm.bin"),
            dict=str(self._dictionary or model / "cmudict-en-us.dict"),
            **self._settings,
        )
