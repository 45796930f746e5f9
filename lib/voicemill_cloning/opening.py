"""The engine of a voice that was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemill.dataset.rights import Rights
from voicemill.errors import DependencyError, UsageError
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.engines.engine import SpeechEngine
from voicemill_cloning.engines.programs import EspeakEngine, FliteEngine
from voicemill_cloning.engines.trained import TrainedEngine
from voicemill_cloning.marked_files import speech_origin
from voicemill_marks.origin import Origin
from voicemill_runtime.bundle import bundle_origin


@dataclass(frozen=True)
class EngineOptions:
    """How an engine computes; None lets it choose.

    Attributes:
        model: id of the weights.
        threads: of the processor.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        timeout: seconds after which a generation is stopped; 0 for none.
        allowlist: of weights.
        weights: folder of weights.
    """

    model: str | None = None
    threads: int | None = None
    dtype: str = "auto"
    timeout: float | None = None
    allowlist: Path | None = None
    weights: Path | None = None


def open_engine(choice: VoiceChoice, options: EngineOptions) -> SpeechEngine:
    """Open the engine that speaks with a voice.

    Raises:
        UsageError: `voice_not_ready`, `unknown_speaker`, and what the engine refuses.
        DependencyError, GateError, BundleError: the engine's program, weights or bundle cannot be used.
    """
    match choice.engine_mode:
        case "flite":
            return FliteEngine(choice.speaker or "slt")
        case "espeak-ng":
            return EspeakEngine(choice.speaker or "")
        case "trained":
            return TrainedEngine(_bundle(choice), threads=options.threads or 1)
    raise DependencyError(
        "Voices that speak with Qwen3-TTS cannot be used yet.",
        reason="engine_unavailable:qwen",
        hint="Use a trained voice, or --speaker flite:slt.",
    )


def origin_of(choice: VoiceChoice, engine: SpeechEngine, rights: Rights | None) -> Origin | None:
    """The origin that the marks of the speech state; None for a trained voice that is unmarked by decision.

    Raises:
        BundleFileError: the manifest of a trained voice cannot be read.
    """
    if choice.engine_mode == "trained":
        return bundle_origin(_bundle(choice))
    return speech_origin(engine.description, choice.voice_id, rights)


def _bundle(choice: VoiceChoice) -> Path:
    if choice.bundle is None:
        raise UsageError(
            f"{choice.voice_id} has no trained bundle.",
            reason=f"voice_not_ready:{choice.voice_id}",
            hint=f"Train it: voice-train-prod --voice {choice.voice_id}",
        )
    return choice.bundle
