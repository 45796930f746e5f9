"""What DeepFilterNet changes on recordings of people: the measurement of `bench.py denoise`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from judges import shipped_judges

from voicemill.audio import decode
from voicemill.audio.denoising import WEIGHTS_ID, DeepFilterDenoiser
from voicemill.dataset.models import choose_separator
from voicemill.metrics.opinion import OpinionModel
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

Samples = npt.NDArray[np.float32]
RATE = 22_050


def _white(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    return random.standard_normal(count)


def _fan(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise that falls by 6 dB an octave above 100 Hz, as a fan or a street sounds."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum /= np.maximum(np.fft.rfftfreq(count, 1.0 / RATE), 100.0)
    return np.fft.irfft(spectrum, count)


def _music(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Chords of four tones with three harmonics each, another one every half second."""
    times, sound = np.arange(count) / RATE, np.zeros(count)
    for first in range(0, count, RATE // 2):
        part = slice(first, min(count, first + RATE // 2))
        for tone in 220.0 * 2.0 ** (random.integers(0, 24, 4) / 12.0):
            for harmonic in (1, 2, 3):
                sound[part] += np.sin(2 * np.pi * tone * harmonic * times[part]) / harmonic
    return sound


KINDS: dict[str, Callable[[int, np.random.Generator], npt.NDArray[np.float64]]] = {
    "white noise": _white,
    "fan": _fan,
    "music": _music,
}


def _mixed(clean: Samples, noise: npt.NDArray[np.float64], decibels: float) -> Samples:
    scale = float(np.sqrt(np.mean(np.square(clean)) / np.mean(np.square(noise)))) * 10.0 ** (-decibels / 20.0)
    mixed: Samples = (clean + scale * noise).astype(np.float32)
    return mixed


def _sdr(wanted: Samples, found: Samples) -> float:
    return float(10.0 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum()))


def report(clips: list[Path], decibels: float = 10.0) -> Iterator[str]:
    """One row for each kind of sound behind the speech, as Markdown; means over the clips."""
    registry = WeightsRegistry(REPOSITORY / SHIPPED, REPOSITORY / "cache/weights", REPOSITORY)
    model = choose_separator("always", WEIGHTS_ID, registry).model
    judges, encoder, _ = shipped_judges()
    if model is None or not isinstance(judges.opinion, OpinionModel):
        raise SystemExit("DeepFilterNet or DNSMOS is not installed.")
    denoiser, opinion = DeepFilterDenoiser(model), judges.opinion
    yield "| behind the speech | SDR | after | P.808 | after | overall | after | likeness | after |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    seconds = cpu = 0.0
    for kind in ("nothing", *KINDS):
        rows = []
        for number, path in enumerate(clips):
            clean = decode.resample(*decode.read_mono(path), RATE)
            random = np.random.default_rng(number)
            mixed = clean if kind == "nothing" else _mixed(clean, KINDS[kind](len(clean), random), decibels)
            started = time.process_time()
            found = denoiser.voice(mixed, RATE)
            cpu += time.process_time() - started
            seconds += len(clean) / RATE
            own = encoder.embed(clean, RATE)
            first, second = (opinion.score(sound, RATE) for sound in (mixed, found))
            like = [float(own @ encoder.embed(sound, RATE)) for sound in (mixed, found)]
            distortion = (np.inf if kind == "nothing" else _sdr(clean, mixed), _sdr(clean, found))
            rows.append((*distortion, first.p808, second.p808, first.overall, second.overall, *like))
        means = [f"{value:.2f}" for value in np.mean(np.array(rows), axis=0)]
        yield f"| {kind} | " + " | ".join(means) + " |"
    yield f"\n{len(clips)} clips, {decibels:g} dB; {seconds / cpu:.0f} × real time on one core."
