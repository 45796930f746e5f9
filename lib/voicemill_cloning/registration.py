"""Entering a cloned voice into the registry: its source clip, then its reference, then its prompt."""

from __future__ import annotations

from pathlib import Path

from voicemill import files
from voicemill.dataset.rights import Rights
from voicemill.errors import UsageError
from voicemill_cloning import voice_file
from voicemill_cloning.references import Reference
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.voice_file import SpeakingVoice, VoiceReference, VoiceSource


def require_cloneable(voices: SpeakingVoices, slug: str) -> None:
    """Refuse a name that a built-in speaker has, before anything is computed.

    Raises:
        UsageError: `voice_of_another_kind:<slug>`.
        ConfigError: `voice_invalid:<slug>`.
    """
    if voices.has(slug) and voices.get(slug).engine == "custom_voice":
        raise _other_kind(slug)


def register_source(
    voices: SpeakingVoices, slug: str, clip: Path, source: VoiceSource, rights: Rights | None = None
) -> SpeakingVoice:
    """Register a voice with its source clip; a voice that exists keeps its file, and gets the new clip.

    Args:
        voices: the registry.
        slug: name of the voice.
        clip: WAV; copied.
        source: where it comes from.
        rights: consent and licence; None keeps what is stated.

    Raises:
        UsageError: `voice_of_another_kind:<slug>`, the voice is built in.
        StorageError: something cannot be written.
    """
    known = voices.create(_new(slug, source, rights))
    if known.engine == "custom_voice":
        raise _other_kind(slug)
    files.copy_file(clip, voices.folder(slug) / voice_file.SOURCE_CLIP)
    if rights is None or known.rights == rights:
        return known
    return voices.change(slug, lambda file: file.model_copy(update={"rights": rights}))


def register_reference(
    voices: SpeakingVoices,
    slug: str,
    reference: Reference,
    language: str | None,
    *,
    source: VoiceSource,
    rights: Rights | None = None,
) -> SpeakingVoice:
    """Give a voice its reference; the voice is registered if it is not there.

    Raises:
        UsageError: `voice_of_another_kind:<slug>`.
        StorageError: something cannot be written.
    """
    known = voices.create(_new(slug, source, rights))
    if known.engine == "custom_voice":
        raise _other_kind(slug)
    files.copy_file(reference.wav, voices.folder(slug) / voice_file.REFERENCE)
    chosen = reference.prepared.chosen
    made = VoiceReference(
        hash=reference.prepared.source_sha256,
        segment_start=chosen.start,
        segment_end=chosen.end,
        duration_sec=round(chosen.seconds, 3),
        transcript=reference.text,
        transcript_conf=reference.confidence,
        language=language,
        language_prob=chosen.language_probability,
    )
    return voices.change(slug, lambda file: file.model_copy(update={"ref": made, "rights": rights or file.rights}))


def register_prompt(voices: SpeakingVoices, slug: str, stem: str, tone: str | None) -> SpeakingVoice:
    """Enter a prompt that lies in the voice's folder; without a tone it is the one that speaks."""

    def edit(file: SpeakingVoice) -> SpeakingVoice:
        prompts = {**file.prompts, stem: f"{voice_file.PROMPTS}/{stem}.safetensors"}
        tones = file.tones if tone is None else {**file.tones, tone: stem}
        prompt = stem if tone is None else file.prompt or stem
        return file.model_copy(update={"prompts": prompts, "tones": tones, "prompt": prompt})

    return voices.change(slug, edit)


def source_of(voices: SpeakingVoices, slug: str) -> Path:
    """The recording that a voice's reference is taken from: its source clip, else its reference.

    Raises:
        UsageError: `voice_without_source:<slug>`.
    """
    for name in (voice_file.SOURCE_CLIP, voice_file.REFERENCE):
        path = voices.folder(slug) / name
        if path.is_file():
            return path
    raise UsageError(
        f"The voice {slug} has no recording.",
        reason=f"voice_without_source:{slug}",
        hint=f"Give it one: voice-split --audio FILE --voice-name {slug}",
    )


def _new(slug: str, source: VoiceSource, rights: Rights | None) -> SpeakingVoice:
    created = voice_file.now()
    return SpeakingVoice(
        slug=slug,
        display_name=slug,
        created_at=created,
        updated_at=created,
        engine="clone_prompt",
        source=source,
        rights=rights,
    )


def _other_kind(slug: str) -> UsageError:
    return UsageError(
        f"{slug} is a built-in speaker, and cannot become a cloned voice.",
        reason=f"voice_of_another_kind:{slug}",
        hint="Choose another name.",
    )
