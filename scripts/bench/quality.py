"""What `bench.py quality` does: real test sentences by flite, training for a step budget, error rates."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.audio.decode import read_mono, resample
from voicemill.metrics.error_rate import character_errors, pooled
from voicemill.text.recognition import PocketSphinxRecogniser
from voicemill.training.config import load_config
from voicemill.training.loop import train_acoustic
from voicemill.training.synthesis import Speaker, load_speaker

ROOT = Path(__file__).resolve().parents[2]
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class TrainedVoice:
    """A voice trained for a budget; seconds of the training itself, first step to last."""

    speaker: Speaker
    steps: int
    seconds: float
    cpu_seconds: float
    loss: float


def recordings(script: Path, voice: str, folder: Path) -> tuple[list[str], list[Samples]]:
    """Sentences and flite's reading of them at 22050 Hz."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = script.read_text(encoding="utf-8").splitlines()
    sounds = []
    for index, text in enumerate(texts):
        wav = folder / f"{index:03}.wav"
        if not wav.is_file():
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)
        samples, rate = read_mono(wav)
        sounds.append(resample(samples, rate, 22050))
    return texts, sounds


def error_rates(texts: Sequence[str], sounds: Sequence[Samples], sample_rate: int) -> float:
    """Pooled character error rate of the offline recogniser."""
    recogniser = PocketSphinxRecogniser()
    heard = [recogniser.transcribe(resample(sound, sample_rate, 16000)) for sound in sounds]
    return pooled(character_errors(list(texts), heard)).rate


def train(dataset: Path, preset: str, budget: int, overrides: Mapping[str, object], out: Path) -> TrainedVoice:
    """Train FastPitch from scratch and load it with Griffin-Lim."""
    acoustic = {**overrides, **({"max_steps": budget} if budget else {})}
    config = load_config(ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", preset, {"acoustic": acoustic})
    before = _cpu()
    result = train_acoustic(config, dataset, out)
    if result.nemo_path is None or result.average_loss is None:
        raise RuntimeError("the training gave no model")
    return TrainedVoice(
        load_speaker(result.nemo_path),
        result.steps,
        result.seconds - (result.seconds_to_first_step or 0.0),
        _cpu() - before,
        result.average_loss,
    )


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
