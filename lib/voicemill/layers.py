"""Layered configuration: a base file with a preset of a few lines merged over it.

A preset may extend another: `extends: <name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from voicemill import yaml_text
from voicemill.errors import ConfigError


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """`base` with the values of `over`; mappings are merged key by key, anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


EXTENDS = "extends"
"""Key of a preset that names the preset that it is merged over."""


def read_layers(path: Path, preset: str) -> dict[str, object]:
    """A base file with a preset merged over it, not yet checked against any model.

    Args:
        path: the base YAML file; presets are in `presets/<name>.yaml` beside it.
        preset: name of a preset.

    Raises:
        ConfigError: `config_missing`, `config_invalid`, `unknown_preset`.
    """
    return merge(_read_mapping(path), _read_preset(path.parent / "presets", preset))


def _read_preset(presets: Path, preset: str, extended_by: tuple[str, ...] = ()) -> dict[str, object]:
    """A preset, merged over the one that it extends."""
    preset_path = presets / f"{preset}.yaml"
    if not preset_path.is_file() or preset_path.parent != presets:
        known = ", ".join(sorted(found.stem for found in presets.glob("*.yaml")))
        raise ConfigError(
            f"There is no preset {preset!r}.", reason=f"unknown_preset:{preset}", hint=f"Choose one of: {known}."
        )
    values = _read_mapping(preset_path)
    parent = values.pop(EXTENDS, None)
    if parent is None:
        return values
    if not isinstance(parent, str) or parent in (preset, *extended_by):
        raise ConfigError(
            f"The preset {preset!r} must extend the name of another preset.",
            reason=f"config_invalid:{EXTENDS}",
            hint="Presets may not extend one another in a circle.",
        )
    return merge(_read_preset(presets, parent, (preset, *extended_by)), values)


def _read_mapping(path: Path) -> dict[str, object]:
    try:
        content = yaml_text.read(path)
    except OSError as error:
        raise ConfigError(
            f"Cannot read the configuration {path}: {error.strerror}.",
            reason=f"config_missing:{path.as_posix()}",
            hint="Restore it, or name another where there is a setting for it (PROD_TTS_CONFIG for training).",
        ) from error
    except yaml_text.InvalidYamlError as error:
        raise ConfigError(
            f"The configuration {path} is not valid YAML: {error}.", reason=f"config_invalid:{path.name}"
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"The configuration {path} must be a mapping.", reason=f"config_invalid:{path.name}")
    return content
