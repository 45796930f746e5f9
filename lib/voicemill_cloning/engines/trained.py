"""A voice that voicemill trained, as an engine: its bundle's graph through `voicemill_runtime`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voicemill import files
from voicemill.bundle.manifest import MANIFEST
from voicemill.synthesis.options import SynthesisOptions
from voicemill_cloning.engines.engine import EngineDescription, EngineRequest, EngineSpeech, require_language
from voicemill_runtime.bundle import open_voice


class TrainedEngine:
    """A trained voice. Its speech carries the bundle's watermark, and is the same for every seed."""

    def __init__(self, bundle: Path, options: SynthesisOptions | None = None, *, threads: int = 1) -> None:
        """
        Args:
            bundle: folder of a promoted voice.
            options: speed, pitch and pauses.
            threads: of onnxruntime; 0 lets it choose.

        Raises:
            UsageError, BundleError, GateError: see `voicemill_runtime.bundle.open_voice`.
        """
        self._voice = open_voice(bundle, threads)
        self._options = options or SynthesisOptions()
        origin = self._voice.origin
        self.description = EngineDescription(
            engine="trained",
            voice=origin.voice if origin else bundle.resolve().parent.name,
            version=self._voice.vocoder,
            model=f"manifest:{files.sha256_file(bundle / MANIFEST)}",
            licence=" AND ".join(origin.licences) if origin and origin.licences else "NOASSERTION",
        )

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        """Speak one English text; see `SpeechEngine`."""
        require_language("trained", self.description.voice, self.description.languages, request.language)
        chunks = [chunk.samples for chunk in self._voice.speak(request.text, self._options)]
        return EngineSpeech(np.concatenate(chunks), self._voice.sample_rate, marked=self._voice.origin is not None)

    def close(self) -> None:
        """Nothing is held that has to be ended."""
