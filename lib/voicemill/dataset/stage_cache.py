"""Results of one clip that cost time, kept below `cache/stages` under a key of content and settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from voicemill import files


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
