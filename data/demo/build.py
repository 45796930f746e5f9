#!/usr/bin/env python3
"""Rebuild the demo recording ``demo.flac`` from ``script.txt``.

The free ``slt`` voice of flite reads the script, one sentence per line. The
script below puts pauses of varied length between the sentences and makes the
whole look like the file of a small stereo recorder: 44.1 kHz, two channels
with slightly different gain, a low-passed room noise that both channels
share, and a faint hiss of its own on each channel.

All random choices come from one seed, so the same versions of flite, numpy
and soxr give the same samples again.

Needs: the ``flite`` program, and the Python packages numpy, soundfile, soxr.

    python data/demo/build.py
    python data/demo/build.py --seed 2 --output other.flac
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

HERE = Path(__file__).resolve().parent
VOICE_RATE = 16_000  # flite's slt voice speaks at this rate
RATE = 44_100  # of the recording
EDGE = 0.06  # seconds of flite's own silence kept around a sentence
SPEECH_THRESHOLD = 0.004  # flite's output above this counts as speech
LEAD_IN, LEAD_OUT = 2.0, 2.5  # seconds of room before and after
LONG_PAUSE_SHARE = 0.12  # of the pauses; these last 1.2 to 2.0 s
GAIN_DB = (0.0, -0.6)  # left, right
HISS_DB = -84.0  # RMS of each channel's own hiss, dBFS
PEAK_LIMIT_DB = -3.0


def db(value: float) -> float:
    """Turn decibels into a linear factor."""
    return float(10.0 ** (value / 20.0))


def rms_db(signal: np.ndarray) -> float:
    """RMS of a signal in dBFS."""
    return float(10.0 * np.log10(np.mean(np.square(signal, dtype=np.float64)) + 1e-20))


def speak(sentence: str, voice: str) -> np.ndarray:
    """Let flite say one sentence; return it without the silence at its ends."""
    flite = shutil.which("flite")
    if flite is None:
        raise SystemExit("flite is missing: install it first (Debian, Ubuntu: apt install flite)")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sentence.wav"
        subprocess.run([flite, "-voice", voice, "-t", sentence, "-o", str(wav)], check=True)
        samples, rate = sf.read(wav, dtype="float64")
    if rate != VOICE_RATE:
        raise RuntimeError(f"flite answered at {rate} Hz instead of {VOICE_RATE} Hz: {sentence!r}")
    loud = np.flatnonzero(np.abs(samples) > SPEECH_THRESHOLD)
    if loud.size == 0:
        raise RuntimeError(f"flite said nothing for: {sentence!r}")
    edge = int(EDGE * rate)
    speech = samples[max(0, loud[0] - edge) : loud[-1] + edge].copy()
    fade = np.linspace(0.0, 1.0, edge // 2)  # no click where the cut falls
    speech[: fade.size] *= fade
    speech[-fade.size :] *= fade[::-1]
    return np.asarray(speech)


def pause(rng: np.random.Generator) -> float:
    """Seconds from speech to speech: mostly 0.45 to 1.1, now and then up to 2."""
    if rng.random() < LONG_PAUSE_SHARE:
        return float(rng.uniform(1.2, 2.0))
    return float(rng.uniform(0.45, 1.1))


def assemble(sentences: list[str], voice: str, rng: np.random.Generator) -> np.ndarray:
    """Speak all sentences and join them with pauses, at flite's rate."""

    def silence(seconds: float) -> np.ndarray:
        return np.zeros(round(seconds * VOICE_RATE))

    parts = [silence(LEAD_IN)]
    for number, sentence in enumerate(sentences):
        if number:
            parts.append(silence(pause(rng) - 2 * EDGE))
        parts.append(speak(sentence, voice))
    parts.append(silence(LEAD_OUT))
    return np.concatenate(parts)


def room_noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit RMS that falls like a room's: 6 dB/octave from 150 Hz, 12 from 2 kHz."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1.0 / RATE)
    for corner in (150.0, 2000.0):
        spectrum /= np.sqrt(1.0 + (frequency / corner) ** 2)
    spectrum[frequency < 20.0] = 0.0  # no rumble below hearing
    noise = np.fft.irfft(spectrum, n=length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def build(script: Path, output: Path, voice: str, seed: int, speech_db: float, noise_db: float) -> None:
    """Make the recording and write it as 16-bit FLAC."""
    rng = np.random.default_rng(seed)
    sentences = [line.strip() for line in script.read_text("utf-8").splitlines() if line.strip()]
    dry = assemble(sentences, voice, rng)
    dry *= db(speech_db - rms_db(dry[np.abs(dry) > SPEECH_THRESHOLD]))
    mono = soxr.resample(dry, VOICE_RATE, RATE, quality="VHQ")
    # Room and hiss together have the RMS asked for.
    room = room_noise(mono.size, rng) * np.sqrt(db(noise_db) ** 2 - db(HISS_DB) ** 2)
    channels = [(mono + room) * db(gain) + rng.standard_normal(mono.size) * db(HISS_DB) for gain in GAIN_DB]
    # Dither of one step (triangular) before the samples become 16-bit numbers.
    stereo = np.stack(channels, axis=1)
    stereo += (rng.random(stereo.shape) - rng.random(stereo.shape)) / 32768.0
    peak = 20.0 * np.log10(np.max(np.abs(stereo)))
    if peak >= PEAK_LIMIT_DB:
        raise SystemExit(f"peak {peak:.1f} dBFS is too high: lower --speech-db")
    samples = np.round(stereo * 32768.0).astype(np.int16)
    sf.write(output, samples, RATE, subtype="PCM_16", format="FLAC")
    print(
        f"{output.name}: {len(sentences)} sentences, {mono.size / RATE:.1f} s, "
        f"{output.stat().st_size / 1e6:.1f} MB, peak {peak:.1f} dBFS, "
        f"noise in the lead-in {rms_db(stereo[: int(LEAD_IN * RATE * 0.9)]):.1f} dBFS"
    )


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Rebuild the demo recording with flite.")
    parser.add_argument("--script", type=Path, default=HERE / "script.txt")
    parser.add_argument("--output", type=Path, default=HERE / "demo.flac")
    parser.add_argument("--voice", default="slt", help="a 16 kHz flite voice (default: slt)")
    parser.add_argument("--seed", type=int, default=20240, help="of pauses and noise")
    parser.add_argument("--speech-db", type=float, default=-23.9, help="speech RMS in dBFS")
    parser.add_argument("--noise-db", type=float, default=-60.0, help="room noise RMS in dBFS")
    args = parser.parse_args()
    build(args.script, args.output, args.voice, args.seed, args.speech_db, args.noise_db)


if __name__ == "__main__":
    main()
