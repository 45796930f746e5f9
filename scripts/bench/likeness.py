"""How like its owner a trained voice is: what `bench.py likeness` measures.

The clips of a prepared dataset are divided into folds. For each fold, FastPitch is trained on the other clips and the
graph's vocoder is tuned to them, as a job does, with a seed of its own. The voice then reads the fold's texts, and the
judges compare every sentence with its recording.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from judges import shipped_judges

from voicemill.evaluation.judging import MOST_SENTENCES, Judged, Panel
from voicemill.metrics.intervals import interval_of_mean
from voicemill.synthesis.vocoders import IstftVocoder
from voicemill.training.config import TrainingConfig
from voicemill.training.data import TrainingClip, TrainingDataset, read_audio, read_dataset
from voicemill.training.istft_weights import read_istft
from voicemill.training.speaker import load_speaker
from voicemill.training.train_fastpitch import NEMO_NAME, train_acoustic
from voicemill.training.tune_vocoder import TuningInputs, tune_vocoder

VALIDATION_SHARE = 0.08
"""Part of the clips outside the fold that ends the tuning of the vocoder; no model is trained on it."""


@dataclasses.dataclass(frozen=True)
class Bases:
    """What a voice starts from: a FastPitch (None: random weights) and a vocoder."""

    acoustic: Path | None
    vocoder: Path


@dataclasses.dataclass(frozen=True)
class Fold:
    """A fold of a dataset.

    Attributes:
        folder: a prepared dataset of the clips outside the fold.
        held_out: the clips of the fold.
    """

    folder: Path
    held_out: tuple[TrainingClip, ...]


def make_fold(dataset: Path, number: int, folds: int, folder: Path, minutes: float | None = None) -> Fold:
    """Write the dataset without one fold: every `folds`-th clip, from clip `number`.

    Args:
        dataset: folder of a prepared dataset.
        number: of the fold, from 0.
        folds: in all.
        folder: to write; clips and pitch are linked.
        minutes: of audio that are kept to train on, spread evenly; None keeps all.
    """
    lines = sorted(
        (json.loads(line) for name in ("train", "validation") for line in _lines(dataset / f"{name}.jsonl")),
        key=lambda line: str(line["id"]),
    )
    rest = [line for index, line in enumerate(lines) if index % folds != number]
    validation = _spread(rest, max(2, round(VALIDATION_SHARE * len(rest))))
    train = [line for line in rest if line not in validation]
    if minutes is not None:
        mean = sum(line["duration"] for line in train) / len(train)
        train = _spread(train, max(1, round(minutes * 60 / mean)))
    folder.mkdir(parents=True)
    for name in ("clips", "supplementary", "lexicon.dict", "dataset.json"):
        (folder / name).symlink_to((dataset / name).resolve())
    for name, chosen in (("train", train), ("validation", validation)):
        text = "".join(f"{json.dumps(line)}\n" for line in chosen)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    whole = read_dataset(dataset)
    clips = {clip.id: clip for clip in (*whole.train, *whole.validation)}
    return Fold(folder, tuple(clips[line["id"]] for index, line in enumerate(lines) if index % folds == number))


def report(
    dataset: Path,
    config: TrainingConfig,
    bases: Bases,
    out: Path,
    *,
    folds: int,
    chosen: Sequence[int],
    minutes: float | None = None,
) -> Iterator[str]:
    """Lines of each fold, and of all folds that have results in `out`.

    Args:
        dataset: folder of a prepared dataset.
        config: settings of both trainings; a fold's seed is this seed and its number.
        bases: to start from.
        out: folder for the models, the sentences as WAV and the results (`fold-<number>.json`).
        folds: in how many the clips are divided.
        chosen: numbers of the folds to measure.
        minutes: see `make_fold`.
    """
    for number in chosen:
        fold = make_fold(dataset, number, folds, out / f"fold-{number}", minutes)
        yield from _measure(fold, config.model_copy(update={"seed": config.seed + number}), bases, out, number)
    results = [json.loads(path.read_text()) for path in sorted(out.glob("fold-*.json"))]
    yield from summary([sentence for result in results for sentence in result], len(results))


def _measure(fold: Fold, config: TrainingConfig, bases: Bases, out: Path, number: int) -> Iterator[str]:
    import torch

    torch.set_num_threads(1)
    dataset, folder = read_dataset(fold.folder), out / f"models-{number}"
    seconds = sum(clip.seconds for clip in dataset.train)
    config, begun = config.for_audio(seconds), time.process_time()
    folder.mkdir()
    trained = train_acoustic(config, fold.folder, folder, init_from=bases.acoustic)
    mels = [mel for _, _, mel in trained.loss_curve]
    acoustic_seconds = time.process_time() - begun
    yield (
        f"fold {number}: {seconds / 60:.1f} min of audio, FastPitch {trained.steps} steps, {acoustic_seconds:.0f} CPU s, "
        f"mel loss {mels[0]:.3f} at first, {np.mean(mels[-50:]):.3f} at last"
    )
    acoustic, vocoder = folder / NEMO_NAME, bases.vocoder
    if config.runtime_vocoder.max_steps:
        vocoder = folder / "vocoder.safetensors"
        tuned = tune_vocoder(config, fold.folder, vocoder, TuningInputs(bases.vocoder, acoustic))
        yield (
            f"fold {number}: vocoder {tuned.steps} steps, the best at {tuned.best_step}, "
            f"{time.process_time() - begun - acoustic_seconds:.0f} CPU s, loss {tuned.before} to {tuned.after}"
        )
    sentences = judge(fold, dataset, config, acoustic, vocoder, folder)
    (out / f"fold-{number}.json").write_text(json.dumps(sentences))


def judge(
    fold: Fold, dataset: TrainingDataset, config: TrainingConfig, acoustic: Path, vocoder: Path, folder: Path
) -> list[dict[str, Any]]:
    """Figures and recognised text of each sentence of a fold and of its recording (`real_…`).

    The sounds are written to `folder`.
    """
    import soundfile

    rate = config.audio.sample_rate
    speaker = dataclasses.replace(load_speaker(acoustic), vocoder=IstftVocoder(read_istft(vocoder, config.audio)))
    texts = [clip.text for clip in fold.held_out]
    sounds = [speaker.synthesise(text) for text in texts]
    for clip, sound in zip(fold.held_out, sounds, strict=True):
        soundfile.write(folder / f"{clip.id}.wav", sound, rate)
    judges, _, people = shipped_judges()
    panel = Panel(rate, judges, [read_audio(clip.audio, rate) for clip in dataset.train], people)
    recordings = [read_audio(clip.audio, rate) for clip in fold.held_out]
    real, made = (_figures(panel, each, texts) for each in (recordings, sounds))
    return [
        {"text": text} | ours | {f"real_{name}": value for name, value in theirs.items()}
        for text, ours, theirs in zip(texts, made, real, strict=True)
    ]


def summary(sentences: Sequence[dict[str, Any]], folds: int) -> Iterator[str]:
    """Lines of the recordings, of the voice, and of the comparison, with 95 % intervals over the sentences."""
    for name, start in (("recordings", "real_"), ("voice", "")):
        rate = _sum(sentences, f"{start}errors") / _sum(sentences, f"{start}words")
        means = [_sum(sentences, f"{start}{each}") / len(sentences) for each in ("similarity", "overall", "p808")]
        yield f"| {name}, {len(sentences)} sentences | " + " | ".join(f"{value:.3f}" for value in [*means, rate]) + " |"
    mean = _sum(sentences, "real_similarity") / len(sentences)
    ratio = _with_interval([each["similarity"] / mean for each in sentences], 3)
    below = _with_interval([each["real_p808"] - each["p808"] for each in sentences], 2)
    words = _sum(sentences, "words") / len(sentences)
    above = _with_interval([(each["errors"] - each["real_errors"]) / words for each in sentences], 3)
    yield f"{folds} folds: similarity {ratio} x, P.808 {below} below, errors {above} above"


def _figures(panel: Panel, sounds: Sequence[npt.NDArray[np.float32]], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Figures of every sentence; a panel takes `MOST_SENTENCES` at a time."""
    figures: list[dict[str, Any]] = []
    for first in range(0, len(sounds), MOST_SENTENCES):
        part = slice(first, first + MOST_SENTENCES)
        figures += _figures_of(panel.judge(sounds[part], texts[part], lambda: None))
    return figures


def _figures_of(judged: Judged) -> list[dict[str, Any]]:
    words, likeness, opinions = judged.sentences.words, judged.sentences.likeness, judged.sentences.opinions
    if isinstance(words, str) or isinstance(likeness, str) or isinstance(opinions, str):
        raise SystemExit(next(each for each in (words, likeness, opinions) if isinstance(each, str)))
    return [
        {
            "errors": word.errors,
            "words": word.length,
            "similarity": like.own,
            "overall": opinion.overall,
            "p808": opinion.p808,
            "recognised": sound.recognised if sound else None,
        }
        for word, like, opinion, sound in zip(words, likeness, opinions, judged.sounds, strict=True)
    ]


def _with_interval(values: list[float], digits: int) -> str:
    low, high = interval_of_mean(values) or (values[0], values[0])
    return f"{np.mean(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _sum(sentences: Sequence[dict[str, Any]], name: str) -> float:
    return sum(float(each[name]) for each in sentences)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _spread(lines: list[dict], count: int) -> list[dict]:  # type: ignore[type-arg]
    """So many of the lines, evenly from the whole."""
    if len(lines) <= count:
        return list(lines)
    return [lines[(2 * index + 1) * len(lines) // (2 * count)] for index in range(count)]
