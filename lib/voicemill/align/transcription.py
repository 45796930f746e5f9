"""Transcription of recordings without text, with a recogniser that the user names: NeMo or faster-whisper.

PocketSphinx is never used for this.
"""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voicemill.boundary import missing_module
from voicemill.errors import DependencyError, UsageError

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
"""Sample rate (Hz) of both recognisers."""
_PACKAGES = {"nemo": "nemo-toolkit", "faster-whisper": "faster-whisper"}
ENGINES = tuple(_PACKAGES)
_BATCH = 8
"""Utterances per batch, which bounds the memory."""


_TOKENS_PER_SECOND, _TOKENS_OF_OTHERS, _MOST_TOKENS = 8, 20, 400
"""Whisper repeats itself without end on what is no speech. People speak up to five English tokens a second, and more of
other scripts, where a letter may take several; a window of 30 s has room for 448 with the prompt."""


class Transcriber(Protocol):
    """Transcribes utterances, mono samples (n,) at `SAMPLE_RATE`: one text each, empty if no speech is recognised."""

    def transcribe(self, utterances: Sequence[Samples]) -> list[str]: ...


@dataclass(frozen=True)
class RecogniserModel:
    """The model of a recogniser, after the weights gate.

    Attributes:
        engine: one of `ENGINES`.
        weights_id: id on the weights allowlist.
        path: its archive (`nemo`) or folder (`faster-whisper`).
        digest: of the pinned digests of its files.
        pins: file name and sha256 of each file.
        language: ISO 639-1 code of the speech, for a multilingual Whisper; None lets it detect the language.
    """

    engine: str
    weights_id: str
    path: Path
    digest: str
    pins: tuple[tuple[str, str], ...] = ()
    language: str | None = "en"

    @property
    def tools(self) -> dict[str, str]:
        """Package and weights, as `tools` of dataset.json names them."""
        package = _PACKAGES[self.engine]
        return {package: packages.version(package), self.weights_id: self.digest}


def parse(text: str) -> tuple[str, str]:
    """Engine and weights id of `nemo:<id>` or `faster-whisper:<id>`.

    Raises:
        UsageError: the value has another form.
    """
    engine, _, weights_id = text.partition(":")
    if engine not in ENGINES or not weights_id:
        raise UsageError(
            f"--recognise {text[:80]!r} is not a recogniser.",
            hint="Give nemo:<id> or faster-whisper:<id>, with an id of the weights allowlist.",
        )
    return engine, weights_id


def require(engine: str) -> None:
    """Check that an engine is installed, without importing it.

    Raises:
        DependencyError: `extra_missing:faster-whisper`, `nemo_runtime_unavailable`.
    """
    if engine == "faster-whisper" and importlib.util.find_spec("faster_whisper") is None:
        raise DependencyError(
            "Recognition with faster-whisper needs that package, which is not installed.",
            reason="extra_missing:faster-whisper",
            hint="Install it (pip install faster-whisper), or choose --recognise nemo:<id>.",
        )
    if engine == "nemo" and importlib.util.find_spec("nemo") is None:
        raise missing_module(ModuleNotFoundError("it is not installed", name="nemo"))


@functools.lru_cache(maxsize=1)
def load(recogniser: RecogniserModel) -> Transcriber:
    """Load a recogniser, once per process.

    Raises:
        GateError: `unsafe_archive:<why>`, `weights_checksum_mismatch:<name>`, `weights_unavailable:<name>`.
        TrainingError: `checkpoint_unreadable:<name>`, `checkpoint_wrong_kind:<name>`.
        DependencyError: a package is missing.
    """
    if recogniser.engine == "nemo":
        return NemoTranscriber(recogniser.path, dict(recogniser.pins).get(recogniser.path.name))
    return WhisperTranscriber(recogniser.path, recogniser.pins, recogniser.language)


@dataclass(frozen=True)
class ScoredText:
    """A recognised text.

    Attributes:
        log_probability: mean of its tokens, 0 where there are none.
        language: ISO 639-1 code; `language_probability` how sure the model is of it, None where it was stated.
    """

    text: str
    log_probability: float
    language: str = "en"
    language_probability: float | None = None


@dataclass(frozen=True)
class TranscribedWord:
    """A recognised word and its times, in seconds."""

    text: str
    start: float
    end: float


class NemoTranscriber:
    """A CTC model of NVIDIA NeMo, on the CPU."""

    def __init__(self, archive: Path, sha256: str | None) -> None:
        """See `load`."""
        from voicemill.weights.nemo_config import RECOGNITION_TARGETS
        from voicemill.weights.nemo_runtime import nemo_runtime, restore

        with nemo_runtime("asr"):
            from nemo.collections.asr.models import EncDecCTCModel

            self._model = restore(archive, EncDecCTCModel, "cpu", targets=RECOGNITION_TARGETS, sha256=sha256)

    def transcribe(self, utterances: Sequence[Samples]) -> list[str]:
        """See `Transcriber.transcribe`."""
        from voicemill.weights.nemo_runtime import nemo_runtime

        with nemo_runtime("asr"):
            found = self._model.transcribe(list(utterances), batch_size=_BATCH, num_workers=0, verbose=False)
        return [" ".join(one.text.split()) for one in found]


class WhisperTranscriber:
    """faster-whisper on the CPU with int8 weights; deterministic."""

    def __init__(self, folder: Path, pins: Iterable[tuple[str, str]], language: str | None = "en") -> None:
        """See `load`. Only pinned files are loaded, from a private copy that was hashed."""
        from faster_whisper import WhisperModel

        from voicemill.weights.store import copy_checked

        self._language = language
        with tempfile.TemporaryDirectory(prefix="voicemill-recogniser-") as copies:
            for name, sha256 in pins:
                copy_checked(folder / name, sha256, Path(copies) / name)
            self._model = WhisperModel(copies, device="cpu", compute_type="int8", local_files_only=True)

    def transcribe(self, utterances: Sequence[Samples]) -> list[str]:
        """See `Transcriber.transcribe`."""
        return [self.scored(samples).text for samples in utterances]

    def scored(self, samples: Samples) -> ScoredText:
        """The text of an utterance and how sure the model is of it."""
        found, info = self._segments(samples)
        tokens = [max(1, len(part.tokens)) for part in found]
        sure = sum(part.avg_logprob * count for part, count in zip(found, tokens, strict=True)) / max(1, sum(tokens))
        text = " ".join(" ".join(part.text for part in found).split())
        judged = None if self._language else float(info.language_probability)
        return ScoredText(text, sure, str(info.language), judged)

    def words(self, samples: Samples) -> list[TranscribedWord]:
        """The words of an utterance with their times."""
        found, _ = self._segments(samples, word_timestamps=True)
        return [
            TranscribedWord(word.word.strip(), float(word.start), float(word.end))
            for part in found
            for word in part.words or ()
            if word.word.strip()
        ]

    def _segments(self, samples: Samples, **more: bool) -> tuple[list[Any], Any]:
        rate = _TOKENS_PER_SECOND if self._language == "en" else _TOKENS_OF_OTHERS
        parts, info = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            max_new_tokens=min(_MOST_TOKENS, round(16 + rate * len(samples) / SAMPLE_RATE)),
            **more,
        )
        return list(parts), info
