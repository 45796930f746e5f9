#!/usr/bin/env python3
"""Build a long recording with known content: audio, its script, and the times of every word.

A voice of flite reads data/construction/time-machine.txt, one sentence per line, with the room noise of a home recording
and pauses of 0.25 to 3 s. The reading has the usual mistakes: two sentences are read twice, one take is broken off and
repeated, one sentence is read and begun again, and two are skipped. Two remarks are not in the script. Other voices say
four sentences, two of the script and two others. There is one minute of music.

    python scripts/construction/build.py --minutes 12 --seed 1 OUT    OUT/recording.flac, script.txt, truth.json
    python scripts/construction/build.py --minutes 600 OUT            longer than the text, which is then repeated

Needs the program flite. All random choices depend on the seed. Memory does not grow with the length, except for the
samples of each distinct sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr
from music import play
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt
from speech import EDGE, RATE, Spoken, speak

from voicemill.text.lexicon import Lexicon

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "data/construction/time-machine.txt"
RECORDING_RATE = 44_100
SPEECH_DBFS, NOISE_DBFS, MUSIC_DBFS, HISS_DBFS = -24.0, -58.0, -26.0, -84.0
"""RMS of the speech of each voice, of the room, of the music, of each channel's own hiss."""
GAIN_DB = (0.0, -0.6)
"""Gain of the left and the right channel."""
LEAD = 2.0
"""Seconds of room noise at the start and at the end."""
OTHERS = ("rms", "awb")
REMARKS = (
    "Sorry, I will drink a little water before we go on.",
    "Let me find my place on this page again.",
)
"""Remarks of the reader that are not in the script."""
PROMPTS = (
    "Please move a bit closer to the microphone.",
    "That was good, carry on with the next paragraph.",
)
"""Remarks of other speakers that are not in the script."""

Kind = Literal["target", "superseded", "broken", "inserted", "other_voice", "music"]


@dataclass(frozen=True)
class Event:
    """Speech or music in the recording.

    Attributes:
        kind: `target` is the take of a sentence that belongs in a dataset; `superseded` an earlier good take of it;
            `broken` an abandoned take; `inserted` a remark of the reader; `other_voice` speech of another speaker;
            `music`.
        voice: flite's name, empty for music.
        text: as written.
        sentence: line of the script, from 0; None if it is not in the script.
        start: start of the first phone (seconds).
        end: end of the last phone (seconds).
        words: word, start, end, in seconds of the recording.
    """

    kind: Kind
    voice: str
    text: str
    sentence: int | None = None
    start: float = 0.0
    end: float = 0.0
    words: list[tuple[str, float, float]] = field(default_factory=list)


def plan(
    lines: list[str], voice: str, minutes: float, pace: float, rng: np.random.Generator
) -> tuple[list[Event], list[str], list[int]]:
    """The events in order, the script, and the indices of its skipped lines.

    `pace` is the mean length of a word in seconds, including the pauses between sentences.
    """
    needed = minutes * 60.0
    script: list[str] = []
    while needed > 0:
        script.append(lines[len(script) % len(lines)])
        needed -= len(script[-1].split()) * pace
    long = [index for index, line in enumerate(script) if 8 <= len(line.split()) <= 25 and 0 < index < len(script) - 1]
    twice, again, broken, given_up, skipped, skipped_too, foreign, foreign_too = rng.choice(
        long, 8, replace=False
    ).tolist()
    events: list[Event] = []
    for index, line in enumerate(script):
        half = " ".join(line.split()[: max(2, len(line.split()) * 2 // 5)]).rstrip(",;:.")
        if index in (skipped, skipped_too):
            continue
        if index in (foreign, foreign_too):
            events.append(Event("other_voice", OTHERS[index == foreign], line, index))
            continue
        if index in (twice, again):
            events.append(Event("superseded", voice, line, index))
        if index == broken:
            events.append(Event("broken", voice, half, index))
        events.append(Event("target", voice, line, index))
        if index == given_up:
            events.append(Event("broken", voice, half, index))
    extras = [Event("inserted", voice, text) for text in REMARKS]
    extras += [Event("other_voice", other, text) for other, text in zip(OTHERS, PROMPTS, strict=True)]
    extras.append(Event("music", "", ""))
    for extra in extras:
        events.insert(int(rng.integers(1, len(events))), extra)
    return events, script, sorted((skipped, skipped_too))


def pause(rng: np.random.Generator) -> float:
    """Seconds between two events: mostly 0.4 to 1.1, one in ten shorter, one in ten up to 3."""
    kind = rng.random()
    low, high = (0.25, 0.4) if kind < 0.1 else (1.1, 3.0) if kind < 0.2 else (0.4, 1.1)
    return float(rng.uniform(low, high))


def synthesise_all(events: list[Event], jobs: int) -> dict[tuple[str, str], Spoken]:
    """Synthesise each text with each of its voices, once."""
    lexicon = Lexicon.load()
    wanted = list(dict.fromkeys((event.text, event.voice) for event in events if event.voice))
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(wanted, pool.map(lambda key: speak(key[0], key[1], lexicon), wanted), strict=True))


def assemble(
    events: list[Event], spoken: dict[tuple[str, str], Spoken], music_seconds: float, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], Event | None]]:
    """Mono parts of the recording in order, without noise, each with its event and its times; pauses have no event."""
    gains = _gains(spoken)
    written = 0

    def silence(seconds: float) -> NDArray[np.float32]:
        return np.zeros(max(0, round(seconds * RECORDING_RATE)), dtype=np.float32)

    gap = silence(LEAD)
    for event in events:
        written += len(gap)
        yield gap, None
        if event.kind == "music":
            samples = play(music_seconds, RECORDING_RATE) * np.float32(10 ** (MUSIC_DBFS / 20))
            start = written / RECORDING_RATE
            placed = Event("music", "", "", None, round(start, 4), round(start + music_seconds, 4))
            edge = 0.0
        else:
            one = spoken[event.text, event.voice]
            samples = one.samples.astype(np.float32) * gains[event.voice]
            samples = soxr.resample(samples, RATE, RECORDING_RATE, quality="VHQ")
            start, edge = written / RECORDING_RATE + EDGE, EDGE
            words = [(word, round(start + begin, 3), round(start + end, 3)) for word, begin, end in one.words]
            placed = Event(
                event.kind,
                event.voice,
                event.text,
                event.sentence,
                round(start, 4),
                round(start + one.seconds, 4),
                words,
            )
        written += len(samples)
        yield samples, placed
        gap = silence(pause(rng) - 2 * edge)
    yield silence(LEAD), None


