"""Qwen3-TTS as engines: cloned voices, built-in speakers, and voices from a description.

The weights pass the licence gate and are compared with their pinned digests before anything is set up or started. The
process reads them through a folder of links, which holds the checked files and nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import soundfile

from voicemill import files
from voicemill.errors import GateError, UsageError
from voicemill.weights.allowlist import AllowlistEntry
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning.engines.engine import (
    EngineDescription,
    EngineRequest,
    EngineSpeech,
    require_language,
    unknown_speaker,
)
from voicemill_cloning.languages import LANGUAGES
from voicemill_cloning.worker import messages
from voicemill_cloning.worker.environment import QwenEnvironment
from voicemill_cloning.worker.process import QwenProcess

Kind = Literal["base", "custom_voice", "voice_design"]
DEFAULT_MODELS: dict[Kind, str] = {
    "base": "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
    "custom_voice": "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
    "voice_design": "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign",
}
MODELS: dict[Kind, tuple[str, ...]] = {
    "base": (DEFAULT_MODELS["base"], "Qwen/Qwen3-TTS-12Hz-1.7B-Base"),
    "custom_voice": (DEFAULT_MODELS["custom_voice"], "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"),
    "voice_design": (DEFAULT_MODELS["voice_design"],),
}
SPEAKERS = ("Aiden", "Dylan", "Eric", "Ono_Anna", "Ryan", "Serena", "Sohee", "Uncle_Fu", "Vivian")
"""Built-in speakers of the published custom-voice models. A loaded model states its own."""


def find_speaker(name: str, known: Sequence[str], model: str = "Qwen3-TTS") -> str:
    """The speaker of that name, without regard to case.

    Raises:
        UsageError: `unknown_speaker:<name>`, with names that are near it.
    """
    found = {each.casefold(): each for each in known}.get(name.strip().casefold())
    if found is None:
        raise unknown_speaker(model, name, known)
    return found


@dataclass(frozen=True)
class QwenOptions:
    """How a model runs.

    Attributes:
        dtype: one of `voicemill_cloning.worker.messages.DTYPES`.
        threads: of PyTorch on a CPU; 0 lets it choose.
        timeout: seconds for one piece of text; 0 for no limit.
    """

    dtype: str = "auto"
    threads: int = 0
    timeout: float = 0.0

    def __post_init__(self) -> None:
        if self.dtype not in messages.DTYPES:
            raise UsageError(f"The dtype must be one of {', '.join(messages.DTYPES)}, not {self.dtype!r}.")


class QwenModel:
    """A loaded model in a process of its own. Use it in a `with` statement.

    Attributes:
        weights: entry of the allowlist.
        loaded: what the process states about the model: languages, speakers, device, attention.
    """

    weights: AllowlistEntry
    loaded: messages.LoadedModel

    def __init__(
        self,
        model: str,
        kind: Kind,
        registry: WeightsRegistry,
        environment: QwenEnvironment,
        options: QwenOptions | None = None,
        *,
        download: bool = True,
    ) -> None:
        """Check the weights, set up the environment where that is needed, start the process and load the model.

        Args:
            model: id on the weights allowlist.
            kind: that the model must have.
            registry: of the weights.
            environment: where the process runs.
            options: see `QwenOptions`.
            download: whether missing files may be downloaded.

        Raises:
            GateError: `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>` and the refusals of the gate.
            UsageError: `engine_model_kind:<kind>`.
            DependencyError: `runtime_dependency_missing:qwen-tts`.
            BlockedError: `engine_model_invalid`, `worker_died`, `out_of_memory`, `engine_failed:qwen`.
        """
        self.options = options or QwenOptions()
        self.weights = registry.entry(model, "tts")
        resolved = registry.resolve(model, "tts", download=download)
        _require_kind(model, resolved.paths, kind)
        self._folder = tempfile.TemporaryDirectory(prefix="voicemill-qwen-")
        self._process: QwenProcess | None = None
        try:
            place = Path(self._folder.name) / "model"
            for name, path in resolved.paths.items():
                link = place / name
                link.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(path.absolute(), link)
            self._process = QwenProcess(environment.python(), environment.variables)
            self.loaded = self._process.load(
                messages.LoadRequest(str(place), environment.device, self.options.dtype, self.options.threads)
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> QwenModel:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def process(self) -> QwenProcess:
        """The running process.

        Raises:
            ValueError: the model is closed.
        """
        if self._process is None:
            raise ValueError("the model is closed")
        return self._process

    @property
    def folder(self) -> Path:
        """A temporary folder for sounds, removed with the model."""
        return Path(self._folder.name)

    def close(self) -> None:
        """End the process and remove its temporary files."""
        process, self._process = self._process, None
        if process is not None:
            process.close()
        self._folder.cleanup()

    def build_prompt(
        self,
        audio: Path,
        text: str,
        target: Path,
        *,
        x_vector_only: bool = False,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """Write the clone prompt of a reference (see `voicemill_cloning.prompts`).

        Args:
            audio: WAV of the reference, mono.
            text: its words; may be empty with `x_vector_only`.
            target: file to write; it is replaced as a whole.
            x_vector_only: take the speaker's embedding alone, without the reference's sound and words.
            metadata: further texts for the file.

        Raises:
            UsageError: `reference_text_missing`.
        """
        made = self.folder / "prompt.safetensors"
        own = {"model": self.weights.id, **(metadata or {})}
        self.process.ask(messages.PromptRequest(str(audio), str(made), text, x_vector_only, own))
        files.write_bytes(target, made.read_bytes())
        made.unlink()

    def cloned(self, prompt: Path, name: str) -> QwenEngine:
        """The voice of a clone prompt, as an engine that owns this model."""
        return QwenEngine(self, name, prompt=prompt)

    def built_in(self, speaker: str) -> QwenEngine:
        """A built-in speaker, as an engine that owns this model.

        Raises:
            UsageError: `unknown_speaker:<name>`.
        """
        known = find_speaker(speaker, self.loaded.speakers, f"The model {self.weights.id}")
        return QwenEngine(self, speaker, speaker=known)

    def designed(self, instruct: str) -> QwenEngine:
        """The voice of a description, as an engine that owns this model."""
        return QwenEngine(self, "designed", instruct=instruct)


class QwenEngine:
    """One voice of a loaded model; see `voicemill_cloning.engines.engine.SpeechEngine`."""

    def __init__(
        self, model: QwenModel, voice: str, *, prompt: Path | None = None, speaker: str = "", instruct: str = ""
    ) -> None:
        """See `QwenModel.cloned`, `QwenModel.built_in` and `QwenModel.designed`.

        Attributes:
            progress: called during a generation with its frames so far and the largest possible number.
        """
        self._model, self._prompt, self._speaker, self._instruct = model, prompt, speaker, instruct
        self.progress: Callable[[int, int], object] = lambda tokens, of: None
        loaded = model.loaded
        self.description = EngineDescription(
            engine="qwen",
            voice=voice,
            version=f"qwen-tts {loaded.versions['qwen-tts']}",
            model=model.weights.id,
            licence=model.weights.weights_license or "NOASSERTION",
            attribution=model.weights.attribution,
            languages=tuple(name for name in LANGUAGES if name.lower() in loaded.languages),
            varies=True,
            takes_instruct=loaded.takes_instruct and prompt is None,
            frames_per_second=loaded.frames_per_second,
            note=loaded.attention_note if loaded.device != "cpu" else "",
        )

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        """Speak one text; see `SpeechEngine`.

        Raises:
            UsageError: `instruct_without_effect`, `language_not_spoken:<name>`.
            BlockedError: `generation_timeout`, `out_of_memory`, `worker_died`, `engine_failed:qwen`.
        """
        require_language(self._model.weights.id, self.description.voice, self.description.languages, request.language)
        if request.instruct and not self.description.takes_instruct:
            raise UsageError(
                f"An instruction has no effect on the voice {self.description.voice}.",
                reason="instruct_without_effect",
                hint="A cloned voice takes its delivery from its reference; built-in speakers need the 1.7B model.",
            )
        target = self._model.folder / "speech.wav"
        answer = self._model.process.generate(
            messages.GenerateRequest(
                text=request.text,
                target=str(target),
                language=request.language,
                seed=request.seed,
                prompt=str(self._prompt or ""),
                speaker=self._speaker,
                instruct=request.instruct or self._instruct,
                options=request.sampling.given(),
                timeout=self._model.options.timeout,
            ),
            lambda tokens, of: self.progress(tokens, of),
        )
        samples, rate = soundfile.read(target, dtype="float32")
        target.unlink()
        return EngineSpeech(samples, int(rate), complete=answer.complete)

    def close(self) -> None:
        """End the model's process."""
        self._model.close()


def _require_kind(model: str, paths: dict[str, Path], kind: Kind) -> None:
    """Compare the kind that the model's configuration states, before anything is started.

    Raises:
        GateError: `engine_model_invalid`.
        UsageError: `engine_model_kind:<kind>`.
    """
    try:
        found = json.loads(paths["config.json"].read_text(encoding="utf-8"))["tts_model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GateError(
            f"The configuration of {model} states no kind of model.",
            reason="engine_model_invalid",
            hint="Fetch the model again, and pin its files.",
        ) from error
    if found != kind:
        raise UsageError(
            f"{model} is a model of kind {found}, and {kind} is needed here.",
            reason=f"engine_model_kind:{found}",
            hint=f"Use one of: {', '.join(MODELS[kind])}.",
        )
