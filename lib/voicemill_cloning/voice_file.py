"""`voice.json` of a voice that speaks without training: cloned, designed, or a speaker that a model was trained with.

The members are those of the files that the Qwen3-TTS toolbox before this one wrote, which have no `version`; such files
are read as they are, and written in this version at the next change.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files, path_names
from voicemill.dataset.rights import Rights
from voicemill.errors import ConfigError, UsageError
from voicemill.voices.record import VoiceRecord

NAME, SOURCE_CLIP, REFERENCE, PROMPTS = "voice.json", "source_clip.wav", "ref.wav", "prompts"
VoiceEngine = Literal["clone_prompt", "custom_voice", "designed_clone", "trained"]
"""How a voice speaks: with a prompt from a reference recording, as a speaker that the model was trained with, with a
prompt from a designed reference, or with a bundle that was trained here."""
Profile = Literal["stable", "balanced", "expressive"]
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VoiceSource(_Part):
    """Where a voice comes from.

    Attributes:
        type: `file`, `youtube` (any web address), `designed` or `builtin`.
        start_sec: start of the part that was taken, in seconds; `end_sec` its end.
        n_clips: number of clips that were cut from it.
    """

    type: Literal["file", "youtube", "designed", "builtin"]
    path: str | None = None
    url: str | None = None
    video_id: str | None = None
    instruct: str | None = None
    instruct_source: str | None = None
    instruct_style: str | None = None
    ref_text: str | None = None
    speaker: str | None = None
    model: str | None = None
    start_sec: float | None = None
    end_sec: float | None = None
    n_clips: int | None = None


class VoiceReference(_Part):
    """The reference of a voice: a few seconds of its source.

    Attributes:
        hash: sha256 of the recording that it was taken from.
        segment_start: its position in that recording, in seconds; `segment_end` its end.
        transcript_conf: mean log probability of the transcript's tokens.
        wav: file in the voice's folder.
    """

    hash: str
    segment_start: float
    segment_end: float
    duration_sec: float
    transcript: str
    transcript_conf: float | None = None
    language: str | None = None
    language_prob: float | None = None
    wav: str = REFERENCE


class CustomVoice(_Part):
    """A speaker that a model was trained with.

    Attributes:
        tones: the sentence that instructs the model, by the name of a tone.
    """

    model: str
    speaker: str
    instruct_default: str | None = None
    language_default: str = "English"
    tones: dict[str, str] = {}


class GenerationDefaults(_Part):
    """How a voice speaks unless the command says otherwise."""

    profile: Profile | None = None
    temperature: float | None = Field(default=None, gt=0.0, le=2.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    repetition_penalty: float | None = Field(default=None, ge=0.5, le=2.0)
    max_new_tokens_policy: str | float | dict[str, float | str] | None = None


class SpeakingVoice(_Part):
    """The file.

    Attributes:
        prompts: path of a prompt in the voice's folder, by its stem.
        prompt: stem of the prompt that speaks without a tone; None takes the only one.
        tones: stem of a prompt, by the name of a tone.
        rights: consent of the speaker and licence of the recording, as stated.
        dataset: the record of the dataset of this name, see `voicemill.voices.record`.
    """

    version: Literal["voicemill_speaking_voice/1"] = "voicemill_speaking_voice/1"
    slug: str = Field(min_length=1, max_length=64)
    display_name: str
    description: str = ""
    created_at: str
    updated_at: str
    engine: VoiceEngine
    source: VoiceSource | None = None
    ref: VoiceReference | None = None
    prompts: dict[str, str] = {}
    prompt: str | None = None
    tones: dict[str, str] = {}
    custom_voice: CustomVoice | None = None
    generation_defaults: GenerationDefaults | None = None
    rights: Rights | None = None
    dataset: VoiceRecord | None = None

    @property
    def ready(self) -> bool:
        """Whether the record names all that its engine needs; the files may still be missing."""
        if self.engine == "custom_voice":
            return self.custom_voice is not None
        return self.engine == "trained" or self.chosen() is not None

    def chosen(self, tone: str | None = None) -> str | None:
        """Path of the prompt of a tone, or of the one that speaks without; None where there is none."""
        stem = self.tones.get(tone) if tone is not None else self.prompt or next(reversed(self.prompts), None)
        return None if stem is None else self.prompts.get(stem)

    @property
    def tone_names(self) -> tuple[str, ...]:
        """Names of the tones, sorted."""
        return tuple(sorted({*self.tones, *(self.custom_voice.tones if self.custom_voice else ())}))

    def dump(self) -> str:
        """The file's text; a voice without a dataset has no member for it."""
        without = {"dataset"} if self.dataset is None else set()
        return files.dump_json(self.model_dump(mode="json", exclude=without))


def voice_slug(name: str) -> str:
    """The name of a voice as its folder is called: trimmed, in lower case.

    Raises:
        UsageError: `invalid_voice_slug`.
    """
    slug = name.strip().lower()
    if not _SLUG.fullmatch(slug):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a voice.",
            reason="invalid_voice_slug",
            hint="Use 1 to 64 lower-case letters, digits and '-', with a letter or digit at both ends.",
        )
    return slug


def now() -> str:
    """The time for `created_at` and `updated_at`: ISO 8601 with offset, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def parse_voice(data: bytes, slug: str) -> SpeakingVoice:
    """Read a `voice.json`, of this version or without one.

    Args:
        data: bytes of the file.
        slug: name of the voice's folder, for messages.

    Raises:
        ConfigError: `voice_invalid:<slug>`.
    """
    try:
        value = files.parse_json(data)
        if not isinstance(value, dict):
            raise files.InvalidJsonError("not an object")
        voice = SpeakingVoice.model_validate(value if "version" in value else _of_earlier_toolbox(value))
        for path in (*voice.prompts.values(), *([voice.ref.wav] if voice.ref else [])):
            path_names.portable_relative(path)
    except (ValueError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise ConfigError(
            f"voice.json of {slug} is not valid: {why}.",
            reason=f"voice_invalid:{slug}",
            hint="Restore the file from a copy, or delete the voice with voice-synth delete-voice.",
        ) from error
    return voice


def _of_earlier_toolbox(value: dict[str, Any]) -> dict[str, Any]:
    """The members of a file without `version` that this version has; members of others are left out."""
    found = _known(SpeakingVoice, value)
    parts: tuple[tuple[str, type[BaseModel]], ...] = (
        ("source", VoiceSource),
        ("ref", VoiceReference),
        ("custom_voice", CustomVoice),
        ("generation_defaults", GenerationDefaults),
    )
    for name, model in parts:
        if name in found:
            found[name] = _known(model, found[name]) if isinstance(found[name], dict) and found[name] else None
    source, custom = found.get("source") or {}, found.get("custom_voice") or {}
    if not custom.get("speaker"):
        found["custom_voice"] = None
    found.setdefault("display_name", found.get("slug"))
    found.setdefault("created_at", now())
    found.setdefault("updated_at", found["created_at"])
    if "engine" not in found:
        designed = source.get("type") == "designed"
        found["engine"] = "custom_voice" if custom.get("speaker") else "designed_clone" if designed else "clone_prompt"
    return found


def _known(model: type[BaseModel], value: dict[str, Any]) -> dict[str, Any]:
    """The members that a model has; null where it has a default means the default."""
    return {
        name: each
        for name, each in value.items()
        if name in model.model_fields and not (each is None and not model.model_fields[name].is_required())
    }
