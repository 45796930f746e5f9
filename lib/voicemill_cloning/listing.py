"""All voices that can speak, for people and for programs (`voice-synth list-voices`)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voicemill.errors import ConfigError
from voicemill_cloning.registry import KnownVoice, SpeakingVoices

UNNAMED = Path("voice-clone/prompts")
"""Prompts without a voice, below the cache folder."""


def listing(voices: SpeakingVoices) -> tuple[dict[str, Any], list[ConfigError]]:
    """The voices as `list-voices --json` prints them, the newest first; and what is wrong with damaged files."""
    known, damaged = voices.known()
    named = [_named(each) for each in known]
    unnamed = [_unnamed(path) for path in unnamed_prompts(voices.cache)]
    found = {
        "cache": str(voices.cache),
        "registry_dir": str(voices.root),
        "legacy_dir": str(voices.cache / UNNAMED),
        "total": len(named) + len(unnamed),
        "named_count": len(named),
        "legacy_count": len(unnamed),
        "named": named,
        "legacy": unnamed,
    }
    return found, damaged


def unnamed_prompts(cache: Path) -> list[Path]:
    """Prompts that belong to no voice, the newest first."""
    found = [path for path in (cache / UNNAMED).glob("*") if path.suffix in (".pkl", ".safetensors") and path.is_file()]
    converted = {path.stem for path in found if path.suffix != ".pkl"}
    found = [path for path in found if path.suffix != ".pkl" or path.stem not in converted]
    return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))


def _named(known: KnownVoice) -> dict[str, Any]:
    file = known.file
    prompt = file.chosen() if file and known.engine != "trained" else None
    path = None if prompt is None else known.folder / prompt
    custom = file.custom_voice if file else None
    defaults = file.generation_defaults if file else None
    ref = file.ref if file else None
    return {
        "kind": "named",
        "engine": known.engine,
        "id": known.slug,
        "slug": known.slug,
        "display_name": file.display_name if file else known.slug,
        "description": file.description if file else "",
        "pkl": None if path is None else str(path),
        "pkl_exists": path is not None and path.is_file(),
        "model": custom.model if custom else str(known.bundle) if known.engine == "trained" else None,
        "speaker": custom.speaker if custom else None,
        "instruct_default": custom.instruct_default if custom else None,
        "custom_tones": list(file.tone_names) if file else [],
        "generation_defaults": defaults.model_dump(mode="json", exclude_none=True) if defaults else {},
        "generation_profile_default": defaults.profile if defaults else None,
        "ref_language": ref.language if ref else custom.language_default if custom else None,
        "duration_sec": ref.duration_sec if ref else None,
        "transcript": ref.transcript if ref else None,
        "created_at": file.created_at if file else _changed(known.bundle / "manifest.json" if known.bundle else None),
        "_ready": known.ready,
        "_prompt_count": len(file.prompts) if file else 0,
        "_has_ref": ref is not None and (known.folder / ref.wav).is_file(),
    }


def _unnamed(path: Path) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("slug", "model", "speaker", "instruct_default", "generation_profile_default", "ref_language", "duration_sec")
    )
    return {
        "kind": "legacy",
        "engine": "clone_prompt",
        "id": path.stem,
        "display_name": path.stem,
        "description": "",
        "pkl": str(path),
        "pkl_exists": True,
        "custom_tones": [],
        "generation_defaults": {},
        "transcript": None,
        "created_at": _changed(path),
        "_ready": path.suffix == ".safetensors",
        "_prompt_count": 1,
        "_has_ref": False,
        **nothing,
    }


def _changed(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
