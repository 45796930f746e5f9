"""Results of one clip that cost time, kept below `cache/stages` under a key of content and settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from voicemill import files

_Model = TypeVar("_Model", bound=BaseModel)


@functools.cache
def code_digest(*modules: ModuleType) -> str:
    """Digest of the source of modules and packages: other code may give other results, so it is part of a key."""
    digests = []
    for module in modules:
        places = [Path(place) for place in getattr(module, "__path__", ())]
        sources = sorted(path for place in places for path in place.glob("*.py")) or [Path(str(module.__file__))]
        digests += [files.sha256_file(source) for source in sources]
    return files.content_key(*digests)


def entry(root: Path, kind: str, key: str, suffix: str) -> Path:
    """Where an entry lies; two levels, so that no folder grows without bound."""
    return root / kind / key[:2] / f"{key}{suffix}"


def remember(path: Path, make: Callable[[Path], None]) -> bool:
    """Let `make` fill a missing entry, atomically; returns whether it was there already.

    Raises:
        StorageError: the cache cannot be written.
    """
    if path.is_file():
        return True
    with files.atomic_path(path, suffix=path.suffix) as temporary:
        make(temporary)
    return False


def read_model(path: Path, model: type[_Model]) -> _Model | None:
    """A JSON entry, or None where there is none that this version can read: it is computed again."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
