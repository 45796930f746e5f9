"""How long people take to read: the constants of `voicemill_cloning.durations` against recordings.

    python scripts/bench/reading_speed.py FOLDER...

Each folder has recordings and a `metadata.csv` with lines of `id|speaker|text`; LJ Speech's own has the text last.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import numpy as np
import soundfile

from voicemill_cloning import durations

SOUNDS = (".flac", ".wav", ".mp3", ".ogg")
QUANTILES = (1, 5, 25, 50, 75, 95, 99)


def clips(folder: Path) -> list[tuple[float, str]]:
    """Seconds and text of each clip."""
    found = {path.stem: path for path in folder.rglob("*") if path.suffix in SOUNDS}
    rows = [line.split("|") for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines() if "|" in line]
    names = [(Path(row[0]).stem, row[-1]) for row in rows]
    return [(soundfile.info(found[name]).duration, text) for name, text in names if name in found]


def main() -> None:
    ratios: list[float] = []
    characters: list[float] = []
    print(f"{'':<18} clips  " + "  ".join(f"{name:>5}%" for name in QUANTILES))
    for folder in map(Path, sys.argv[1:]):
        measured = clips(folder)
        own = [seconds / durations.expected_seconds(text) for seconds, text in measured]
        ratios += own
        characters += [seconds / max(1.0, len(text) / 13) for seconds, text in measured]
        print(row(folder.name, own))
    print(row("all, phones", ratios))
    print(row("all, characters/13", characters))


def row(name: str, ratios: list[float]) -> str:
    return f"{name:<18} {len(ratios):5}  " + "  ".join(f"{value:6.2f}" for value in np.percentile(ratios, QUANTILES))


if __name__ == "__main__":
    main()
