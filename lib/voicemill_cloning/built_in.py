"""Built-in speakers of Qwen3-TTS: their names, and voices of the registry that are one of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicemill.errors import UsageError
from voicemill_cloning import languages, voice_file
from voicemill_cloning.engines.qwen import DEFAULT_MODELS, MODELS, SPEAKERS, find_speaker
from voicemill_cloning.opening import EngineOptions, built_in_model
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.styles import Instruction
from voicemill_cloning.voice_file import CustomVoice, SpeakingVoice, VoiceSource


@dataclass(frozen=True)
class BuiltInRequest:
    """A voice that is a built-in speaker.

    Attributes:
        slug: its name.
        speaker: of the model.
        instruction: by default; `tone_instruction` that of `tone`.
        model: id of the weights; None takes the small model, or the large one where something is instructed.
    """

    slug: str
    speaker: str
    instruction: Instruction
    tone: str | None = None
    tone_instruction: Instruction = field(default_factory=Instruction)
    language: str = "English"
    display_name: str | None = None
    description: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if (self.tone is None) != (self.tone_instruction.text is None):
            raise UsageError(
                "A tone needs an instruction, and an instruction of a tone its name.",
                hint="Give --tone with --tone-instruct or --tone-instruct-style.",
            )
        if self.tone is not None and not self.tone.strip():
            raise UsageError("The name of the tone is empty.")
        languages.find_language(self.language)


def speakers_of(model: str, options: EngineOptions) -> tuple[tuple[str, ...], str]:
    """The speakers of a model, and where the names come from: `published` or `runtime`.

    Raises:
        UsageError, GateError, DependencyError, BlockedError: another model cannot be loaded.
    """
    if model in MODELS["custom_voice"]:
        return SPEAKERS, "published"
    with options.open_model("custom_voice", model) as loaded:
        return tuple(loaded.loaded.speakers), "runtime"


def register(voices: SpeakingVoices, request: BuiltInRequest, options: EngineOptions) -> SpeakingVoice:
    """Register a built-in speaker under a name; called again, it adds a tone and changes what is given.

    Raises:
        UsageError: `unknown_speaker`, `voice_of_another_kind:<slug>`, `trained_voice_fixed`.
        StorageError: the registry cannot be written.
    """
    instructed = request.instruction.text or request.tone_instruction.text
    model = request.model or options.model
    speakers, _ = speakers_of(model or DEFAULT_MODELS["custom_voice"], options)
    speaker = find_speaker(request.speaker, speakers)
    known = voices.get(request.slug) if voices.has(request.slug) else None
    if known is not None and (known.file is None or known.file.engine != "custom_voice"):
        raise UsageError(
            f"{request.slug} is a {known.engine} voice, and cannot become a built-in speaker.",
            reason=f"voice_of_another_kind:{request.slug}",
            hint="Choose another name.",
        )
    made = CustomVoice(
        model=model or built_in_model(instructed),
        speaker=speaker,
        instruct_default=request.instruction.text,
        language_default=languages.find_language(request.language),
        tones={request.tone: request.tone_instruction.text or ""} if request.tone else {},
    )
    if known is None:
        created = voice_file.now()
        return voices.create(
            SpeakingVoice(
                slug=request.slug,
                display_name=request.display_name or request.slug,
                description=request.description or "",
                created_at=created,
                updated_at=created,
                engine="custom_voice",
                source=VoiceSource(type="builtin", speaker=speaker, model=made.model),
                custom_voice=made,
            )
        )
    return voices.change(request.slug, lambda file: _changed(file, made, request))


def _changed(file: SpeakingVoice, made: CustomVoice, request: BuiltInRequest) -> SpeakingVoice:
    before = file.custom_voice
    if before is not None:
        large = MODELS["custom_voice"][1]
        keep = before.model if request.model is None and made.model != large else made.model
        made = made.model_copy(
            update={
                "tones": {**before.tones, **made.tones},
                "instruct_default": made.instruct_default or before.instruct_default,
                "model": keep,
            }
        )
    changes: dict[str, object] = {"custom_voice": made}
    if request.display_name is not None:
        changes["display_name"] = request.display_name
    if request.description is not None:
        changes["description"] = request.description
    return file.model_copy(update=changes)
