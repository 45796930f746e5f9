"""How exactly clips of people are cut: what `bench.py people` measures.

Clips whose first and last sound is known lie in silence and noise of known length, at several levels, in a room, in
noise and under hum. Voice activity and padding then cut them as a preparation cuts a clip that has its own text.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicemill.audio import decode, segmentation
from voicemill.audio.cuts import Segmentation
from voicemill.audio.level_envelope import LevelEnvelope, frame_levels
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset.stages import voice_activity

RATE = 22_050
"""Hz; a dataset's default."""
TOLERANCE = 0.03
"""Seconds of sound that an edge may lack."""
CONDITIONS = (
    "at once",
    "0 dB",
    "-10 dB",
    "-20 dB",
    "-30 dB",
    "at once, -30 dB",
    "room 0.6 s",
    "noise 15 dB",
    "hum 50 Hz",
)
_FRAME = 0.005
_AUDIBLE_DB, _CLICK = 40.0, 12
_Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Edges:
    """Seconds of sound that a clip lacks at its start and its end; negative where silence was kept."""

    name: str
    condition: str
    start: float
    end: float


def sound(samples: _Samples, rate: int) -> tuple[int, int]:
    """First and last sample of the sound of a clean clip: within 40 dB of its loud parts and 10 dB above its quietest.

    A sound of less than 60 ms with as much silence beside it is a click of the mouth.
    """
    levels = frame_levels(samples, rate, _FRAME)
    loud, quiet = float(np.percentile(levels, 95.0)), float(np.percentile(levels, 2.0))
    audible = np.flatnonzero(levels > max(loud - _AUDIBLE_DB, min(quiet + 10.0, loud - 20.0)))
    runs = np.split(audible, np.flatnonzero(np.diff(audible) > _CLICK) + 1)
    runs = [run for run in runs if run[-1] - run[0] >= _CLICK]
    size = round(_FRAME * rate)
    return int(runs[0][0]) * size, min(len(samples), (int(runs[-1][-1]) + 1) * size)


def construct(samples: _Samples, condition: str, seed: int) -> tuple[_Samples, float]:
    """A clip without silence at its ends laid into a background; samples and the second at which it begins."""
    random = np.random.default_rng(seed)
    lead, tail = (0.0, 0.0) if condition.startswith("at once") else (random.uniform(0.4, 1.5), random.uniform(0.4, 1.5))
    before, after = round(lead * RATE), round(tail * RATE)
    laid = np.concatenate((np.zeros(before), samples, np.zeros(after)))
    loud = float(np.sqrt(np.mean(np.square(samples))))
    noise = random.standard_normal(len(laid)) * loud
    laid = laid + noise * 10.0 ** (-55.0 / 20.0)
    if condition.startswith("room"):
        seconds = 0.6
        decay = np.exp(-6.9 * np.arange(round(seconds * RATE)) / (seconds * RATE))
        response = random.standard_normal(len(decay)) * decay
        response *= 0.5 / float(np.sqrt(np.sum(np.square(response))))
        response[0] = 1.0
        size = 1 << (len(laid) + len(response)).bit_length()
        laid = np.fft.irfft(np.fft.rfft(laid, size) * np.fft.rfft(response, size), size)[: len(laid)]
    elif condition.startswith("noise"):
        laid = laid + noise * 10.0 ** (-15.0 / 20.0)
    elif condition.startswith("hum"):
        times = np.arange(len(laid)) / RATE
        for harmonic, level in ((1, -16.0), (2, -26.0), (3, -30.0)):
            laid = laid + loud * 10.0 ** (level / 20.0) * np.sqrt(2.0) * np.sin(2 * np.pi * 50.0 * harmonic * times)
    gain = (
        float(condition.rpartition(",")[2].removesuffix("dB"))
        if condition.endswith("0 dB") and "-" in condition
        else 0.0
    )
    peak = float(np.max(np.abs(laid)))
    return (laid * 0.7 / peak * 10.0 ** (gain / 20.0)).astype(np.float32), lead


def measure(clips: list[Path], conditions: tuple[str, ...] = CONDITIONS) -> Iterator[Edges]:
    """The edges of every clip in every condition."""
    import soundfile

    limits = Segmentation(max_duration=60.0, min_pause=1e6, max_joined_pause=1e6)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "laid.wav"
        for number, path in enumerate(clips):
            samples = decode.resample(*decode.read_mono(path), RATE)
            first, last = sound(samples, RATE)
            clean = samples[first:last]
            for condition in conditions:
                laid, lead = construct(clean, condition, zlib.crc32(f"{path.name}{number}".encode()))
                soundfile.write(target, laid, RATE, subtype="FLOAT")
                speech = voice_activity.speech_of(voice_activity.SpeechTask(target, Path(folder) / "cache"))
                end = lead + len(clean) / RATE
                if not speech.spans:
                    yield Edges(path.stem, condition, end - lead, end - lead)
                    continue
                voiced = Span(speech.spans[0][0], speech.spans[-1][1])
                levels = LevelEnvelope.of_waveform(FileWaveform((target,)))
                cut = segmentation.plan_by_levels([voiced], levels, limits).kept[0]
                yield Edges(path.stem, condition, cut.start - lead, end - cut.end)


def clips_of(people: Path, count: int) -> list[Path]:
    """The first clips of every set in turn."""
    sets = [sorted((people / name).rglob("*.flac")) for name in ("lj", "kathleen")]
    sets = [found for found in sets if found]
    chosen = [found[turn] for turn in range(count) for found in sets if turn < len(found)]
    return chosen[:count]


def report(people: Path, count: int) -> str:
    """One row for each condition, as Markdown."""
    clips = clips_of(people, count)
    if not clips:
        raise SystemExit(f"There are no recordings of people in {people}.")
    found = list(measure(clips))
    rows = ["| condition | clips | starts cut | ends cut | worst start ms | worst end ms | silence kept ms |"]
    rows += ["|---|---:|---:|---:|---:|---:|---:|"]
    for condition in CONDITIONS:
        of = [one for one in found if one.condition == condition]
        starts, ends = np.array([one.start for one in of]), np.array([one.end for one in of])
        kept = -float(np.median(np.concatenate((starts, ends))))
        rows.append(
            f"| {condition} | {len(of)} | {(starts > TOLERANCE).sum()} | {(ends > TOLERANCE).sum()} "
            f"| {1e3 * starts.max():.0f} | {1e3 * ends.max():.0f} | {1e3 * kept:.0f} |"
        )
        for one in of:
            if max(one.start, one.end) > TOLERANCE:
                print(f"{condition}: {one.name} {1e3 * one.start:.0f} {1e3 * one.end:.0f} ms", file=sys.stderr)
    return "\n".join(rows)
