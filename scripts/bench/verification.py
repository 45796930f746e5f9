"""`bench.py verify`: a large bundle verified, beside coreutils' sha256sum over the same files, alternately in one run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill import files, records
from voicemill.bundle.differences import check_bundle
from voicemill.bundle.manifest import FileEntry, ProductionManifest, artifact_sha256

PARTS = 4
"""Files of the bundle: what is hashed in parallel is files, so one file alone is no faster on two cores."""


@dataclass(frozen=True)
class Timed:
    """Best of some rounds, in seconds."""

    name: str
    seconds: float


def large_bundle(root: Path, megabytes: int) -> Path:
    """A bundle of random files, `megabytes` in all; kept for the next run."""
    if (root / "manifest.json").is_file():
        return root
    root.mkdir(parents=True, exist_ok=True)
    entries = []
    for number in range(PARTS):
        path = root / f"part-{number}.bin"
        path.write_bytes(os.urandom(megabytes * 1_000_000 // PARTS))
        entries.append(FileEntry(path=path.name, bytes=path.stat().st_size, sha256=files.sha256_file(path)))
    plain = records.dump(ProductionManifest(bundle_version="prod_tts_voice_bundle/1", files=tuple(entries)))
    files.write_json(root / "manifest.json", plain | {"artifact_sha256": artifact_sha256(plain)})
    check_bundle(root)
    return root


def compared(app: Path, root: Path, rounds: int) -> list[Timed]:
    """sha256sum on one core, `voice-verify bundle` on one and on two, one after the other in each round."""
    parts = [str(path) for path in sorted(root.glob("part-*.bin"))]
    verify = [sys.executable, str(app), "bundle", str(root)]
    commands = {
        "sha256sum, one core": ["taskset", "-c", "0", "sha256sum", *parts],
        "voice-verify bundle, one core": ["taskset", "-c", "0", *verify],
        "voice-verify bundle, two cores": ["taskset", "-c", "0,1", *verify],
    }
    _seconds(commands["sha256sum, one core"])  # the files are in memory from here on
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(_seconds(command))
    return [Timed(name, min(seconds)) for name, seconds in taken.items()]


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode not in (0, 3) or "Traceback" in done.stderr:  # 3: random files are no voice
        raise RuntimeError(done.stderr)
    return taken
