"""voice-synth speak: takes of a text by any voice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voicemill_cloning.app_options import (
    PATH,
    folder_options,
    generation_options,
    instruct_options,
    model_options,
    take_options,
    text_options,
    whisper_option,
)

if TYPE_CHECKING:
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.choice import VoiceChoice
    from voicemill_cloning.generation import Generation, GenerationOptions
    from voicemill_cloning.opening import ModelSettings
    from voicemill_cloning.results import SpokenRun


@click.command(
    "speak",
    epilog="""\b
Examples:
  voice-synth speak --voice anna --text "Good morning."
  voice-synth speak --voice anna --tone warm --text "Good morning." --variants 3 --select-best
  voice-synth speak --speaker Ryan --instruct-style formal --text "Good morning."
  voice-synth speak --voice anna --text-file talk.txt --chunk --out-exact talk --json-result talk/result.json""",
)
@click.option("--voice", metavar="NAME|FILE", help="A voice, the beginning of its name, or a file of a prompt.")
@click.option(
    "--speaker", metavar="NAME", help="A built-in speaker of Qwen3-TTS, flite:VOICE or espeak-ng:VOICE instead."
)
@text_options
@click.option("--tone", metavar="NAME", help="One of the voice's tones.")
@instruct_options
@take_options
@click.option("--chunk", is_flag=True, help="Speak the text in pieces of a sentence or two, joined with pauses.")
@click.option("--qa", is_flag=True, help="Recognise each take and compare it with the text.")
@click.option("--align-words", is_flag=True, help="Write the times of words into the file of --json-result.")
@whisper_option
@generation_options
@model_options
@click.option("--out-exact", type=PATH, metavar="DIR", help="Write into this folder, without folders of its own.")
@click.option("--json-result", type=PATH, metavar="FILE", help="Write the result for another program.")
@folder_options
def speak_command(
    voice: str | None,
    speaker: str | None,
    words: str,
    tone: str | None,
    instruct: str | None,
    instruct_style: str | None,
    language: str,
    variants: int,
    select_best: bool,
    seed: int | None,
    chunk: bool,
    qa: bool,
    align_words: bool,
    whisper_model: str | None,
    generation: GenerationOptions,
    save_profile_default: bool,
    engine: ModelSettings,
    out_exact: Path | None,
    json_result: Path | None,
    context: AppContext,
) -> None:
    """Speak a text in one or several takes, marked as synthetic speech, with a record of how they were made."""
    from voicemill import console
    from voicemill_cloning.generation import resolve
    from voicemill_cloning.opening import open_engine
    from voicemill_cloning.speak_run import SpeakRequest, check_text, language_of, speak_run

    choice = context.choice(voice, speaker, tone, context.instruction(instruct, instruct_style))
    check_text(words)
    language_of(language, choice, words)
    context.require_writable(out_exact or context.out / choice.folder, json_result)
    resolved = resolve(generation, choice.defaults)
    saved = _save_defaults(context, choice, resolved) if save_profile_default else None
    request = SpeakRequest(
        text=words,
        choice=choice,
        generation=resolved,
        language=language,
        variants=variants,
        select_best=select_best,
        chunk=chunk,
        qa=qa,
        align_words=align_words,
        recogniser=whisper_model,
        seed=seed,
        saved=saved,
    )
    opened = context.engine_options(engine)
    with console.Interrupts(), console.Terminal() as terminal:
        run = speak_run(request, lambda: open_engine(choice, opened), context.judges(terminal), terminal)
    _write(context, run, out_exact, json_result)


def _save_defaults(context: AppContext, choice: VoiceChoice, generation: Generation) -> dict[str, object]:
    """Keep profile and changes for the voice; the saved values."""
    from voicemill.errors import UsageError
    from voicemill_cloning.generation import as_defaults

    if choice.known is None or choice.known.file is None:
        raise UsageError("--save-profile-default needs a voice of the registry that is cloned, built in or designed.")
    defaults = as_defaults(generation)
    context.voices.change(choice.known.slug, lambda file: file.model_copy(update={"generation_defaults": defaults}))
    return defaults.model_dump(mode="json", exclude_none=True)


def _write(context: AppContext, run: SpokenRun, exact: Path | None, json_result: Path | None) -> None:
    from voicemill import files
    from voicemill.protocol import Protocol, Scalar
    from voicemill_cloning import results

    folder = exact or results.free_folder(context.out / run.choice.folder)
    written = results.write_run(run, folder, context.signer(), app="voice-synth")
    if json_result is not None:
        files.write_json(json_result, results.result(run, folder, "voice-synth"))
        written.append(json_result)
    chosen = run.chosen
    stats: dict[str, Scalar] = {
        "engine": run.choice.engine_mode,
        "language": run.language,
        "seconds": round(chosen.take.seconds, 3),
        "selected": chosen.name if run.selected else None,
        "takes": len(run.takes),
        "voice": run.choice.voice_id,
        "x_real_time": round(1.0 / max(chosen.take.rtf, 1e-6), 2),
    }
    protocol = Protocol(sys.stdout)
    protocol.stats(stats)
    for path in written:
        protocol.artifact(path)
