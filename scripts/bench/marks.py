"""What the watermark survives, how weak it is, and how often it is found where none is: what `bench.py marks` measures."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from mark_schemes import SCHEMES, Scheme

from voicemill.metrics.intervals import wilson
from voicemill_marks.code import code_of
from voicemill_marks.detector import SEARCHED_THRESHOLD, THRESHOLD, best_of_speeds
from voicemill_marks.features import Spectrogram
from voicemill_marks.matching import match

SECONDS = 5.0
KEYS = 1000
_Samples = npt.NDArray[np.float32]
_Rows = dict[str, list[tuple[float, bool, bool]]]


def attack_report(groups: Sequence[Path], music: tuple[Path, ...], count: int, scheme: str) -> str:
    """The table of attacks as Markdown.

    Args:
        groups: folders with recordings, at any depth; each is a column.
        music: sound files to mix with speech.
        count: windows of five seconds of each group that are marked and attacked.
        scheme: of `SCHEMES`.
    """
    chosen = SCHEMES[scheme]()
    backgrounds = [_mono(path) for path in music]
    columns, lines = [], [chosen.name]
    for folder in groups:
        rows, line = _attacked(_recordings(folder), backgrounds, count, chosen)
        columns.append(rows)
        lines.append(f"{folder.name}: {line}")
    head = "".join(f" {folder.name}: detected | payload read | lowest, median score |" for folder in groups)
    lines += ["", f"| attack |{head}", "|---|" + "---:|---:|---:|" * len(groups)]
    for name in columns[0]:
        lines.append(f"| {name} |" + "".join(_cells(rows[name]) for rows in columns))
    return "\n".join(lines)


def false_alarm_report(groups: Sequence[Path], trials: int, searches: int) -> str:
    """The table of false alarms as Markdown.

    Args:
        groups: folders with recordings of people, at any depth.
        trials: pairs of a window and a wrong key.
        searches: pairs of a window and a wrong key that are searched at every speed.
    """
    return "\n".join(_false_alarms([path for folder in groups for path in _recordings(folder)], trials, searches))


def _recordings(folder: Path) -> list[Path]:
    return sorted(path for ending in ("*.flac", "*.wav") for path in folder.rglob(ending))


def _attacked(paths: list[Path], music: list[tuple[_Samples, int]], count: int, scheme: Scheme) -> tuple[_Rows, str]:
    random = np.random.default_rng(0)
    rows: _Rows = {}
    levels, embedding, detecting = [], 0.0, 0.0
    for samples, rate in _windows(paths, random, count):
        payload = random.bytes(4)
        start = time.process_time()
        marked = scheme.mark(samples, rate, payload)
        embedding += time.process_time() - start
        levels.append(segmental_ratio(samples, marked, rate))
        for name, attacked, attacked_rate in attacks(marked, rate, music, random):
            start = time.process_time()
            score, detected, read = scheme.find(attacked, attacked_rate)
            detecting += (time.process_time() - start) * (name == "none")
            rows.setdefault(name, []).append((score, detected, read == payload))
        rows.setdefault("(no mark)", []).append((*scheme.find(samples, rate)[:2], False))
    total = count * SECONDS
    return rows, (
        f"{count} windows of 5 s; mark {np.mean(levels):.1f} dB below the speech (segmental, worst {min(levels):.1f}); "
        f"embedded at {total / embedding:.0f} x real time, detected at {total / detecting:.0f} x (one core, CPU seconds)"
    )


def _cells(found: list[tuple[float, bool, bool]]) -> str:
    scores, detected, read = np.asarray(found, dtype=float).T
    low, high = wilson(int(detected.sum()), len(found))
    share = f"{detected.mean():.1%} ({low:.1%} to {high:.1%})"
    return f" {share} | {read.mean():.1%} | {scores.min():.4g}, {np.median(scores):.4g} |"


def attacks(
    samples: _Samples, rate: int, music: list[tuple[_Samples, int]], random: np.random.Generator
) -> Iterator[tuple[str, _Samples, int]]:
    """Each single attack on marked speech: its name, the samples and their rate."""
    yield "none", samples, rate
    yield "MP3 at 64 kbit/s", _coded(samples, rate, "mp3", "-b:a", "64k"), rate
    yield "Opus at 24 kbit/s", _coded(samples, rate, "ogg", "-c:a", "libopus", "-b:a", "24k"), rate
    yield "8 kHz", soxr.resample(samples, rate, 8000), 8000
    yield "gain of -20 dB", samples * np.float32(0.1), rate
    yield "white noise at 20 dB", _mixed(samples, random.standard_normal(samples.size), -20.0), rate
    start = int(random.integers(0, samples.size - 3 * rate))
    yield "cut to 3 s", samples[start : start + 3 * rate], rate
    speed = float(random.uniform(0.9, 1.1))
    yield "speed 0.9 to 1.1, with the pitch", soxr.resample(samples, rate, rate / speed), rate
    yield "tempo 0.9 to 1.1", _coded(samples, rate, "wav", "-filter:a", f"atempo={speed:.4f}"), rate
    if music:
        other, other_rate = music[int(random.integers(len(music)))]
        start = int(random.integers(0, len(other) - int((SECONDS + 1) * other_rate)))
        part = soxr.resample(other[start : start + int((SECONDS + 1) * other_rate)], other_rate, rate)[: samples.size]
        yield "music at 0 dB", _mixed(samples, part, 0.0), rate


def segmental_ratio(samples: _Samples, marked: _Samples, rate: int) -> float:
    """Decibels between the speech and the change, the mean over frames of 20 ms within 40 dB of the loudest."""
    size = rate // 50
    count = samples.size // size
    speech = np.square(samples[: count * size].reshape(count, size), dtype=float).sum(axis=1)
    change = np.square((marked - samples)[: count * size].reshape(count, size), dtype=float).sum(axis=1)
    active = speech > speech.max() * 1e-4
    return float(np.mean(10 * np.log10(speech[active] / np.maximum(change[active], 1e-12))))


def _false_alarms(paths: list[Path], trials: int, searches: int) -> Iterator[str]:
    random = np.random.default_rng(1)
    codes = [code_of(b"wrong %d" % key) for key in range(KEYS)]
    plain: list[float] = []
    for samples, rate in _windows(paths, random, -(-trials // 200)):
        features = Spectrogram.of(samples, rate).features()
        plain.extend(match(features, codes[key]).score for key in random.choice(KEYS, 200, replace=False))
    searched: list[float] = []
    for samples, rate in _windows(paths, random, -(-searches // 10)):
        spectrogram = Spectrogram.of(samples, rate)
        for key in random.choice(KEYS, 10, replace=False):
            searched.append(best_of_speeds(spectrogram, codes[key])[1])
    yield f"| windows of human speech x {KEYS} wrong keys | trials | mean | sd | 99.9 % | highest | threshold | over it |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for name, scores, limit in (
        ("original speed", plain, THRESHOLD),
        ("every speed", searched, SEARCHED_THRESHOLD),
    ):
        if scores:
            high = sum(score >= limit for score in scores)
            yield (
                f"| {name} | {len(scores)} | {np.mean(scores):.1f} | {np.std(scores):.1f} | "
                f"{np.quantile(scores, 0.999):.1f} | {max(scores):.1f} | {limit:g} | {high} |"
            )


def _windows(paths: list[Path], random: np.random.Generator, count: int) -> Iterator[tuple[_Samples, int]]:
    while count:
        samples, rate = _mono(paths[int(random.integers(len(paths)))])
        size = int(SECONDS * rate)
        if len(samples) >= size:
            start = int(random.integers(0, len(samples) - size + 1))
            yield samples[start : start + size], rate
            count -= 1


def _mono(path: Path) -> tuple[_Samples, int]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def _mixed(samples: _Samples, other: npt.NDArray[np.floating], decibels: float) -> _Samples:
    scale = np.sqrt(np.mean(np.square(samples)) / np.mean(np.square(other))) * 10 ** (decibels / 20)
    mixed: _Samples = (samples + scale * other).astype(np.float32)
    return mixed


def _coded(samples: _Samples, rate: int, form: str, *options: str) -> _Samples:
    raw = ["-f", "f32le", "-ar", str(rate), "-ac", "1"]

    def run(argv: list[str], data: bytes) -> bytes:
        argv = ["ffmpeg", "-v", "error", *argv, "-"]
        return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True).stdout

    coded = run([*raw, "-i", "-", *options, "-f", form], samples.astype("<f4").tobytes())
    return np.frombuffer(run(["-i", "-", *raw], coded), dtype="<f4")
