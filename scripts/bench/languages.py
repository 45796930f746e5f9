#!/usr/bin/env python3
"""Error rates of the multilingual recogniser, and real over expected lengths, for recordings in other languages.

`languages.py LANGUAGE FOLDER…`: a folder with recordings and a text of the same name (`.txt`) beside each, or with the
files of one of Debian's packages `asterisk-core-sounds-XX` and `-XX-g722`, unpacked.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "lib"))

import numpy as np
from numpy.typing import NDArray

from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import languages
from voicemill_cloning.durations import expected_seconds
from voicemill_cloning.judging import TakeJudges, error_rate

RATE = 16_000
LEAST_WORDS, MOST = 5, 40


def main() -> None:
    """Print a row of the table for each pair of arguments."""
    judges = TakeJudges(WeightsRegistry(REPOSITORY / SHIPPED, REPOSITORY / "cache/weights", REPOSITORY))
    for name, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        language = languages.find_language(name)
        recogniser = judges.recogniser(language)
        errors = units = 0
        ratios, seconds = [], 0.0
        for audio, text in recordings(Path(folder)):
            samples = decoded(audio)
            found = error_rate(text, recogniser.transcribe(samples, RATE), language)
            errors, units = errors + found.errors, units + found.length
            ratios.append(len(samples) / RATE / expected_seconds(text, language))
            seconds += len(samples) / RATE
        low, middle, high = np.percentile(ratios, (5, 50, 95))
        print(
            f"| {language} | {len(ratios)} | {seconds:.0f} | {errors / units:.3f} | {low:.2f} | {middle:.2f} | {high:.2f} |"
        )


def recordings(folder: Path) -> Iterator[tuple[Path, str]]:
    """Recordings with their texts; of prompts at most `MOST` that have `LEAST_WORDS`."""
    for path in sorted(folder.glob("*.txt")):
        for audio in (each for each in folder.glob(f"{path.stem}.*") if each != path):
            yield audio, path.read_text("utf-8")
    count = 0
    for listed in sorted(folder.rglob("core-sounds-*.txt.gz")):
        for line in sorted(gzip.decompress(listed.read_bytes()).decode("utf-8", "replace").splitlines()):
            name, _, text = line.partition(":")
            found = sorted(folder.rglob(f"{name.strip().rpartition('/')[2]}.g722"))
            if len(text.split()) >= LEAST_WORDS and found and not line.startswith(";") and count < MOST:
                count += 1
                yield found[0], text.strip()


def decoded(path: Path) -> NDArray[np.float32]:
    """Mono samples at `RATE`, without the silence at both ends."""
    form = ["-f", "g722"] if path.suffix == ".g722" else []
    command = ["ffmpeg", "-v", "error", *form, "-i", str(path), "-ar", str(RATE), "-ac", "1", "-f", "f32le", "-"]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1] if loud.size else samples


if __name__ == "__main__":
    main()
