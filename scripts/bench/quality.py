"""Test sentences read by flite, a training for a number of steps, and error rates: `bench.py quality`."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.align.recognition import PocketSphinxRecogniser
from voicemill.audio.decode import read_mono, resample
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.metrics.error_rate import character_errors, pooled
from voicemill.training.config import load_config
from voicemill.training.hooks import Hooks
from voicemill.training.speaker import Speaker, load_speaker
from voicemill.training.train_fastpitch import train_acoustic
from voicemill.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class TimedVoice:
    """A voice trained for a budget; seconds of the training itself, first step to last."""

    speaker: Speaker
    steps: int
    seconds: float
    cpu_seconds: float
    """Of the whole call, including building the model and its examples."""
    step_cpu_seconds: float
    """From the first step's end to the last one's, spread over all steps."""
    loss: float


def recordings(script: Path, voice: str, folder: Path) -> tuple[list[str], list[Samples]]:
    """Sentences and their recordings, processed like the demo's: same room noise, same loudness.

    The voice reproduces the room noise, and the noise affects the recogniser: on flite's clean output its error rate is
    a third lower, and a comparison with that would measure the noise.
    """
    dataset = _prepared(script, voice, folder, "heldout")
    texts = [entry.normalized_text for entry in dataset.entries]
    return texts, [read_mono(dataset.root / entry.audio_filepath)[0] for entry in dataset.entries]


def prepared_voice(script: Path, voice: str, folder: Path) -> Path:
    """A dataset folder of a flite voice that reads a script, made like the demo's."""
    return _prepared(script, voice, folder, voice).root


def _prepared(script: Path, voice: str, folder: Path, name: str) -> PreparedDataset:
    folder.mkdir(parents=True, exist_ok=True)
    audio = folder / "take.flac"
    if not audio.is_file():
        build = [sys.executable, str(ROOT / "data/demo/build.py"), "--script", str(script), "--voice", voice]
        subprocess.run([*build, "--output", str(audio)], check=True)
    request = PreparationRequest(voice=name, source=recording_source(audio, script))
    return prepare(request, Workspace(folder / "work", folder / "cache"))


def error_rates(texts: Sequence[str], sounds: Sequence[Samples], sample_rate: int) -> float:
    """Pooled character error rate of the offline recogniser."""
    recogniser = PocketSphinxRecogniser()
    recognised = [recogniser.transcribe(resample(sound, sample_rate, 16000)) for sound in sounds]
    return pooled(character_errors(list(texts), recognised)).rate


def train(
    dataset: Path, preset: str, budget: int, overrides: Mapping[str, object], out: Path, seed: int = 1
) -> TimedVoice:
    """Train FastPitch from scratch and load it with Griffin-Lim."""
    acoustic = {**overrides, **({"max_steps": budget} if budget else {})}
    settings = {"seed": seed, "acoustic": acoustic}
    config = load_config(ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", preset, settings)
    at: list[float] = []
    before = _cpu()
    result = train_acoustic(config, dataset, out, hooks=Hooks(on_step=lambda report: at.append(_cpu())))
    if result.nemo_path is None or result.average_loss is None:
        raise RuntimeError("the training gave no model")
    return TimedVoice(
        load_speaker(result.nemo_path),
        result.steps,
        result.seconds - (result.seconds_to_first_step or 0.0),
        _cpu() - before,
        (at[-1] - at[0]) * len(at) / max(1, len(at) - 1),
        result.average_loss,
    )


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
