"""The judges held against people: what `bench.py judges` measures (docs/evaluation.md has the results).

Likeness: each clip of a speaker to the mean of the others, and the shipped other people to the speaker. Conditions:
recordings beside their copy synthesis, a blurred copy, noise and a change of pitch, by every judge.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicemill.audio.decode import read_mono, resample
from voicemill.audio.embedding import SpeakerModel, centroid
from voicemill.evaluation.figures import figures_of
from voicemill.evaluation.judging import Panel
from voicemill.evaluation.other_speakers import shipped_people
from voicemill.metrics.inputs import JudgedPair
from voicemill.metrics.judges import Judges, find_judges
from voicemill.metrics.spectral import MelSettings, log_mel
from voicemill.settings import REPOSITORY
from voicemill.synthesis.mel import AudioConfig
from voicemill.synthesis.vocoders import GriffinLimVocoder
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

RATE = 22_050
MOST_CLIPS = 40
_Samples = npt.NDArray[np.float32]
FIGURES = ("speaker_similarity", "speaker_confusion", "dnsmos_overall", "dnsmos_p808", "wer_whisper")


def report(folders: tuple[Path, ...], count: int) -> Iterator[str]:
    """Lines of both tables, as they are measured.

    Args:
        folders: one for each speaker, with recordings and a `metadata.csv` (name first, text last, separated by `|`).
        count: clips of each speaker in the second table.
    """
    judges, model, people = shipped_judges()
    for folder in folders:
        yield likeness(folder, model, people)
    for folder in folders:
        yield from conditions(folder, judges, people, count)


def shipped_judges() -> tuple[Judges, SpeakerModel, npt.NDArray[np.float64]]:
    """The judges, the speaker model among them, and the embeddings of other people."""
    judges = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, Path("cache/weights"), REPOSITORY))
    if not isinstance(judges.speaker, SpeakerModel):
        raise SystemExit(judges.speaker)
    return judges, judges.speaker, shipped_people(REPOSITORY, judges.speaker.sha256)


def likeness(folder: Path, model: SpeakerModel, people: npt.NDArray[np.float64]) -> str:
    """The line of one speaker: own clips and other people."""
    clips = sorted(folder.rglob("*.flac"))[:MOST_CLIPS]
    vectors = np.array([model.embed(*read_mono(clip)) for clip in clips])
    own = np.array([vectors[i] @ centroid(np.delete(vectors, i, axis=0)) for i in range(len(vectors))])
    others = people @ centroid(vectors)
    confused = int(np.sum((vectors @ people.T).max(axis=1) >= own))
    return (
        f"| {folder.name} | {len(clips)} | {own.mean():.3f}, {own.min():.3f} | {np.median(others):.3f}, "
        f"{np.quantile(others, 0.95):.3f}, {others.max():.3f} | {others.max() / own.mean():.2f} | {confused} confused"
    )


def conditions(
    folder: Path,
    judges: Judges,
    people: npt.NDArray[np.float64],
    count: int,
    changes: Mapping[str, Callable[[_Samples], _Samples]] | None = None,
) -> Iterator[str]:
    """A line for the recordings and for each condition: a change of a recording by its name, `CONDITIONS` by default."""
    texts = _texts(folder)
    clips = [clip for clip in sorted(folder.rglob("*.flac")) if clip.stem in texts]
    chosen = clips[:: max(1, len(clips) // count)][:count]
    sounds = [_read(clip) for clip in chosen]
    own = [_read(clip) for clip in clips if clip not in chosen]
    panel = Panel(RATE, judges, own, people)
    spoken = [texts[clip.stem] for clip in chosen]
    recorded, _ = panel.judge_recordings(sounds, spoken, lambda: None)
    found = figures_of(recorded)
    yield _line(folder.name, "recordings", [found[f"{name}_real"].value for name in FIGURES], 1.0)
    for name, change in (CONDITIONS if changes is None else changes).items():
        judged = panel.judge([change(sound) for sound in sounds], spoken, lambda: None).sentences
        found = figures_of(judged) | figures_of(JudgedPair(judged, recorded))
        ratio = found["speaker_similarity_ratio"].value
        yield _line(folder.name, name, [found[each].value for each in FIGURES], ratio)


def _line(speaker: str, condition: str, values: list[float | None], ratio: float | None) -> str:
    shown = " | ".join("" if value is None else f"{value:.3f}" for value in [*values, ratio])
    return f"| {speaker} | {condition} | {shown} |"


def _texts(folder: Path) -> dict[str, str]:
    with (folder / "metadata.csv").open(encoding="utf-8") as handle:
        return {row[0]: row[-1] for row in csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE)}


@functools.cache
def _read(clip: Path) -> _Samples:
    samples, rate = read_mono(clip)
    return resample(samples, rate, RATE)


def _copy(samples: _Samples, blurred: bool = False) -> _Samples:
    from scipy.ndimage import gaussian_filter

    mel = log_mel(samples, MelSettings(sample_rate=RATE))
    return GriffinLimVocoder(AudioConfig())(gaussian_filter(mel, (1.5, 2.5)).astype(np.float32) if blurred else mel)


def _noisy(samples: _Samples, decibels: float) -> _Samples:
    level = float(np.sqrt(np.mean(samples**2))) * 10 ** (-decibels / 20)
    return (samples + level * np.random.default_rng(1).standard_normal(len(samples))).astype(np.float32)


CONDITIONS: dict[str, Callable[[_Samples], _Samples]] = {
    "Griffin-Lim copy": _copy,
    "copy of a blurred mel spectrogram": lambda sound: _copy(sound, blurred=True),
    "white noise 20 dB below": lambda sound: _noisy(sound, 20),
    "white noise 5 dB below": lambda sound: _noisy(sound, 5),
    "five semitones up": lambda sound: resample(sound, RATE, round(RATE * 2 ** (-5 / 12))),
}
"""Change of a recording by its name."""