def _gains(spoken: dict[tuple[str, str], Spoken]) -> dict[str, np.float32]:
    """One gain per voice, from its first twenty sentences."""
    found = {}
    for voice in {voice for _, voice in spoken}:
        own = [one.samples.astype(np.float64) / 32768 for (_, by), one in spoken.items() if by == voice][:20]
        loud = np.concatenate(own)
        loud = loud[np.abs(loud) > 0.004]
        found[voice] = np.float32(10 ** (SPEECH_DBFS / 20) / np.sqrt(np.mean(loud**2)) / 32768)
    return found


class RoomNoise:
    """RoomNoise noise that falls by 6 dB per octave above 150 Hz and by 12 above 2 kHz, and the hiss of each channel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._filter = np.vstack([butter(1, corner, fs=RECORDING_RATE, output="sos") for corner in (150.0, 2000.0)])
        self._state = np.zeros((len(self._filter), 2))
        probe, _ = sosfilt(self._filter, np.random.default_rng(0).standard_normal(RECORDING_RATE * 4), zi=self._state)
        self._gain = 10 ** (NOISE_DBFS / 20) / float(np.sqrt(np.mean(probe**2)))

    def record(self, mono: NDArray[np.float32]) -> NDArray[np.int16]:
        """Samples (n, 2) as a recorder writes them: with room noise, hiss and dither, as 16-bit integers.

        Raises:
            SystemExit: the samples would clip.
        """
        noise, self._state = sosfilt(self._filter, self._rng.standard_normal(len(mono)), zi=self._state)
        room = mono + noise * self._gain
        hiss = 10 ** (HISS_DBFS / 20)
        stereo = np.stack(
            [room * 10 ** (gain / 20) + self._rng.standard_normal(len(mono)) * hiss for gain in GAIN_DB], axis=1
        )
        stereo += (self._rng.random(stereo.shape) - self._rng.random(stereo.shape)) / 32768
        if np.max(np.abs(stereo), initial=0.0) >= 0.99:
            raise SystemExit("the recording would be clipped: lower SPEECH_DBFS")
        return np.round(stereo * 32767).astype(np.int16)


def main() -> None:
    """Parse the command line and build the recording."""
    parser = argparse.ArgumentParser(description="Build a long recording with known content.")
    parser.add_argument("folder", type=Path, help="folder for recording.flac, script.txt and truth.json")
    parser.add_argument("--minutes", type=float, default=120.0, help="approximate length (default: 120)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random choices (default: 1)")
    parser.add_argument("--voice", default="slt", help="the reader (default: slt)")
    parser.add_argument(
        "--music", type=float, default=60.0, metavar="SECONDS", help="length of the music (default: 60)"
    )
    parser.add_argument("--pace", type=float, default=0.345, help="seconds per word, including pauses (default: 0.345)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    lines = TEXT.read_text("utf-8").splitlines()
    begin = (
        0 if args.minutes > 60 else int(rng.integers(len(lines)))
    )  # short recordings start at another place with each seed
    events, script, skipped = plan(lines[begin:] + lines[:begin], args.voice, args.minutes, args.pace, rng)
    spoken = synthesise_all(events, args.jobs)
    args.folder.mkdir(parents=True, exist_ok=True)
    room, placed, length = RoomNoise(rng), [], 0
    target = args.folder / "recording.flac"
    with soundfile.SoundFile(target, "w", RECORDING_RATE, len(GAIN_DB), "PCM_16", format="FLAC") as out:
        for mono, event in assemble(events, spoken, args.music, rng):
            out.write(room.record(mono))
            length += len(mono)
            placed += [] if event is None else [asdict(event)]
    (args.folder / "script.txt").write_text("\n".join(script) + "\n", "utf-8")
    truth = {"seconds": round(length / RECORDING_RATE, 3), "skipped": skipped, "events": placed}
    (args.folder / "truth.json").write_text(json.dumps(truth) + "\n", "utf-8")
    print(
        f"{target}: {length / RECORDING_RATE:.1f} s, {len(script)} sentences, {target.stat().st_size / 1e6:.0f} MB",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
