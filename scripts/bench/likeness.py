"""How like its owner a trained voice is: what `bench.py likeness` measures.

FastPitch is trained on a prepared dataset and the graph's vocoder is tuned to it, as a job does. The voice then reads
forty sentences that it never saw, and the judges compare them with the held-out recordings of its dataset.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from judges import FIGURES, shipped_judges

from voicemill.evaluation.figures import figures_of
from voicemill.evaluation.judging import Panel
from voicemill.settings import REPOSITORY
from voicemill.synthesis.vocoders import IstftVocoder
from voicemill.training.config import TrainingConfig
from voicemill.training.data import TrainingDataset, read_audio, read_dataset
from voicemill.training.istft_weights import read_istft
from voicemill.training.speaker import load_speaker
from voicemill.training.train_fastpitch import NEMO_NAME, train_acoustic
from voicemill.training.tune_vocoder import TuningInputs, tune_vocoder

SENTENCES = REPOSITORY / "data/demo/heldout.txt"


@dataclasses.dataclass(frozen=True)
class Bases:
    """What a voice starts from: a FastPitch (None: random weights) and a vocoder."""

    acoustic: Path | None
    vocoder: Path


def report(dataset: Path, config: TrainingConfig, bases: Bases, out: Path) -> Iterator[str]:
    """Lines of one voice: the trainings, the recordings, the voice.

    Args:
        dataset: folder of a prepared dataset.
        config: settings of both trainings.
        bases: to start from.
        out: folder for the models and the sentences as WAV.
    """
    import torch

    torch.set_num_threads(1)
    begun = time.process_time()
    trained = train_acoustic(config, dataset, out, init_from=bases.acoustic)
    mels = [mel for _, _, mel in trained.loss_curve]
    acoustic_seconds = time.process_time() - begun
    yield (
        f"FastPitch: {trained.steps} steps, {acoustic_seconds:.0f} CPU s, mel loss {mels[0]:.3f} at first, "
        f"{np.mean(mels[-50:]):.3f} at last"
    )
    acoustic, vocoder = out / NEMO_NAME, bases.vocoder
    if config.runtime_vocoder.max_steps:
        vocoder = out / "vocoder.safetensors"
        tuned = tune_vocoder(config, dataset, vocoder, TuningInputs(bases.vocoder, acoustic))
        yield (
            f"vocoder: {tuned.steps} steps, the best at {tuned.best_step}, "
            f"{time.process_time() - begun - acoustic_seconds:.0f} CPU s, loss {tuned.before} to {tuned.after}"
        )
    yield from _judged(read_dataset(dataset), config, acoustic, vocoder, out)


def _judged(
    dataset: TrainingDataset, config: TrainingConfig, acoustic: Path, vocoder: Path, out: Path
) -> Iterator[str]:
    import soundfile

    rate = config.audio.sample_rate
    speaker = dataclasses.replace(load_speaker(acoustic), vocoder=IstftVocoder(read_istft(vocoder, config.audio)))
    texts = [line.strip() for line in SENTENCES.read_text(encoding="utf-8").splitlines() if line.strip()]
    sounds = [speaker.synthesise(text) for text in texts]
    for number, sound in enumerate(sounds):
        soundfile.write(out / f"{number:02d}.wav", sound, rate)
    judges, _, people = shipped_judges()
    panel = Panel(rate, judges, [read_audio(clip.audio, rate) for clip in dataset.train], people)
    recordings = [read_audio(clip.audio, rate) for clip in dataset.validation]
    judged, _ = panel.judge_recordings(recordings, [clip.text for clip in dataset.validation], lambda: None)
    recorded = {name: figures_of(judged)[f"{name}_real"].value for name in FIGURES}
    voice = figures_of(panel.judge(sounds, texts, lambda: None).sentences)
    spoken = {name: voice[name].value for name in FIGURES}
    for name, values in ((f"{len(recordings)} recordings", recorded), (f"{len(sounds)} sentences", spoken)):
        yield "| " + " | ".join([name, *(f"{value:.3f}" for value in values.values() if value is not None)]) + " |"
    ratio = (spoken["speaker_similarity"] or 0.0) / (recorded["speaker_similarity"] or 1.0)
    below = (recorded["dnsmos_p808"] or 0.0) - (spoken["dnsmos_p808"] or 0.0)
    yield f"similarity {ratio:.3f} x, P.808 {below:.2f} below"
