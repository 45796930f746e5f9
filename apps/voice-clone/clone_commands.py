"""voice-clone synth, prepare-ref, self-test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from voicemill_cloning.app_options import (
    cache_options,
    folder_options,
    generation_options,
    model_options,
    take_options,
    text_options,
    timeout_option,
)
from voicemill_cloning.clone_options import clone_options, self_test_options

if TYPE_CHECKING:
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.clone_run import CloneOutcome
    from voicemill_cloning.cloning import CloneRequest
    from voicemill_cloning.generation import GenerationOptions
    from voicemill_cloning.opening import ModelSettings


@click.command("synth")
@clone_options
@text_options
@click.option("--prompt-prefix", default="", metavar="TEXT", help="Spoken before the text.")
@click.option("--prompt-suffix", default="", metavar="TEXT", help="Spoken after the text.")
@take_options
@generation_options
@timeout_option
@model_options
@folder_options
def synth_command(
    clone: CloneRequest,
    words: str,
    prompt_prefix: str,
    prompt_suffix: str,
    language: str,
    variants: int,
    select_best: bool,
    seed: int | None,
    generation: GenerationOptions,
    save_profile_default: bool,
    timeout: float,
    engine: ModelSettings,
    context: AppContext,
) -> None:
    """Prepare the reference of a voice, build its prompt, and speak a text with it."""
    from voicemill import console
    from voicemill_cloning import clone_run
    from voicemill_cloning.speak_run import check_text

    request = clone_run.CloneRun(
        clone,
        check_text(" ".join(filter(None, (prompt_prefix, words.strip(), prompt_suffix)))),
        generation,
        language=language,
        variants=variants,
        select_best=select_best,
        seed=seed,
        save_defaults=save_profile_default,
    )
    context.require_writable()
    with console.Interrupts(), console.Terminal() as terminal:
        made = clone_run.clone_and_speak(context, request, context.engine_options(engine, timeout), terminal)
    _print(made)


@click.command("prepare-ref")
@clone_options
@click.option("--language", hidden=True, expose_value=False)
@click.option("--seed", type=int, hidden=True, expose_value=False)
@model_options
@cache_options
def prepare_command(clone: CloneRequest, engine: ModelSettings, context: AppContext) -> None:
    """Prepare the reference of a voice and build its prompt, so that it can speak."""
    # --language and --seed are taken as the earlier toolbox took them; a reference depends on neither.
    from voicemill import console
    from voicemill.protocol import Protocol
    from voicemill_cloning import cloning

    context.require_writable(context.cache)
    protocol = Protocol(sys.stdout)
    with console.Interrupts(), console.Terminal() as terminal:
        terminal.stage("reference")
        cloned = cloning.prepare(context, clone, terminal)
        chosen = cloned.reference.prepared.chosen
        terminal.note(f"{chosen.start:.1f} to {chosen.end:.1f} s: {cloned.reference.text or '(without words)'}")
        protocol.artifact(cloned.reference.wav)
        terminal.stage("prompt")
        path = cloning.prompt_of(context, cloned, clone, context.engine_options(engine))
    protocol.stats(
        {
            "confidence": cloned.reference.confidence,
            "language": cloned.language,
            "seconds": round(chosen.seconds, 3),
            "transcript": cloned.reference.text,
            "voice": cloned.slug,
        }
    )
    protocol.artifact(path)


@click.command("self-test")
@self_test_options
@click.option("--language", default="Auto", show_default=True, help="Of the sentence.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of the take.")
@timeout_option
@model_options
@folder_options
def self_test_command(
    clone: CloneRequest, language: str, seed: int, timeout: float, engine: ModelSettings, context: AppContext
) -> None:
    """Clone the voice of the bundled demo recording, speak a sentence with it, and check the sound."""
    from voicemill import console
    from voicemill_cloning import clone_run

    context.require_writable()
    with console.Interrupts(), console.Terminal() as terminal:
        opened = context.engine_options(engine, timeout)
        made = clone_run.self_test(context, opened, terminal, clone, language=language, seed=seed)
    _print(made, status="ok")


def _print(made: CloneOutcome, **more: str) -> None:
    from voicemill.protocol import Protocol

    protocol = Protocol(sys.stdout)
    protocol.stats({**made.stats(), **more})
    for path in made.files:
        protocol.artifact(path)
