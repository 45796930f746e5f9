"""voice-clone synth, prepare-ref, self-test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voicemill.commands import with_options
from voicemill_cloning.app_options import (
    PATH,
    cache_option,
    engine_options,
    generation_options,
    out_option,
    rights_options,
)
from voicemill_cloning.clone_options import JUDGING, REFERENCE, choose_candidate

if TYPE_CHECKING:
    from voicemill_cloning.cloning import CloneRequest

_INTERACTIVE = click.option("--interactive", "-i", is_flag=True, help="Choose among the candidates on the terminal.")
_TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(0.0), default=0.0, show_default=True, help="Seconds for a text; 0 for no limit."
)


def _request(options: dict[str, Any]) -> CloneRequest:
    """The request of the options, which are taken out of them."""
    from voicemill.dataset.rights import parse_rights
    from voicemill_cloning.cloning import CloneRequest

    take = options.pop
    return CloneRequest(
        audio=take("ref_audio"),
        voice=take("voice"),
        voice_name=take("voice_name"),
        text=take("ref_text"),
        start=take("ref_start"),
        end=take("ref_end"),
        language=take("ref_language"),
        recogniser=take("whisper_model"),
        x_vector_only=take("x_vector_only"),
        tone=take("tone"),
        force_bad=take("force_bad_ref"),
        rights=parse_rights(take("consent"), take("licence")),
        choose=choose_candidate if take("interactive") and sys.stdin.isatty() else None,
        again=take("force"),
    )


@click.command("synth")
@with_options(*REFERENCE)
@click.option("--text", help="Text to speak.")
@click.option("--text-file", type=PATH, help="Text file, UTF-8; - for standard input.")
@click.option("--prompt-prefix", default="", metavar="TEXT", help="Spoken before the text.")
@click.option("--prompt-suffix", default="", metavar="TEXT", help="Spoken after the text.")
@click.option("--language", default="Auto", show_default=True, help="Of the text.  [default: the reference's]")
@click.option("--variants", type=click.IntRange(1, 50), default=1, show_default=True, help="Number of takes.")
@click.option("--select-best", is_flag=True, help="Judge the takes and copy the best to best.wav.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of the first take; the others follow.")
@generation_options
@with_options(*JUDGING)
@_INTERACTIVE
@_TIMEOUT
@rights_options
@engine_options
@out_option
@cache_option
def synth_command(
    text: str | None,
    text_file: Path | None,
    prompt_prefix: str,
    prompt_suffix: str,
    language: str,
    variants: int,
    select_best: bool,
    seed: int | None,
    profile: str | None,
    save_profile_default: bool,
    temperature: float | None,
    top_p: float | None,
    repetition_penalty: float | None,
    max_new_tokens: int | None,
    timeout: float,
    model: str | None,
    threads: int | None,
    dtype: str,
    out: Path | None,
    cache: Path | None,
    **reference: Any,
) -> None:
    """Prepare the reference of a voice, build its prompt, and speak a text with it."""
    from voicemill import console
    from voicemill.protocol import Protocol
    from voicemill_cloning import clone_run
    from voicemill_cloning.app_context import AppContext, read_text
    from voicemill_cloning.generation import GenerationOptions
    from voicemill_cloning.speak_run import check_text

    context = AppContext.read(os.environ, cache, out)
    words = check_text(" ".join(filter(None, (prompt_prefix, read_text(text, text_file).strip(), prompt_suffix))))
    request = clone_run.CloneRun(
        _request(reference),
        words,
        GenerationOptions(profile, temperature, top_p, repetition_penalty, max_new_tokens),
        language=language,
        variants=variants,
        select_best=select_best,
        seed=seed,
        save_defaults=save_profile_default,
    )
    engine = context.engine_options(model, threads, dtype, timeout)
    with console.Interrupts(), console.Terminal() as terminal:
        made = clone_run.clone_and_speak(context, request, engine, terminal)
    protocol = Protocol(sys.stdout)
    protocol.stats(made.stats())
    for path in made.files:
        protocol.artifact(path)


@click.command("prepare-ref")
@with_options(*REFERENCE)
@with_options(*JUDGING)
@_INTERACTIVE
@rights_options
@engine_options
@cache_option
def prepare_command(
    model: str | None, threads: int | None, dtype: str, cache: Path | None, **reference: Any
) -> None:
    """Prepare the reference of a voice and build its prompt, so that it can speak."""
    from voicemill import console
    from voicemill.protocol import Protocol
    from voicemill_cloning import cloning
    from voicemill_cloning.app_context import AppContext

    context = AppContext.read(os.environ, cache)
    request = _request(reference)
    protocol = Protocol(sys.stdout)
    with console.Interrupts(), console.Terminal() as terminal:
        terminal.stage("reference")
        cloned = cloning.prepare(context, request)
        chosen = cloned.reference.prepared.chosen
        terminal.note(f"{chosen.start:.1f} to {chosen.end:.1f} s: {cloned.reference.text or '(without words)'}")
        protocol.artifact(cloned.reference.wav)
        terminal.stage("prompt")
        path = cloning.prompt_of(context, cloned, request, context.engine_options(model, threads, dtype))
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
@_TIMEOUT
@engine_options
@out_option
@cache_option
def self_test_command(
    timeout: float, model: str | None, threads: int | None, dtype: str, out: Path | None, cache: Path | None
) -> None:
    """Clone the voice of the bundled demo recording, speak a sentence with it, and check the sound."""
    from voicemill import console
    from voicemill.protocol import Protocol
    from voicemill_cloning import clone_run
    from voicemill_cloning.app_context import AppContext

    context = AppContext.read(os.environ, cache, out)
    with console.Interrupts(), console.Terminal() as terminal:
        made = clone_run.self_test(context, context.engine_options(model, threads, dtype, timeout), terminal)
    protocol = Protocol(sys.stdout)
    protocol.stats({**made.stats(), "status": "ok"})
    for path in made.files:
        protocol.artifact(path)
