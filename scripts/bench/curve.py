"""Quality of a voice against training time, stock NeMo's recipe beside ours: `bench.py curve` (`make bench-quality`).

Time is CPU seconds of the training steps alone, divided by two: minutes on two busy cores, independent of other load.
Stock NeMo trains once and is measured at each point, because its learning rate does not depend on the end of the run.
Ours does, so each point is a training of its own. Both use Griffin-Lim, so that only the acoustic model differs.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from quality import Samples, error_rates
from quality import train as train_ours

from voicemill.errors import NotMeasurableError, TrainingError
from voicemill.metrics.inputs import SentencePair
from voicemill.synthesis.out_of_vocabulary import default_pronunciation
from voicemill.synthesis.vocoders import GriffinLimVocoder
from voicemill.training.config import TrainingConfig
from voicemill.training.data import TrainingDataset, read_dataset
from voicemill.training.speaker import Speaker

CORES = 2
_TIMED_STEPS = 40
"""Steps of the trial that converts minutes into steps."""


@dataclass(frozen=True)
class TestScores:
    """Scores of a voice on the test sentences; None if no sentence could be compared."""

    cer: float
    mcd: float | None
    """dB, mel-cepstral distortion, mean over the sentences that could be compared."""
    pitch: float | None
    """Cents, root mean square over frames voiced in both, mean over sentences."""
    compared: int
    """Number of sentences in the mean `mcd`."""


@dataclass(frozen=True)
class Point:
    """A voice after some training."""

    speaker: str
    audio_minutes: float
    recipe: str
    steps: int
    minutes: float
    """Of training, on two cores."""
    scores: TestScores


@dataclass(frozen=True)
class TestSet:
    """Sentences outside all training data, and their recordings by a speaker."""

    speaker: str
    texts: Sequence[str]
    sounds: Sequence[Samples]
    pitch_range: tuple[float, float]
    sample_rate: int = 22050

    def measure(self, synthesise: Callable[[str], Samples]) -> TestScores:
        """Measure a voice; a sentence without sound counts as silence."""
        outputs = [self._sound(synthesise, text) for text in self.texts]
        pairs = []
        for real, sound in zip(self.sounds, outputs, strict=True):
            try:
                pairs.append(
                    SentencePair.align(real, sound, sample_rate=self.sample_rate, pitch_range=self.pitch_range)
                )
            except NotMeasurableError:
                continue
        pitches = [each.pitch.f0_rmse_cents for each in pairs if each.pitch.f0_rmse_cents is not None]
        return TestScores(
            error_rates(self.texts, outputs, self.sample_rate),
            float(np.mean([each.distortion.decibels for each in pairs])) if pairs else None,
            float(np.mean(pitches)) if pitches else None,
            len(pairs),
        )

    def _sound(self, synthesise: Callable[[str], Samples], text: str) -> Samples:
        try:
            return synthesise(text)
        except TrainingError:  # a barely trained voice gives no sound
            return np.zeros(self.sample_rate, dtype=np.float32)


def part_of(dataset: Path, minutes: float, out: Path) -> Path:
    """A dataset folder with the first `minutes` of training clips, or all if there are fewer."""
    out.mkdir(parents=True)
    for name in ("clips", "supplementary", "lexicon.dict", "dataset.json", "validation.jsonl"):
        (out / name).symlink_to((dataset / name).resolve())
    kept, seconds = [], 0.0
    for line in (dataset / "train.jsonl").read_text(encoding="utf-8").splitlines():
        if seconds >= minutes * 60:
            break
        kept.append(line)
        seconds += json.loads(line)["duration"]
    (out / "train.jsonl").write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    return out


def minutes_of(prepared: TrainingDataset) -> float:
    """Minutes of training clips."""
    return sum(clip.seconds for clip in prepared.train) / 60


def stock_points(
    prepared: TrainingDataset, config: TrainingConfig, test: TestSet, minutes: Sequence[float], out: Path
) -> list[Point]:
    """Stock NeMo's recipe, measured at each of `minutes`; the time of measuring does not count."""
    import lightning.pytorch as lightning
    import torch
    from stock import stock_model, stock_trainer

    from voicemill.training.runtime import nemo_runtime

    points: list[Point] = []
    left = sorted(minutes)

    class Watch(lightning.Callback):
        def on_train_start(self, *_: object) -> None:
            self.began = time.process_time()

        def on_train_batch_end(self, trainer: Any, module: Any, *_: object) -> None:
            taken = (time.process_time() - self.began) / CORES / 60
            if taken < left[0]:
                return
            left.pop(0)
            before = time.process_time()
            module.eval()
            griffin_lim = GriffinLimVocoder(config.audio, config.acoustic.griffin_lim_iterations)
            speaker = Speaker(module, griffin_lim, config.audio, default_pronunciation)
            scores = test.measure(speaker.synthesise)
            module.train()
            self.began += time.process_time() - before
            points.append(Point(test.speaker, minutes_of(prepared), "stock NeMo", trainer.global_step, taken, scores))
            trainer.should_stop = not left

    with nemo_runtime():
        torch.manual_seed(config.seed)
        model = stock_model(prepared, config, out, normaliser=False, own_pitch=False)
        model.train()
        stock_trainer(max_epochs=10**6, callbacks=[Watch()]).fit(model, train_dataloaders=model._train_dl)
    return points


