"""Options that the apps share. Options that belong together reach a command as one argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voicemill.commands import in_one, with_options

if TYPE_CHECKING:
    from voicemill.dataset.rights import Rights
    from voicemill_cloning.app_context import AppContext
    from voicemill_cloning.generation import GenerationOptions
    from voicemill_cloning.opening import ModelSettings

PATH = click.Path(path_type=Path)
DTYPES = ("auto", "float32", "float16", "bfloat16")
PROFILES = ("stable", "balanced", "expressive")

_OUT = click.option("--out", type=PATH, help="Folder of results.  [default: WORK_DIR or work]")
_CACHE = click.option("--cache", type=PATH, help="Cache folder.  [default: CACHE_DIR or cache]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
RIGHTS = (
    click.option(
        "--consent", metavar="FILE|TEXT", help="Statement of consent of the speaker; carried into every sound."
    ),
    click.option("--licence", metavar="SPDX", help="Licence of the recording, for instance CC-BY-4.0."),
)
timeout_option = click.option(
    "--timeout", type=click.FloatRange(0.0), default=0.0, show_default=True, help="Seconds for a text; 0 for no limit."
)
whisper_option = click.option(
    "--whisper-model", metavar="NAME", help="Recogniser: tiny.en, base, small.  [default: by the language]"
)
instruct_options = with_options(
    click.option("--instruct", metavar="SENTENCE", help="How a built-in speaker is to speak."),
    click.option("--instruct-style", metavar="NAME", help="A sentence of configs/voice/styles.yaml instead."),
)


def _context(cache: Path | None, out: Path | None = None) -> AppContext:
    from voicemill_cloning.app_context import AppContext

    return AppContext.read(os.environ, cache, out)


def read_rights(consent: str | None, licence: str | None) -> Rights | None:
    """See `voicemill.dataset.rights.parse_rights`, which is imported at its first use."""
    from voicemill.dataset.rights import parse_rights

    return parse_rights(consent, licence)


def _generation(**values: Any) -> GenerationOptions:
    from voicemill_cloning.generation import GenerationOptions

    return GenerationOptions(**values)


def _model_settings(**values: Any) -> ModelSettings:
    from voicemill_cloning.opening import ModelSettings

    return ModelSettings(**values)


def _text(text: str | None, text_file: Path | None) -> str:
    from voicemill_cloning.app_context import read_text

    return read_text(text, text_file, sys.stdin.buffer)


cache_options = in_one("context", _context, _CACHE)
"""`--cache`, as `context`."""
folder_options = in_one("context", _context, _OUT, _CACHE)
"""`--out` and `--cache`, as `context`."""
model_options = in_one(
    "engine",
    _model_settings,
    click.option("--model", metavar="ID", help="Weights of Qwen3-TTS, by their id on the allowlist."),
    click.option("--threads", type=click.IntRange(1, 256), help="Threads of the processor."),
    click.option("--dtype", type=click.Choice(DTYPES), default="auto", show_default=True, help="Numbers of the model."),
)
"""As `engine`, `ModelSettings`."""
rights_options = in_one("rights", read_rights, *RIGHTS)
"""As `rights`, `Rights` or None."""
text_options = in_one(
    "words",
    _text,
    click.option("--text", help="Text to speak."),
    click.option("--text-file", type=PATH, help="Text file, UTF-8; - for standard input."),
)
"""As `words`, the text."""
generation_options = with_options(
    in_one(
        "generation",
        _generation,
        click.option("--profile", metavar="NAME", help=f"{', '.join(PROFILES)}.  [default: the voice's, or balanced]"),
        click.option("--temperature", type=float, help="Sampling temperature, above 0; low values vary less."),
        click.option("--top-p", type=float, help="Share of the probability that is chosen from."),
        click.option("--repetition-penalty", type=float, help="Penalty of repeated frames, from 1 (none)."),
        click.option("--max-new-tokens", type=click.IntRange(1, 8192), help="Longest generation, in codec frames."),
    ),
    click.option("--save-profile-default", is_flag=True, help="Keep the profile and its changes for this voice."),
)
"""As `generation`, `GenerationOptions`, and `save_profile_default`."""
take_options = with_options(
    click.option(
        "--language", default="Auto", show_default=True, help="Language of the text: English, German, zh, and others."
    ),
    click.option("--variants", type=click.IntRange(1, 50), default=1, show_default=True, help="Number of takes."),
    click.option("--select-best", is_flag=True, help="Judge the takes and copy the best to best.wav."),
    click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of the first take; the others follow."),
)
"""`--language`, `--variants`, `--select-best`, `--seed`."""
