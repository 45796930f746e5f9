"""What a recogniser hears in recordings that have no text, utterance by utterance, kept in the stage cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.align import transcription
from voicemill.align.transcription import SAMPLE_RATE, RecogniserModel
from voicemill.audio import waveform
from voicemill.audio.vad import Span
from voicemill.audio.waveform import MemoryWaveform, Waveform
from voicemill.dataset import stage_cache
from voicemill.weights.registry import WeightsRegistry

_PACKAGES = {"nemo": "nemo-toolkit", "faster-whisper": "faster-whisper"}
_AT_ONCE = 8
"""Utterances that are in memory together."""


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str


def choose(wanted: str | None, registry: WeightsRegistry) -> RecogniserModel | None:
    """The recogniser that `--recognise` names, its files checked; None where none is wanted.

    Raises:
        UsageError: it names none.
        GateError: its weights may not be used or are not there.
        DependencyError: `extra_missing:faster-whisper`, `nemo_runtime_unavailable`.
    """
    if wanted is None:
        return None
    engine, weights_id = transcription.parse(wanted)
    registry.entry(weights_id, "asr")  # the licence gate speaks first, wherever this runs
    transcription.require(engine)
    found = registry.resolve(weights_id, "asr", download=True)
    digest = files.content_key([item.sha256 for item in found.entry.files])
    return RecogniserModel(engine, weights_id, found.main if engine == "nemo" else found.main.parent, digest)


@dataclass(frozen=True)
class Ears:
    """A recogniser with a memory.

    Attributes:
        recogniser: what listens.
        cache: the stage cache.
    """

    recogniser: RecogniserModel
    cache: Path

    @property
    def tools(self) -> dict[str, str]:
        """Package and weights, as `tools` of dataset.json names them."""
        package = _PACKAGES[self.recogniser.engine]
        return {package: packages.version(package), self.recogniser.weights_id: self.recogniser.digest}

    def hear(self, heard: Waveform, spans: Sequence[Span]) -> list[str]:
        """What is said in each stretch of a recording; empty where nothing was understood."""
        texts: list[str] = []
        for first in range(0, len(spans), _AT_ONCE):
            pieces = [
                waveform.excerpt(heard, one.start, one.end, SAMPLE_RATE) for one in spans[first : first + _AT_ONCE]
            ]
            keys = [self._key(MemoryWaveform(samples, SAMPLE_RATE)) for samples in pieces]
            known = [stage_cache.read_model(key, _Heard) for key in keys]
            new = [index for index, one in enumerate(known) if one is None]
            if new:
                said = transcription.load(self.recogniser).transcribe([pieces[index] for index in new])
                for index, text in zip(new, said, strict=True):
                    known[index] = _Heard(text=text)
                    files.write_text(keys[index], _Heard(text=text).model_dump_json())
            texts += [one.text for one in known if one is not None]
        return texts

    def _key(self, samples: MemoryWaveform) -> Path:
        return stage_cache.model_entry(self.cache, "recognition", __name__, self.tools, waveform.digest(samples))
