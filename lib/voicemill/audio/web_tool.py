"""yt-dlp, from this environment or set up at its first use.

The pinned package of locks/web is installed into `tools/` of the cache, which containers can write, too. A yt-dlp of
the environment comes first: web sites change, and a newer one may be needed.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from voicemill import files, locked_packages
from voicemill.progress import Observer

LOCK = Path(__file__).resolve().parents[3] / "locks" / "web" / "requirements.txt"
_SECONDS = 300


def set_up(tools: Path, observer: Observer) -> bool:
    """Make yt-dlp importable from the cache, and install it there unless it is there.

    Args:
        tools: folder of the cache for tools.
        observer: the person's display.

    Returns:
        Whether it is there; False where pip or its index cannot be used.

    Raises:
        StorageError: the folder cannot be written.
    """
    folder = tools / f"yt-dlp-{files.sha256_file(LOCK)[:12]}"
    if not (folder / "yt_dlp").is_dir():
        observer.note("installing yt-dlp (3 MB, once)")
        try:
            with files.atomic_directory(folder) as staging:
                if not locked_packages.run_pip("install", LOCK, staging, _SECONDS):
                    raise _NotInstalledError
        except _NotInstalledError:
            return False
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()
    return True


class _NotInstalledError(Exception):
    """pip failed."""
