"""Which voice speaks, and how: from a name and options to what an engine is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from voicemill.dataset.rights import Rights
from voicemill.errors import UsageError
from voicemill_cloning.listing import unnamed_prompts
from voicemill_cloning.registry import KnownVoice, SpeakingVoices
from voicemill_cloning.styles import Instruction, unknown
from voicemill_cloning.voice_file import GenerationDefaults

EngineMode = Literal["clone_prompt", "custom_voice", "designed_clone", "trained", "flite", "espeak-ng"]
PROGRAMS = ("flite", "espeak-ng")
"""Engines whose voices are named `--speaker ENGINE:VOICE`."""
SOURCE_TYPES: dict[str, str] = {
    "clone_prompt": "clone_prompt",
    "designed_clone": "designed_clone_prompt",
    "custom_voice": "custom_voice_named",
    "trained": "trained_bundle",
}
_SHORTEST_ID = 6
"""Characters of the beginning of a prompt's name, which is a digest."""
DISABLED = ("0", "false", "no", "off", "disabled")
SWITCH = "QWEN3_ENABLE_CUSTOMVOICE"
"""Variable that turns the built-in speakers of Qwen3-TTS off."""


@dataclass(frozen=True)
class VoiceChoice:
    """A voice that was chosen.

    Attributes:
        voice_id: its name, or that of the speaker.
        folder: of its results, below the folder of all results.
        engine_mode: what speaks.
        source_type: what it speaks with.
        speaker: name of a built-in speaker.
        instruction: how to speak, for built-in speakers.
        tone: name of the tone.
        prompt: file of the prompt of a cloned or designed voice.
        model: id of the model's weights; None takes the engine's own.
        bundle: folder of a trained voice.
        language: that the voice speaks by default.
        defaults: of the generation.
        rights: consent and licence of the recording that it was cloned from.
        known: the voice in the registry, if it is there.
    """

    voice_id: str
    folder: Path
    engine_mode: EngineMode
    source_type: str
    speaker: str | None = None
    instruction: Instruction = field(default_factory=Instruction)
    tone: str | None = None
    prompt: Path | None = None
    model: str | None = None
    bundle: Path | None = None
    language: str | None = None
    defaults: GenerationDefaults = field(default_factory=GenerationDefaults)
    rights: Rights | None = None
    known: KnownVoice | None = None


def custom_voice_enabled(value: str | None) -> bool:
    """Whether the built-in speakers may be used, by the value of `SWITCH`."""
    return (value or "").strip().lower() not in DISABLED


def require_custom_voice(enabled: bool) -> None:
    """Refuse built-in speakers where they are turned off.

    Raises:
        UsageError: `custom_voice_disabled`.
    """
    if not enabled:
        raise UsageError(
            "The built-in speakers of Qwen3-TTS are turned off.",
            reason="custom_voice_disabled",
            hint=f"Unset {SWITCH}, or set it to 1.",
        )


def choose_voice(
    voices: SpeakingVoices, name: str, *, tone: str | None = None, instruction: Instruction, enabled: bool = True
) -> VoiceChoice:
    """The voice of a name, of its beginning, or of a prompt file.

    Args:
        voices: the registry.
        name: as given.
        tone: name of a tone.
        instruction: of the options: a built-in voice takes a style, others none.
        enabled: whether built-in speakers may be used.

    Raises:
        UsageError: `voice_not_found`, `voice_ambiguous`, `unknown_tone:<tone>`, `voice_not_ready:<slug>`,
            `instruction_not_taken`, `prompt_missing:<name>`, `prompt_is_pickle:<name>`, `custom_voice_disabled`.
    """
    path = Path(name)
    if path.suffix.lower() in (".pkl", ".safetensors"):
        return _of_file(path, tone, instruction)
    unnamed = _unnamed(voices, name)
    if unnamed is not None:
        return _of_file(unnamed, tone, instruction)
    known = voices.find(name)
    mode: EngineMode = known.engine
    choice = VoiceChoice(known.slug, Path(known.slug), mode, SOURCE_TYPES[mode], bundle=known.bundle, known=known)
    file = known.file
    if file is None:
        _require_no_tone(tone)
        _require_none(instruction, "A trained voice speaks as its recordings do")
        return choice
    choice = replace(choice, defaults=file.generation_defaults or GenerationDefaults(), rights=file.rights)
    if tone is not None and tone not in file.tone_names:
        raise unknown("tone", tone, file.tone_names, reason=f"unknown_tone:{tone[:60]}")
    if mode == "custom_voice" and file.custom_voice is not None:
        require_custom_voice(enabled)
        custom = file.custom_voice
        if tone is not None and instruction.text is None:
            instruction = Instruction(custom.tones[tone], f"tone:{tone}")
        elif instruction.text is None and custom.instruct_default:
            instruction = Instruction(custom.instruct_default, "default")
        return replace(
            choice,
            speaker=custom.speaker,
            model=custom.model,
            instruction=instruction,
            tone=tone,
            language=custom.language_default,
        )
    _require_none(instruction, "A cloned voice speaks as its reference does")
    if not known.ready and mode != "trained":
        raise UsageError(
            f"{known.slug} cannot speak yet: it has no prompt.",
            reason=f"voice_not_ready:{known.slug}",
            hint=f"Make one: voice-clone prepare-ref --voice {known.slug}",
        )
    stem = file.chosen(tone)
    return replace(
        choice,
        tone=tone,
        prompt=None if stem is None or mode == "trained" else _readable(known.folder / stem),
        language=file.ref.language if file.ref else None,
    )


