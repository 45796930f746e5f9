"""voice-synth teach: a dataset of an engine's speech, from which a voice can be trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voicemill_cloning.app_options import PATH, cache_options, instruct_options, model_options, rights_options

if TYPE_CHECKING:
    from voicemill.dataset.rights import Rights
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.choice import VoiceChoice
    from voicemill_cloning.opening import ModelSettings


@click.command(
    "teach",
    epilog="""\b
Examples:
  voice-synth teach --voice anna --minutes 8
  voice-synth teach --speaker flite:slt --voice-name slt --minutes 6
  voice-train-prod --voice anna

\b
The takes lie in work/teaching/<name>/, the dataset in work/datasets/<name>/. A run that was stopped goes on.""",
)
@click.option("--voice", metavar="NAME|FILE", help="The voice that teaches, or a file of a prompt.")
@click.option("--speaker", metavar="NAME", help="A built-in speaker, flite:VOICE or espeak-ng:VOICE instead.")
@click.option("--tone", metavar="NAME", help="One of the voice's tones.")
@instruct_options
@click.option(
    "--voice-name", metavar="NAME", help="Name of the dataset and of the trained voice.  [default: the teacher's]"
)
@click.option("--minutes", type=float, default=8.0, show_default=True, help="Minutes of accepted speech, 0.2 to 120.")
@click.option("--text-file", type=PATH, help="Sentences to read.  [default: our own, chosen for their phones]")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option("--profile", metavar="NAME", help="stable, balanced or expressive.  [default: the voice's, or balanced]")
@click.option(
    "--max-word-errors",
    type=click.FloatRange(0.0, 1.0),
    default=0.2,
    show_default=True,
    help="Highest share of wrong words in an accepted reading.",
)
@click.option(
    "--min-similarity",
    type=click.FloatRange(-1.0, 1.0),
    default=0.75,
    show_default=True,
    help="Cosine to the reference's speaker embedding.",
)
@click.option(
    "--attempts", type=click.IntRange(1, 20), default=3, show_default=True, help="Readings of a sentence at most."
)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes of the preparation.  [default: one a core]")
@click.option("--force", is_flag=True, help="Read every sentence again.")
@rights_options
@model_options
@cache_options
def teach_command(
    voice: str | None,
    speaker: str | None,
    tone: str | None,
    instruct: str | None,
    instruct_style: str | None,
    voice_name: str | None,
    minutes: float,
    text_file: Path | None,
    seed: int,
    profile: str | None,
    max_word_errors: float,
    min_similarity: float,
    attempts: int,
    workers: int | None,
    force: bool,
    rights: Rights | None,
    engine: ModelSettings,
    context: AppContext,
) -> None:
    """Let a voice read sentences, keep the readings that judges accept, and prepare a dataset of them.

    The takes are not marked, because a voice would learn the watermark; the dataset, the bundle and the checklist of a
    voice that is trained from it say whose synthetic speech it is.
    """
    from voicemill import console
    from voicemill.protocol import Protocol
    from voicemill_cloning import lesson, sentences
    from voicemill_cloning.generation import GenerationOptions, resolve
    from voicemill_cloning.teaching import TeachingLimits

    choice = context.choice(voice, speaker, tone, context.instruction(instruct, instruct_style))
    limits = TeachingLimits(max_word_errors=max_word_errors, min_similarity=min_similarity, attempts=attempts)
    plan = lesson.plan(
        context,
        choice,
        resolve(GenerationOptions(profile=profile), choice.defaults),
        name=_name(context, choice, voice_name),
        minutes=minutes,
        seed=seed,
        limits=limits,
        stated=rights,
    )
    read = sentences.reading_list(seed) if text_file is None else iter(lesson.own_sentences(text_file))
    opened = context.engine_options(engine)
    context.require_writable(context.workspace.work)
    protocol = Protocol(sys.stdout)
    with console.Interrupts(), console.Terminal() as terminal:
        taught = lesson.give(plan, context, read, opened, terminal, protocol, workers=workers, force=force)
    terminal.table("Dataset", taught.rows())
    protocol.stats(taught.stats())
    for path in (taught.prepared.manifest, taught.prepared.root / "dataset.json", taught.folder / lesson.RECORD):
        protocol.artifact(path)


def _name(context: AppContext, choice: VoiceChoice, given: str | None) -> str:
    """The name of the dataset."""
    from voicemill.errors import UsageError
    from voicemill.workspace import profile_id

    if given is not None:
        return profile_id(given)
    if choice.known is None:
        raise UsageError("The dataset needs a name.", hint="Give it with --voice-name, for instance --voice-name slt.")
    return choice.known.slug
