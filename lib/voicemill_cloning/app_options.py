"""Options that the apps of cloned voices share."""

from __future__ import annotations

from pathlib import Path

import click

from voicemill.commands import Command, with_options

PATH = click.Path(path_type=Path)
DTYPES = ("auto", "float32", "float16", "bfloat16")
PROFILES = ("stable", "balanced", "expressive")


cache_option = click.option("--cache", type=PATH, help="Cache folder.  [default: CACHE_DIR or cache]")
out_option = click.option("--out", type=PATH, help="Folder of results.  [default: WORK_DIR or work]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def engine_options(command: Command) -> Command:
    """`--model`, `--threads`, `--dtype`."""
    return with_options(
        click.option("--model", metavar="ID", help="Weights of Qwen3-TTS, by their id on the allowlist."),
        click.option("--threads", type=click.IntRange(1, 256), help="Threads of the processor."),
        click.option(
            "--dtype", type=click.Choice(DTYPES), default="auto", show_default=True, help="Numbers of the model."
        ),
    )(command)


def generation_options(command: Command) -> Command:
    """`--profile`, `--temperature`, `--top-p`, `--repetition-penalty`, `--max-new-tokens`, `--save-profile-default`."""
    return with_options(
        click.option("--profile", metavar="NAME", help=f"{', '.join(PROFILES)}.  [default: the voice's, or balanced]"),
        click.option("--save-profile-default", is_flag=True, help="Keep the profile and its changes for this voice."),
        click.option("--temperature", type=float, help="Above 0; low values vary less."),
        click.option("--top-p", type=float, help="Share of the probability that is chosen from."),
        click.option("--repetition-penalty", type=float, help="From 1, where nothing is penalised."),
        click.option("--max-new-tokens", type=click.IntRange(1, 8192), help="Longest generation, in codec frames."),
    )(command)


def rights_options(command: Command) -> Command:
    """`--consent`, `--licence`."""
    return with_options(
        click.option(
            "--consent", metavar="FILE|TEXT", help="Statement of consent of the speaker; carried into every sound."
        ),
        click.option("--licence", metavar="SPDX", help="Licence of the recording, for instance CC-BY-4.0."),
    )(command)
