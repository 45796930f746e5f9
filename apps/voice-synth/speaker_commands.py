"""voice-synth list-speakers, capabilities, register-builtin, design-voice, convert-prompts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from voicemill_cloning.app_options import (
    cache_options,
    folder_options,
    json_option,
    model_options,
    rights_options,
)

if TYPE_CHECKING:
    from voicemill.dataset.rights import Rights
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.opening import ModelSettings


@click.command("list-speakers")
@model_options
@json_option
@cache_options
def list_speakers(engine: ModelSettings, as_json: bool, context: AppContext) -> None:
    """List the built-in speakers of a Qwen3-TTS model."""
    from voicemill.console import Terminal
    from voicemill.terminal import json_text
    from voicemill_cloning.built_in import speakers_of
    from voicemill_cloning.choice import require_custom_voice
    from voicemill_cloning.engines.qwen import DEFAULT_MODELS

    require_custom_voice(context.custom_voice)
    chosen = engine.model or DEFAULT_MODELS["custom_voice"]
    speakers, _ = speakers_of(chosen, context.engine_options(engine))
    if as_json:
        click.echo(json_text({"model": chosen, "count": len(speakers), "speakers": list(speakers)}))
    else:
        Terminal().table(chosen, [(name, "") for name in speakers])


@click.command("capabilities")
@model_options
@click.option("--skip-speaker-probe", is_flag=True, help="Load no model to ask for its speakers.")
@click.option("--require-runtime-speakers", is_flag=True, help="Count it as missing if no model gave the speakers.")
@click.option("--strict", is_flag=True, help="Exit with 2 if something is missing.")
@json_option
@cache_options
def capabilities_command(
    engine: ModelSettings,
    skip_speaker_probe: bool,
    require_runtime_speakers: bool,
    strict: bool,
    as_json: bool,
    context: AppContext,
) -> None:
    """Show what Qwen3-TTS can do on this machine, and what is missing for it."""
    from voicemill.console import Terminal
    from voicemill.errors import DependencyError
    from voicemill.terminal import json_text
    from voicemill_cloning.capabilities import CapabilityRequest, capabilities
    from voicemill_cloning.choice import SWITCH

    request = CapabilityRequest(os.environ.get(SWITCH), skip_speaker_probe, require_runtime_speakers)
    found, failures = capabilities(context, request, context.engine_options(engine))
    if as_json:
        click.echo(json_text(found))
    else:
        Terminal().table("Capabilities", _rows(found))
    for sentence in failures:
        click.echo(f"WARNING: {sentence}", err=True)
    if strict and failures:
        raise DependencyError(
            f"{len(failures)} of the capabilities are missing.",
            reason="capabilities_missing",
            hint="The warnings above name them.",
        )


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    runtime, custom = found["runtime"], found["custom_voice"]
    return [
        ("device", f"{runtime['torch_device']}, {runtime['dtype_resolved']}, {runtime['threads']} threads"),
        ("qwen-tts", f"{found['packages']['qwen_tts_version']}, {found['api_compatibility']['error'] or 'usable'}"),
        ("built-in speakers", f"{custom['speaker_count']} ({custom['speaker_probe_mode']})"),
    ]


@click.command("register-builtin")
@click.option("--voice-name", required=True, metavar="NAME", help="Name of the voice.")
@click.option("--speaker", required=True, metavar="NAME", help="One of list-speakers.")
@click.option("--instruct-default", metavar="SENTENCE", help="How the voice speaks without a tone.")
@click.option("--instruct-default-style", metavar="NAME", help="A sentence of configs/voice/styles.yaml instead.")
@click.option("--tone", metavar="NAME", help="Name of a tone to add; repeat the command for more.")
@click.option("--tone-instruct", metavar="SENTENCE", help="How the voice speaks with that tone.")
@click.option("--tone-instruct-style", metavar="NAME", help="A sentence of configs/voice/styles.yaml instead.")
@click.option("--language-default", default="English", show_default=True, help="Language of the voice's texts.")
@click.option("--display-name", help="Name for people.")
@click.option("--description", help="One line about the voice.")
@model_options
@cache_options
def register_builtin(
    voice_name: str,
    speaker: str,
    instruct_default: str | None,
    instruct_default_style: str | None,
    tone: str | None,
    tone_instruct: str | None,
    tone_instruct_style: str | None,
    language_default: str,
    display_name: str | None,
    description: str | None,
    engine: ModelSettings,
    context: AppContext,
) -> None:
    """Register a built-in speaker under a name, with tones; called again, it adds a tone."""
    from voicemill.protocol import Protocol
    from voicemill_cloning.built_in import BuiltInRequest, register
    from voicemill_cloning.choice import require_custom_voice
    from voicemill_cloning.voice_file import voice_slug

    require_custom_voice(context.custom_voice)
    request = BuiltInRequest(
        slug=voice_slug(voice_name),
        speaker=speaker,
        instruction=context.instruction(instruct_default, instruct_default_style),
        tone=tone,
        tone_instruction=context.instruction(tone_instruct, tone_instruct_style),
        language=language_default,
        display_name=display_name,
        description=description,
        model=engine.model,
    )
    voice = register(context.voices, request, context.engine_options(engine))
    protocol = Protocol(sys.stdout)
    protocol.stats({"speaker": speaker, "tones": len(voice.tone_names), "voice": voice.slug})
    protocol.artifact(context.voices.folder(voice.slug) / "voice.json")


@click.command("design-voice")
@click.option("--instruct", metavar="SENTENCE", help="Description of the voice.")
@click.option("--instruct-style", metavar="NAME", help="A sentence of configs/voice/styles.yaml instead.")
@click.option("--ref-text", required=True, metavar="TEXT", help="What the reference says: a sentence or two.")
@click.option("--voice-name", metavar="NAME", help="Register the voice.")
@click.option("--language", default="Auto", show_default=True, help="Language of the reference.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--design-model", metavar="ID", help="Weights that speak the description.")
@click.option("--clone-model", metavar="ID", help="Weights that make the prompt.")
@click.option("--force", is_flag=True, help="Design it again, and replace the voice's reference.")
@model_options
@folder_options
def design_voice(
    instruct: str | None,
    instruct_style: str | None,
    ref_text: str,
    voice_name: str | None,
    language: str,
    seed: int,
    design_model: str | None,
    clone_model: str | None,
    force: bool,
    engine: ModelSettings,
    context: AppContext,
) -> None:
    """Design a voice by a sentence: a model speaks a reference as described, and the prompt is made of that."""
    import dataclasses

    from voicemill import console
    from voicemill.protocol import Protocol
    from voicemill_cloning.designing import DesignRequest, design
    from voicemill_cloning.voice_file import voice_slug

    request = DesignRequest(
        instruction=context.instruction(instruct, instruct_style),
        ref_text=ref_text,
        slug=None if voice_name is None else voice_slug(voice_name),
        language=language,
        seed=seed,
        design_model=design_model or engine.model,
        clone_model=clone_model,
        again=force,
    )
    context.require_writable(context.cache)
    with console.Interrupts(), console.Terminal() as terminal:
        made = design(context, request, context.engine_options(dataclasses.replace(engine, model=None)), terminal)
    protocol = Protocol(sys.stdout)
    protocol.stats({"voice": made.voice.slug if made.voice else None})
    for path in (made.reference, made.prompt):
        protocol.artifact(path)


@click.command("convert-prompts")
@click.argument("voice", required=False)
@rights_options
@cache_options
def convert_prompts(voice: str | None, rights: Rights | None, context: AppContext) -> None:
    """Convert pickled prompts of an earlier toolbox to safetensors, of one voice or of all; nothing is unpickled."""
    from voicemill.protocol import Protocol
    from voicemill_cloning.conversion import convert

    made, refused = convert(context.voices, voice, rights)
    protocol = Protocol(sys.stdout)
    protocol.stats({"converted": len(made)})
    for path in made:
        protocol.artifact(path)
    for error in refused[:-1]:
        click.echo(f"WARNING: {error}", err=True)
    if refused:
        raise refused[-1]


SPEAKER_COMMANDS = (list_speakers, capabilities_command, register_builtin, design_voice, convert_prompts)
