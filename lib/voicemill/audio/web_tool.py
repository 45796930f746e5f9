"""yt-dlp, from this environment or set up at its first use.

The pinned package of locks/web is installed into `tools/` of the cache, which containers can write, too. A yt-dlp of
the environment comes first: web sites change, and a newer one may be needed.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from voicemill import files
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
                _install(staging)
        except _NotInstalledError:
            return False
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()
    return True


class _NotInstalledError(Exception):
    """pip failed."""


def _install(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",
    ]
    command += ["--require-hashes", "--retries=1", "--timeout=20", f"--target={folder}", f"--requirement={LOCK}"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _NotInstalledError from error
    if done.returncode != 0:
        raise _NotInstalledError
