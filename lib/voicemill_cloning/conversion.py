"""Pickled prompts of an earlier toolbox become safetensors; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from voicemill import files
from voicemill.dataset.rights import Rights
from voicemill.errors import GateError, UsageError, VoicemillError
from voicemill_cloning.listing import unnamed_prompts
from voicemill_cloning.prompt_pickles import read_pickled_prompt
from voicemill_cloning.prompts import SUFFIX, write_prompt
from voicemill_cloning.registry import KnownVoice, SpeakingVoices
from voicemill_cloning.voice_file import SpeakingVoice

_KEPT = ("model", "mode", "ref_hash", "transcript", "ref_language_detected", "instruct", "design_model", "created_at")
"""Members of the file beside a prompt that the new file keeps."""


def convert(
    voices: SpeakingVoices, name: str | None, rights: Rights | None = None
) -> tuple[list[Path], list[VoicemillError]]:
    """Convert the prompts of a voice, or of all voices and those without a voice.

    The pickles stay, so that the earlier toolbox goes on working; the voice's file names the new prompts.

    Args:
        voices: the registry.
        name: of a voice; None converts all.
        rights: consent and licence to record in the voice.

    Returns:
        The files that were written; and with all voices what was refused, while the others were converted.

    Raises:
        UsageError: `voice_not_found`, `prompt_missing`.
        GateError: `unsafe_archive:<why>`, a pickle of the voice holds more than a prompt.
        StorageError: a file cannot be written.
    """
    if name is not None:
        return _of_voice(voices, voices.find(name), rights), []
    known, refused = voices.known()
    steps: list[Callable[[], list[Path]]] = [partial(_of_voice, voices, each, rights) for each in known]
    steps += [partial(_of_file, path) for path in unnamed_prompts(voices.cache) if path.suffix == ".pkl"]
    made: list[Path] = []
    errors: list[VoicemillError] = [*refused]
    for step in steps:
        try:
            made += step()
        except (GateError, UsageError) as error:
            errors.append(error)
    return made, errors


def _of_file(path: Path) -> list[Path]:
    return [_converted(path)]


def _of_voice(voices: SpeakingVoices, known: KnownVoice, rights: Rights | None) -> list[Path]:
    if known.file is None:
        return []
    made: dict[str, Path] = {}
    for stem, name in known.file.prompts.items():
        if name.lower().endswith(".pkl"):
            made[stem] = _converted(known.folder / name)
    newest = _newest(known)

    def edit(file: SpeakingVoice) -> SpeakingVoice:
        prompts = file.prompts | {stem: path.relative_to(known.folder).as_posix() for stem, path in made.items()}
        return file.model_copy(
            update={"prompts": prompts, "prompt": file.prompt or newest, "rights": rights or file.rights}
        )

    if made or rights is not None:
        voices.change(known.slug, edit)
    return list(made.values())


def _newest(known: KnownVoice) -> str | None:
    """The prompt whose file changed last: that one speaks without a tone in the earlier toolbox."""
    prompts = known.file.prompts if known.file else {}
    there = {stem: known.folder / name for stem, name in prompts.items() if (known.folder / name).is_file()}
    return max(there, key=lambda stem: there[stem].stat().st_mtime, default=None)


def _converted(path: Path) -> Path:
    target = path.with_suffix(SUFFIX)
    write_prompt(target, read_pickled_prompt(path, _beside(path)))
    return target


def _beside(path: Path) -> dict[str, str]:
    """What the file beside a prompt says of it."""
    try:
        value: Any = files.read_json(path.with_suffix(".meta.json"))
    except (OSError, files.InvalidJsonError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {name: str(value[name]) for name in _KEPT if isinstance(value.get(name), str | int | float)}
