#!/usr/bin/env python3
"""Measure a vocoder by copy synthesis: flite reads sentences, and the vocoder reconstructs them from their mels.

Prints one JSON line for each voice and method: character error rate of PocketSphinx, and multi-resolution STFT distance
and mel-cepstral distortion from the recordings. `recording` is flite itself, the upper bound for a vocoder.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

import click
import numpy as np
from numpy.typing import NDArray

from voicemill.synthesis.mel import AudioConfig

Samples = NDArray[np.float32]
AUDIO = AudioConfig()
PEAK = 0.5


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.argument("nemo", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--voice", "voices", multiple=True, default=["slt", "rms"], help="Of flite; slt is not in the training data."
)
@click.option("--text", type=click.Path(path_type=Path), default=ROOT / "data/demo/heldout.txt")
@click.option("--sentences", type=int, default=40, help="Number of lines of the text.")
@click.option("--only-vocoder", is_flag=True, help="Without Griffin-Lim and the recordings.")
def main(nemo: Path, voices: Sequence[str], text: Path, sentences: int, only_vocoder: bool) -> None:
    """Measure and print."""
    from voicemill.synthesis.griffin_lim import griffin_lim
    from voicemill.training.runtime import nemo_runtime, restore_hifigan

    lines = [line.strip() for line in text.read_text(encoding="utf-8").splitlines() if line.strip()][:sentences]
    with nemo_runtime():
        import torch

        torch.set_num_threads(1)
        model = restore_hifigan(nemo)

        def mel_of(samples: Samples) -> torch.Tensor:
            with torch.no_grad():
                mel, _ = model.audio_to_melspec_precessor(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
            return mel

        def vocoder(samples: Samples) -> Samples:
            with torch.no_grad():
                output = model.convert_spectrogram_to_audio(spec=mel_of(samples))
            return np.asarray(output[0].numpy())

        def griffin(samples: Samples) -> Samples:
            # Griffin-Lim's frames are centred on t * hop, these on half a hop later.
            output = griffin_lim(mel_of(samples)[0].numpy(), AUDIO, iterations=60)
            return np.pad(output, (AUDIO.hop_length // 2, 0))[: len(samples)]

        methods: dict[str, Callable[[Samples], Samples]] = {"vocoder": vocoder}
        if not only_vocoder:
            methods |= {"griffin_lim_60": griffin, "recording": lambda samples: samples}
        for voice in voices:
            recordings = [_read(line, voice) for line in lines]
            for name, method in methods.items():
                figures = _figures(lines, recordings, [method(recording) for recording in recordings])
                click.echo(json.dumps({"voice": voice, "method": name, "sentences": len(lines)} | figures))


def _read(sentence: str, voice: str) -> Samples:
    """Flite's voice at our sample rate, cut to whole frames, with room noise of -60 dBFS."""
    import soundfile
    import soxr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        subprocess.run(["flite", "-voice", voice, "-t", sentence, str(path)], check=True)
        samples, rate = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate, AUDIO.sample_rate)
    samples = samples[: len(samples) // AUDIO.hop_length * AUDIO.hop_length] / np.abs(samples).max() * PEAK
    noise = np.random.default_rng(len(samples)).standard_normal(len(samples)) * 1e-3
    return np.asarray(samples + noise, dtype=np.float32)


def _figures(texts: Sequence[str], recordings: Sequence[Samples], outputs: Sequence[Samples]) -> dict[str, float]:
    import soxr

    from voicemill.align.recognition import PocketSphinxRecogniser
    from voicemill.metrics.error_rate import character_errors, pooled
    from voicemill.metrics.spectral import log_mel, mel_cepstral_distortion, stft_distance

    recogniser = PocketSphinxRecogniser()
    recognised = [recogniser.transcribe(soxr.resample(each, AUDIO.sample_rate, 16_000)) for each in outputs]
    pairs = list(zip(recordings, outputs, strict=True))
    distortions = [mel_cepstral_distortion(log_mel(real), log_mel(output)).decibels for real, output in pairs]
    return {
        "cer": round(pooled(character_errors(texts, recognised)).rate, 4),
        "stft_distance": round(float(np.mean([stft_distance(real, output) for real, output in pairs])), 4),
        "mcd_db": round(float(np.mean(distortions)), 3),
    }


if __name__ == "__main__":
    main()
