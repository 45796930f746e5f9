"""The engine of a voice that was chosen, and the models of Qwen3-TTS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemill.dataset.rights import Rights
from voicemill.errors import GateError, UsageError
from voicemill.progress import Observer
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.engines.engine import SpeechEngine, require_language
from voicemill_cloning.engines.programs import EspeakEngine, FliteEngine
from voicemill_cloning.engines.qwen import DEFAULT_MODELS, MODELS, SPEAKERS, Kind, QwenModel, QwenOptions, find_speaker
from voicemill_cloning.engines.trained import TrainedEngine
from voicemill_cloning.marked_files import speech_origin
from voicemill_cloning.prompts import read_prompt
from voicemill_cloning.worker.environment import QwenEnvironment
from voicemill_marks.origin import Origin
from voicemill_runtime.bundle import bundle_origin


@dataclass(frozen=True)
class ModelSettings:
    """`--model`, `--threads`, `--dtype`; see `EngineOptions`."""

    model: str | None = None
    threads: int | None = None
    dtype: str = "auto"


@dataclass(frozen=True)
class EngineOptions:
    """How an engine computes.

    Attributes:
        weights: resolves ids of the allowlist.
        environment: where Qwen3-TTS runs.
        model: id of the weights; None takes what the voice needs.
        threads: of the processor; None lets the engine choose.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        timeout: seconds for one piece of text; 0 for none.
    """

    weights: WeightsRegistry
    environment: QwenEnvironment
    model: str | None = None
    threads: int | None = None
    dtype: str = "auto"
    timeout: float = 0.0

    def require_model(self, kind: Kind, model: str | None = None) -> None:
        """Refuse a model whose weights are not allowed or not pinned, before anything else is computed.

        Raises:
            GateError: the refusals of the gate, `weights_unavailable:<id>`.
        """
        self.weights.require_pinned(self.model or model or DEFAULT_MODELS[kind], "tts")

    def announce_model(self, kind: Kind, observer: Observer) -> None:
        """Say at once that a model cannot be loaded yet, where the work before it is of use without one.

        Raises:
            GateError: the refusals of the gate, except for weights that are not pinned.
        """
        try:
            self.require_model(kind)
        except GateError as error:
            if error.code != "weights_unavailable":
                raise
            observer.note(f"WARNING: the voice gets its reference, and no prompt. {error} {error.hint}")

    def open_model(self, kind: Kind, model: str | None = None) -> QwenModel:
        """Load a model of Qwen3-TTS; see `QwenModel` for what it may raise.

        Args:
            kind: that the model must have.
            model: id of the weights where the options name none.
        """
        return QwenModel(
            self.model or model or DEFAULT_MODELS[kind],
            kind,
            self.weights,
            self.environment,
            QwenOptions(self.dtype, self.threads or 0, self.timeout),
        )


def built_in_model(instruct: str | None) -> str:
    """The model of built-in speakers: the small one, which takes no instruction, or the large one."""
    return MODELS["custom_voice"][1] if instruct else DEFAULT_MODELS["custom_voice"]


def require_spoken(choice: VoiceChoice, language: str) -> None:
    """Refuse a language that a voice cannot speak, where that is known before its engine is opened.

    Raises:
        UsageError: `language_not_spoken:<language>`.
    """
    if choice.engine_mode in ("flite", "trained"):
        require_language(choice.engine_mode, choice.voice_id, ("English",), language)


def open_engine(choice: VoiceChoice, options: EngineOptions) -> SpeechEngine:
    """Open the engine that speaks with a voice.

    Raises:
        UsageError: `voice_not_ready`, `unknown_speaker`, `prompt_invalid`, and what the engine refuses.
        DependencyError, GateError, BundleError, BlockedError: the engine's program, weights or bundle cannot be used.
    """
    if choice.engine_mode == "flite":
        return FliteEngine(choice.speaker or "slt")
    if choice.engine_mode == "espeak-ng":
        return EspeakEngine(choice.speaker or "")
    if choice.engine_mode == "trained":
        return TrainedEngine(_bundle(choice), threads=options.threads or 1)
    if choice.prompt is not None:
        stated = read_prompt(choice.prompt).metadata.get("model")
        known = stated if stated in MODELS["base"] else None
        return options.open_model("base", known).cloned(choice.prompt, choice.voice_id)
    wanted = choice.model or built_in_model(choice.instruction.text)
    if (options.model or wanted) in MODELS["custom_voice"]:
        find_speaker(choice.speaker or "", SPEAKERS)
    model = options.open_model("custom_voice", wanted)
    try:
        return model.built_in(choice.speaker or "")
    except UsageError:
        model.close()
        raise


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
