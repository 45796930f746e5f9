"""The file of a separator that passed the weights gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SeparationModel:
    """Its path, its id on the allowlist, and its pinned digest."""

    path: Path
    weights_id: str
    sha256: str
