"""Presets of a preparation: how recordings are cut and what a clip must be like, in a base file and short overrides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from voicemill.audio.segmentation import Segmentation
from voicemill.dataset.limits import QualityLimits
from voicemill.errors import ConfigError
from voicemill.layers import merge, read_layers

SHIPPED = Path("configs/voice/prep/base.yaml")
"""In the repository; presets lie in `presets/` beside it."""
DEFAULT = "standard"
_SEGMENTATION = frozenset(field.name for field in dataclasses.fields(Segmentation))


class PreparationPreset(BaseModel):
    """What a preset decides; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    segmentation: Segmentation = Field(default=Segmentation(), description="limits of an utterance, in seconds")
    quality: QualityLimits = Field(default=QualityLimits(), description="limits of a clip's figures")

    @field_validator("segmentation", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        unknown = sorted(set(value) - _SEGMENTATION) if isinstance(value, Mapping) else []
        if unknown:
            raise ValueError(
                f"there is no {', '.join(map(str, unknown))}; there are {', '.join(sorted(_SEGMENTATION))}"
            )
        return value


def load_preset(path: Path, name: str, segmentation: Mapping[str, float] | None = None) -> PreparationPreset:
    """Read a preset.

    Args:
        path: the base file.
        name: of the preset.
        segmentation: limits that come before the preset's.

    Raises:
        ConfigError: `config_missing`, `config_invalid`, `unknown_preset`.
    """
    tree = merge(read_layers(path, name), {"segmentation": segmentation or {}})
    try:
        return PreparationPreset.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or name
        raise ConfigError(
            f"The preset {name} of the preparation is wrong at {where}: {first['msg']}.",
            reason=f"config_invalid:{where}",
            hint=f"Compare presets/{name}.yaml with {path.name}, and look at --min-seconds and --max-seconds.",
        ) from error
