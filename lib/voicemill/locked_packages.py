"""Packages of a lock file, fetched by pip at their first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

_TARGETS = {"download": "--dest", "install": "--target"}


def run_pip(action: Literal["download", "install"], lock: Path, folder: Path, seconds: float) -> bool:
    """Download the wheels of a lock file into a folder, or install them there; nothing beside them.

    Args:
        action: of pip.
        lock: requirements with hashes.
        folder: of the wheels, or of the packages.
        seconds: that pip may take.

    Returns:
        Whether it succeeded; False where pip or its index cannot be used.
    """
    command = [sys.executable, "-m", "pip", action, "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command += ["--require-hashes", "--retries=1", "--timeout=20", f"{_TARGETS[action]}={folder}"]
    try:
        done = subprocess.run(
            [*command, f"--requirement={lock}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