def _unnamed(voices: SpeakingVoices, name: str) -> Path | None:
    """The prompt without a voice whose stem has this beginning, where no voice has it."""
    wanted = name.strip().lower()
    if len(wanted) < _SHORTEST_ID or voices.begins(wanted):
        return None
    found = {path.stem: path for path in unnamed_prompts(voices.cache) if path.stem.lower().startswith(wanted)}
    if len(found) > 1:
        raise UsageError(
            f"{name[:64]!r} is the beginning of {len(found)} prompts.",
            reason=f"voice_ambiguous:{name[:64]}",
            hint="Give more of the name; voice-synth list-voices shows all of them.",
        )
    return next(iter(found.values()), None)


def choose_speaker(name: str, instruction: Instruction, *, enabled: bool = True) -> VoiceChoice:
    """A built-in speaker: of Qwen3-TTS by its name, or `flite:VOICE` and `espeak-ng:VOICE`.

    Raises:
        UsageError: `custom_voice_disabled`; an instruction for a program that takes none.
    """
    engine, colon, voice = name.partition(":")
    if colon and engine in PROGRAMS:
        _require_none(instruction, f"{engine} takes no instruction")
        mode: EngineMode = "flite" if engine == "flite" else "espeak-ng"
        return VoiceChoice(name, Path(engine) / _folder_name(voice or "default"), mode, "program_voice", speaker=voice)
    require_custom_voice(enabled)
    return VoiceChoice(
        f"customvoice/{_folder_name(name)}",
        Path("customvoice") / _folder_name(name),
        "custom_voice",
        "custom_voice_builtin",
        speaker=name,
        instruction=instruction,
    )


def _of_file(path: Path, tone: str | None, instruction: Instruction) -> VoiceChoice:
    if not path.is_file():
        raise UsageError(f"There is no prompt at {path}.", reason=f"prompt_missing:{path.name}", hint="Check the path.")
    _require_no_tone(tone)
    _require_none(instruction, "A cloned voice speaks as its reference does")
    return VoiceChoice(path.stem, Path(_folder_name(path.stem)), "clone_prompt", "clone_prompt", prompt=_readable(path))


def _readable(path: Path) -> Path:
    if path.suffix.lower() == ".pkl":
        raise UsageError(
            f"The prompt {path.name} is a pickle, which could run a program; it is never loaded.",
            reason=f"prompt_is_pickle:{path.name}",
            hint="Convert it first: voice-synth convert-prompts VOICE",
        )
    return path


def _require_no_tone(tone: str | None) -> None:
    if tone is not None:
        raise unknown("tone", tone, (), reason=f"unknown_tone:{tone[:60]}")


def _require_none(instruction: Instruction, why: str) -> None:
    if instruction.text is not None:
        raise UsageError(
            f"{why}; it takes no instruction.",
            reason="instruction_not_taken",
            hint="Leave --instruct and --instruct-style out, or name a built-in speaker with --speaker.",
        )


def _folder_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "voice"
