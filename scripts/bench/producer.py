"""A producer's hour: `bench.py producer` prepares what people send as they send it, and counts the words that are lost.

For each person: clips as an editor exports them (stereo, 24 bits, 48 kHz, names with spaces), in whose texts numbers
stand in digits. Then one long take of all of them as MP3, with pauses of 0.4 to 1.2 s, every twentieth sentence begun
twice, and a script with chapters, page numbers and stage directions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from people_preparation import ROOT, Clip, lost_words, sets
from processes import run_timed
from wrong_text import MACHINE_TEXTS

from voicemill.audio import decode
from voicemill.text.frontend import numbers

RATE = 48_000
_BEGUN = 20
"""Every so many sentences of the long take, one is begun twice."""
_NUMBER_WORDS = "|".join(
    sorted({word for value in (*range(2, 20), *range(20, 100, 10), 100, 1000) for word in numbers.cardinal(value)})
)
_NUMBER = re.compile(rf"\b(?:{_NUMBER_WORDS})(?:[ -](?:and )?(?:{_NUMBER_WORDS}))*\b", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A prepared part of the hour: seconds of its sound, words of its texts, and those that no kept clip has."""

    name: str
    seconds: float
    words: int
    lost: list[str]
    reasons: str
    wall: float
    cpu: float


def in_digits(text: str) -> str:
    """The text with its cardinal numbers from 2 on in digits: `two hundred and fifty` becomes `250`."""

    def digits(match: re.Match[str]) -> str:
        words = [word for word in re.split("[ -]", match[0].lower()) if word != "and"]
        value = next((value for value in range(2, 10_000) if numbers.cardinal(value) == words), None)
        return match[0] if value is None else str(value)

    return _NUMBER.sub(digits, text)


def _exported(clips: Sequence[Clip], folder: Path) -> list[str]:
    """Write clips and their texts as an editor does; options of `voice-prep`."""
    folder.mkdir(parents=True)
    for number, clip in enumerate(clips, start=1):
        samples = decode.resample(*decode.read_mono(clip.path), RATE)
        path = folder / f"Take {number:03d} - {clip.name}.wav"
        soundfile.write(path, np.stack([samples, samples], axis=1), RATE, subtype="PCM_24")
        path.with_suffix(".txt").write_bytes(b"\xef\xbb\xbf" + in_digits(clip.text).encode() + b"\r\n")
    return ["--audio", str(folder)]


def _read_in_one(clips: Sequence[Clip], folder: Path) -> list[str]:
    """Write one long take and its script; options of `voice-prep`."""
    folder.mkdir(parents=True)
    random, lines = np.random.default_rng(0), ["# The whole session"]
    with soundfile.SoundFile(folder / "take.wav", "w", RATE, 1, subtype="PCM_16") as file:
        for number, clip in enumerate(clips):
            samples = decode.resample(*decode.read_mono(clip.path), RATE)
            gap = 3e-4 * random.standard_normal(round(random.uniform(0.4, 1.2) * RATE))
            file.write(gap)
            if number % _BEGUN == _BEGUN - 1:
                file.write(np.concatenate((samples[: round(1.1 * RATE)], gap)))
            file.write(samples)
            lines += [f"## Chapter {number // 50 + 1}"] * (number % 50 == 0) + ["[pause]"] * (number % 30 == 29)
            lines += [clip.text] + [str(number // 25)] * (number % 25 == 24)
    coded = ["ffmpeg", "-v", "error", "-i", str(folder / "take.wav"), "-b:a", "128k", str(folder / "take.mp3")]
    subprocess.run(coded, check=True)
    (folder / "take.wav").unlink()
    (folder / "script.txt").write_text("\n\n".join(lines) + "\n", "utf-8")
    return ["--audio", str(folder / "take.mp3"), "--script", str(folder / "script.txt")]


def _prepared(name: str, clips: Sequence[Clip], source: list[str], folder: Path) -> Part:
    argv = [sys.executable, str(ROOT / "apps/voice-prep/voice-prep.py"), "--voice", "bench", "--preset", "archive", *source]
    argv += ["--no-report", "--separate", "never"]
    argv += ["--limit", "min_speaker_similarity=-1", "--limit", "max_pitch_shift=60"]  # several people read one take
    environment = {
        **os.environ,
        "WORK_DIR": str(folder / "work"),
        "CACHE_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done, wall, cpu = run_timed(argv, environment)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()[-600:]}")
    root = folder / "work/datasets/bench"
    report = json.loads((root / "dataset.json").read_text())["report"]
    for row in report["rejected"]:
        print(
            name,
            row["source"],
            row["start"],
            row["seconds"],
            row["reason"],
            row["detail"],
            row["text"][:90],
            sep="|",
            file=sys.stderr,
        )
    words, lost = lost_words(root, clips)
    reasons = ", ".join(f"{reason} {total['count']}" for reason, total in report["by_reason"].items())
    seconds = sum(soundfile.info(clip.path).duration for clip in clips)
    return Part(name, seconds, words, lost, reasons, wall, cpu)


def report(people: Path, work: Path, only: tuple[str, ...]) -> Iterator[str]:
    """One row for each part, as Markdown; lost words and rejected stretches stand before the rows."""
    found = {name: clips for name, clips in sets(people, 400) if not name.startswith(MACHINE_TEXTS)}
    parts = [(f"{name}, clips", clips, _exported) for name, clips in found.items()]
    parts.append(("all, one take", [clip for clips in found.values() for clip in clips], _read_in_one))
    yield "| part | clips | seconds | words | lost | reasons | wall s | × real time | CPU s |"
    yield "|---|---:|---:|---:|---:|---|---:|---:|---:|"
    for name, clips, written in parts:
        if only and not any(name.startswith(one) for one in only):
            continue
        folder = work / re.sub(r"\W+", "-", name)
        part = _prepared(name, clips, written(clips, folder / "in"), folder)
        for line in dict.fromkeys(part.lost):
            print(name, line, sep="|", file=sys.stderr)
        yield (
            f"| {name} | {len(clips)} | {part.seconds:.0f} | {part.words} | {len(part.lost)} | {part.reasons} "
            f"| {part.wall:.0f} | {part.seconds / part.wall:.0f} | {part.cpu:.0f} |"
        )
