#!/usr/bin/env python3
"""Convert Resemblyzer's speaker encoder, a pickle, into the ONNX graph data/base/speaker-encoder.onnx.

    scripts/speaker_encoder/convert.py CHECKPOINT [OUT.onnx]

CHECKPOINT is `resemblyzer/pretrained.pt` of the package resemblyzer 0.1.4; any other file is refused. The graph takes
samples, (1, n) float32 at 16 kHz, and gives the embedding, (1, 256) of norm 1. It contains everything between: the gain,
the mel spectrogram, the windows of 1.6 s, the network and the mean over windows. What Resemblyzer does before it, cutting
long pauses with a voice activity detector, is left out. `tests/unit/metrics/test_judges.py` compares graph and
checkpoint.

Source: L. Wan, Q. Wang, A. Papir, I. Lopez Moreno, "Generalized end-to-end loss for speaker verification", ICASSP 2018;
constants of https://github.com/resemble-ai/Resemblyzer (Apache-2.0), hparams.py.
"""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from librosa.filters import mel

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill import files

SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of the checkpoint."""
RATE, FFT, HOP, BANDS = 16_000, 400, 160, 40
WINDOW, STEP = 160, 77
"""Frames of a window and between two windows (1.3 windows a second)."""
COVERED = 0.75
"""Share of the last window that must be sound."""
LEVEL = 10 ** (-24 / 20)
"""Root mean square to which every sound is scaled. Resemblyzer only amplifies, to -30 dBFS, and the same sentence 26 dB
quieter is then at a cosine of 0.89 to itself; people are told apart as well at one level (docs/evaluation.md)."""
HIDDEN, LAYERS = 256, 3


class SpeakerEncoder(torch.nn.Module):
    """Samples to embedding."""

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(BANDS, HIDDEN, LAYERS, batch_first=True)
        self.linear = torch.nn.Linear(HIDDEN, HIDDEN)
        self.load_state_dict(state, strict=False)
        turn = 2 * np.pi * np.outer(np.arange(FFT // 2 + 1), np.arange(FFT)) / FFT
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
        basis = np.concatenate([np.cos(turn), np.sin(turn)]) * hann
        self.register_buffer("basis", torch.tensor(basis[:, None], dtype=torch.float32))
        bands = mel(sr=RATE, n_fft=FFT, n_mels=BANDS)
        self.register_buffer("bands", torch.tensor(bands, dtype=torch.float32))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        level = samples.square().mean().sqrt()
        sound = samples * (LEVEL / level.clamp(min=1e-9))
        # Zeros after the end: the last window is filled up with silence.
        padded = torch.nn.functional.pad(sound[None], (FFT // 2, WINDOW * HOP + FFT // 2))
        spectrum = torch.nn.functional.conv1d(padded, self.basis, stride=HOP)[0].square()
        half = FFT // 2 + 1
        bands = (self.bands @ (spectrum[:half] + spectrum[half:])).T
        further = torch.div(samples.shape[1] - COVERED * WINDOW * HOP, STEP * HOP, rounding_mode="floor")
        starts = torch.arange(1 + further.clamp(min=0).long()) * STEP
        windows = bands[starts[:, None] + torch.arange(WINDOW)[None]]
        _, (hidden, _) = self.lstm(windows)
        found = torch.relu(self.linear(hidden[-1]))
        found = found / found.norm(dim=1, keepdim=True)
        whole = found.mean(dim=0, keepdim=True)
        return whole / whole.norm(dim=1, keepdim=True)


def load(checkpoint: Path) -> SpeakerEncoder:
    """The encoder with the weights of the checkpoint, which is read as tensors only."""
    data = checkpoint.read_bytes()
    if files.sha256_bytes(data) != SHA256:
        raise SystemExit(f"{checkpoint} is not resemblyzer 0.1.4's pretrained.pt (sha256 {SHA256}).")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)["model_state"]
    encoder = SpeakerEncoder({name: value for name, value in state.items() if name.startswith(("lstm", "linear"))})
    encoder.eval()
    return encoder


def graph(encoder: SpeakerEncoder) -> bytes:
    """The encoder as an ONNX graph."""
    target = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notes on the batch size of the LSTM, which is tested
        torch.onnx.export(
            encoder,
            (torch.randn(1, 3 * RATE),),
            target,
            dynamo=False,
            opset_version=17,
            input_names=["samples"],
            output_names=["embedding"],
            dynamic_axes={"samples": {1: "n"}},
        )
    return target.getvalue()


def main(arguments: list[str]) -> int:
    """Write the graph and print its sha256."""
    if len(arguments) not in (1, 2):
        print(__doc__)
        return 1
    out = Path(arguments[1]) if len(arguments) == 2 else ROOT / "data/base/speaker-encoder.onnx"
    data = graph(load(Path(arguments[0])))
    files.write_bytes(out, data)
    print(f"{out}: {len(data)} bytes, sha256 {files.sha256_bytes(data)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
