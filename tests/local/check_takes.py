"""Check the files of a run of `speak`: check_takes.py FOLDER TAKES [NAME=VALUE…]; the names are those of takes.meta.json.

`lib` has to be on PYTHONPATH.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import soundfile

from voicemill_cloning.durations import BUDGET_SECONDS, expected_seconds
from voicemill_marks.detector import detect_in_file

SHORTEST, LONGEST = 0.3, 3.5
"""Length of a take over the expected one."""
LEAST_WORDS = 0.5
"""Intelligibility of a take by an engine that speaks."""
LEAST_FOR_MARK = 2.0
"""Seconds in which the watermark is found with certainty."""


def main() -> int:
    """Print what is wrong, a line each; exit 1 if anything is."""
    folder, count, *stated = Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
    meta = json.loads((folder / "takes.meta.json").read_text("utf-8"))
    wrong = []
    if len(meta["takes"]) != count or meta["variants"] != count:
        wrong.append(f"{len(meta['takes'])} takes instead of {count}")
    if (folder / "text.txt").read_text("utf-8").strip() != meta["text"]:
        wrong.append("text.txt is not the text")
    for pair in stated:
        name, _, value = pair.partition("=")
        if str(meta[name]) != value:
            wrong.append(f"{name} is {meta[name]}, not {value}")
    for take in meta["takes"]:
        wrong += [f"{take['wav']}: {fault}" for fault in _faults(folder / take["wav"], meta, take)]
    if meta["selected_wav"] and (folder / "best.wav").read_bytes() != (folder / meta["selected_wav"]).read_bytes():
        wrong.append("best.wav is not the selected take")
    print("\n".join(wrong))
    return 1 if wrong else 0


def _faults(path: Path, meta: dict, take: dict) -> list[str]:
    samples, rate = soundfile.read(path)
    seconds = len(samples) / rate
    expected = expected_seconds(meta["text"], meta["language"])
    found = []
    if abs(seconds - take["duration_sec"]) > 0.01:
        found.append(f"{seconds:.2f} s, and the record says {take['duration_sec']}")
    tiny = os.environ.get("QWEN_TINY") == "1"  # random numbers go on to the limit, or end at once
    if not (0.0 if tiny else SHORTEST) <= seconds / expected <= (LONGEST + BUDGET_SECONDS / expected if tiny else LONGEST):
        found.append(f"{seconds:.2f} s for a text of about {expected:.2f} s")
    if not np.isfinite(samples).all() or np.abs(samples).max() < (1e-4 if tiny else 0.01):
        found.append("silent or not finite")
    if seconds >= LEAST_FOR_MARK and not detect_in_file(path).marked:
        found.append("no watermark")
    if "qa" in take and not (0.0 if tiny else LEAST_WORDS) <= take["qa"]["intelligibility"] <= 1.0:
        found.append(f"intelligibility {take['qa']['intelligibility']}: {take['qa']['transcript']}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
