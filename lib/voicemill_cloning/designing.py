"""A voice from a description: a model speaks a text as the description says, and that speech is the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import UsageError
from voicemill.progress import Observer
from voicemill_cloning import cloning, languages, voice_file
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.cloning import CloneRequest
from voicemill_cloning.languages import AUTO
from voicemill_cloning.marked_files import speech_origin, write_take
from voicemill_cloning.opening import EngineOptions
from voicemill_cloning.speaking import SpeakOptions, speak
from voicemill_cloning.styles import Instruction
from voicemill_cloning.text_language import by_text
from voicemill_cloning.voice_file import SpeakingVoice, VoiceSource

DESIGNED = Path("voice-clone/designed_refs")
"""Below the cache folder."""


@dataclass(frozen=True)
class DesignRequest:
    """What is designed.

    Attributes:
        instruction: the description.
        ref_text: what the reference says.
        slug: name of the voice; None registers none.
        design_model: id of the weights that speak the description; `clone_model` of those that make the prompt.
    """

    instruction: Instruction
    ref_text: str
    slug: str | None = None
    language: str = AUTO
    seed: int = 0
    design_model: str | None = None
    clone_model: str | None = None
    again: bool = False

    def __post_init__(self) -> None:
        if self.instruction.text is None:
            raise UsageError("There is no description.", hint="Give it with --instruct or --instruct-style.")
        if not any(map(str.isalnum, self.ref_text)):
            raise UsageError("The text of the reference is empty.", hint="Give a sentence or two with --ref-text.")
        languages.find_language(self.language)


@dataclass(frozen=True)
class DesignedVoice:
    """The reference, its prompt, and the voice that was registered."""

    reference: Path
    prompt: Path
    voice: SpeakingVoice | None


def design(context: AppContext, request: DesignRequest, options: EngineOptions, observer: Observer) -> DesignedVoice:
    """Design a voice: speak the reference, build its prompt, register it.

    Raises:
        UsageError: `voice_exists`, and what the models refuse.
        GateError, DependencyError, BlockedError: a model cannot be used, or fails.
    """
    if request.slug is not None and not request.again:
        context.voices.require_free(request.slug)
    language = languages.find_language(request.language)
    spoken = by_text(request.ref_text) if language == AUTO else language
    observer.stage("designing")
    reference = _reference(context, request, language, options)
    observer.stage("prompt")
    source = VoiceSource(
        type="designed",
        instruct=request.instruction.text,
        instruct_source=request.instruction.source,
        instruct_style=request.instruction.style,
        ref_text=request.ref_text,
    )
    clone = CloneRequest(
        audio=reference,
        voice_name=request.slug,
        text=request.ref_text,
        language=spoken,
        force_bad=True,
        again=request.again,
    )
    cloned = cloning.prepare(context, clone, observer)
    chosen = EngineOptions(
        options.weights, options.environment, request.clone_model, options.threads, options.dtype, options.timeout
    )
    prompt = cloning.prompt_of(context, cloned, clone, chosen)
    if request.slug is None:
        return DesignedVoice(reference, prompt, None)
    changes = {"engine": "designed_clone", "source": source}
    voice = context.voices.change(request.slug, lambda file: file.model_copy(update=changes))
    return DesignedVoice(reference, prompt, voice)


def _reference(context: AppContext, request: DesignRequest, language: str, options: EngineOptions) -> Path:
    """The designed reference, from the cache if it is there."""
    key = files.sha256_bytes("|".join((request.instruction.text or "", request.ref_text, language)).encode("utf-8"))
    folder = context.cache / DESIGNED / key[:16]
    target = folder / "design_ref.wav"
    if target.is_file() and not request.again:
        return target
    model = options.open_model("voice_design", request.design_model)
    with model:
        engine = model.designed(request.instruction.text or "")
        (take,) = speak(engine, request.ref_text, SpeakOptions(language=language, seed=request.seed))
        origin = speech_origin(engine.description, request.slug or "designed")
        write_take(take, target, origin, context.signer())
        meta = {
            "instruct": request.instruction.text,
            "instruct_source": request.instruction.source,
            "instruct_style": request.instruction.style,
            "ref_text": request.ref_text,
            "language": language,
            "design_model": engine.description.model,
            "seed": request.seed,
            "created_at": voice_file.now(),
        }
    files.write_json(folder / "design_meta.json", meta)
    return target