def seconds_a_step(dataset: Path, preset: str, out: Path, seed: int) -> float:
    """CPU seconds of our step on these clips, measured in a short trial."""
    return train_ours(dataset, preset, _TIMED_STEPS, {}, out, seed).step_cpu_seconds / _TIMED_STEPS


def our_point(dataset: Path, preset: str, test: TestSet, steps: int, out: Path, seed: int) -> Point:
    """Our recipe with a number of steps, over which its learning rate decays."""
    voice = train_ours(dataset, preset, steps, {}, out, seed)
    taken = voice.step_cpu_seconds / CORES / 60
    audio = minutes_of(read_dataset(dataset))
    return Point(test.speaker, audio, "voicemill", voice.steps, taken, test.measure(voice.speaker.synthesise))


def row(point: Point, real_cer: float) -> str:
    """A Markdown row."""
    scores = point.scores
    mcd, pitch = (
        "not measurable" if value is None else f"{value:.{digits}f}"
        for value, digits in ((scores.mcd, 2), (scores.pitch, 0))
    )
    return (
        f"| {point.speaker} | {point.audio_minutes:.1f} | {point.recipe} | {point.minutes:.2f} | {point.steps} | "
        f"{scores.cer:.3f} | {scores.cer / real_cer:.2f} | {mcd} | {pitch} | {scores.compared} |"
    )


HEAD = (
    "| speaker | min of audio | recipe | min of training | steps | CER | × real | distortion, dB | pitch error, cents | "
    "sentences compared |\n|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
)


def plot(points: Sequence[Point], real_cer: dict[str, float], target: Path) -> None:
    """Three curves against minutes of training, one line a speaker, amount of audio and recipe; raw points beside it."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "voicemill"  # the same points give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    names = ("character error rate", "mel-cepstral distortion, dB", "pitch error, cents")
    series: dict[tuple[str, int, str], list[Point]] = defaultdict(list)
    for each in points:
        series[each.speaker, round(each.audio_minutes), each.recipe].append(each)
    voices = list(dict.fromkeys((speaker, audio) for speaker, audio, _ in series))
    for axis, name, field in zip(axes, names, ("cer", "mcd", "pitch"), strict=True):
        for (speaker, audio, recipe), mine in series.items():
            known = [(each.minutes, getattr(each.scores, field)) for each in sorted(mine, key=lambda one: one.minutes)]
            minutes, values = [[pair[at] for pair in known if pair[1] is not None] for at in (0, 1)]
            label, style = f"{recipe}, {speaker}, {audio} min", "s--" if "stock" in recipe else "o-"
            colour = f"C{voices.index((speaker, audio))}"
            axis.plot(minutes, values, style, color=colour, markersize=4, label=label)
        axis.set(xlabel="minutes of training on two cores", ylabel=name, ylim=(0, None))
    for speaker, rate in real_cer.items():
        colour = next((f"C{at}" for at, voice in enumerate(voices) if voice[0] == speaker), "grey")
        axes[0].axhline(rate, color=colour, linewidth=0.8, linestyle=":", label=f"recordings of {speaker}")
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, loc="outside right upper")
    figure.savefig(target, metadata={"Date": None})
    target.with_suffix(".json").write_text(
        json.dumps([asdict(each) for each in points], indent=1) + "\n", encoding="utf-8"
    )
