"""A trained voice as one ONNX graph: token ids, pace and pitch in; samples, durations and mel out.

The graph is FastPitch's inference and, where the voice has a neural vocoder, the vocoder, exactly as `training.speaker`
runs them: samples are clipped to -1..1, and HiFi-GAN's are moved by half a hop. The inverse STFT of the iSTFT vocoder
is a matrix product, because onnxruntime's own transforms are slower and other runtimes lack them. A runtime asks for
the outputs it needs; onnxruntime computes no others. A new graph is compared with NeMo.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voicemill import files
from voicemill.errors import TrainingError
from voicemill.synthesis.vocoders import GriffinLimVocoder, HifiganVocoder, IstftVocoder
from voicemill.training.examples import encode
from voicemill.training.runtime import nemo_runtime
from voicemill.training.speaker import Speaker
from voicemill_runtime.graph import FORMAT, VoiceGraph

if TYPE_CHECKING:
    import torch

OPSET = 17
GRAPH_NAME = "voice.onnx"
LEXICON_NAME = "lexicon.txt"
INPUTS = ("tokens", "pace", "pitch")
LARGEST_DIFFERENCE = 1e-4
"""Of the log-mel, and of samples in -1..1."""
COMPARED = 3
"""Sentences that are compared."""
_TIE = 1e-4
"""Frames. A duration this near to a half may round to either side, and one frame more is no fault of the graph."""


@dataclass(frozen=True)
class ExportedGraph:
    """A voice's graph and dictionary.

    Attributes:
        difference: the largest one from NeMo's own output, at most `LARGEST_DIFFERENCE`.
    """

    graph: Path
    lexicon: Path
    difference: float


def export_graph(speaker: Speaker, folder: Path, texts: Iterable[str]) -> ExportedGraph:
    """Write the graph and the dictionary of a voice into a folder.

    Args:
        speaker: the voice with the vocoder that it ships with.
        folder: checkpoints of the voice.
        texts: normalised sentences; the first `COMPARED` are compared, long ones in parts.

    Raises:
        TrainingError: `onnx_export_failed`; `onnx_differs`: the graph's output is not NeMo's.
        StorageError: a file cannot be written.
    """
    graph, lexicon = export_voice(speaker, folder)
    difference = largest_difference(speaker, VoiceGraph(graph.read_bytes()), texts)
    if not difference <= LARGEST_DIFFERENCE:
        raise TrainingError(
            f"The exported graph differs from NeMo by {difference:.2g}; at most {LARGEST_DIFFERENCE:g} is accepted.",
            reason="onnx_differs",
            hint="Report this with the training configuration.",
        )
    return ExportedGraph(graph, lexicon, difference)


def export_voice(speaker: Speaker, folder: Path) -> tuple[Path, Path]:
    """Write the voice's graph and its pronunciation dictionary.

    Args:
        speaker: the voice in memory; with Griffin-Lim its graph ends at the mel.
        folder: gets `voice.onnx` and `lexicon.txt`.

    Returns:
        Paths of the graph and the dictionary.

    Raises:
        TrainingError: `onnx_export_failed`: the exporter refuses the model.
        StorageError: a file cannot be written.
    """
    graph = folder / GRAPH_NAME
    files.write_bytes(graph, graph_bytes(speaker))
    lexicon = folder / LEXICON_NAME
    files.write_text(lexicon, _lexicon(speaker))
    return graph, lexicon


def graph_bytes(speaker: Speaker) -> bytes:
    """The serialised graph of a voice, with its metadata; see `export_voice`."""
    import onnx
    import torch

    neural = not isinstance(speaker.vocoder, GriffinLimVocoder)
    outputs = ["samples", "durations", "mel"] if neural else ["durations", "mel"]
    tokens = torch.arange(1, 13)[None] % len(speaker.fastpitch.vocab.tokens)
    example = (tokens, torch.ones(1, 12), torch.zeros(1, 12))
    axes = {name: {1: "tokens"} for name in (*INPUTS, "durations")} | {"samples": {1: "samples"}, "mel": {2: "frames"}}
    buffer = io.BytesIO()
    try:
        with nemo_runtime(), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's notes on constants of the traced model
            torch.onnx.export(
                _voice_module(speaker).eval(),
                example,
                buffer,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=outputs,
                dynamic_axes={name: axes[name] for name in (*INPUTS, *outputs)},
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise TrainingError(
            f"The voice cannot be exported to ONNX: {error}.",
            reason="onnx_export_failed",
            hint="Report this with the training configuration.",
        ) from error
    model = onnx.load_model_from_string(buffer.getvalue())
    for key, value in _metadata(speaker).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _voice_module(speaker: Speaker) -> torch.nn.Module:
    """FastPitch's inference and the vocoder as one module."""
    import torch

    class Voice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.acoustic = speaker.fastpitch.fastpitch
            self.vocoder = _vocoder_module(speaker)

        def forward(self, tokens: torch.Tensor, pace: torch.Tensor, pitch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            mel, _, frames, *_ = self.acoustic.infer(text=tokens, pitch=pitch, pace=pace)
            durations = (frames.float() / pace + 0.5).floor().long()  # as `regulate_len` repeats the tokens
            return (durations, mel) if self.vocoder is None else (self.vocoder(mel), durations, mel)

    return Voice()


def _vocoder_module(speaker: Speaker) -> torch.nn.Module | None:
    """Log-mel (B, mels, frames) -> samples in -1..1 (B, frames * hop); None for Griffin-Lim."""
    import torch

    if isinstance(speaker.vocoder, IstftVocoder):
        from voicemill.training.istft_network import IstftNetwork

        network: Any = speaker.vocoder.network
        exported = IstftNetwork(network.config, network.audio, as_products=True)
        exported.load_state_dict(network.state_dict())
        return exported
    if not isinstance(speaker.vocoder, HifiganVocoder):
        return None
    half = speaker.audio.hop_length // 2

    class Hifigan(torch.nn.Module):
        def __init__(self, generator: torch.nn.Module) -> None:
            super().__init__()
            self.generator = generator

        def forward(self, mel: torch.Tensor) -> torch.Tensor:
            samples = self.generator(x=mel)[:, 0].clamp(-1.0, 1.0)
            return torch.nn.functional.pad(samples[:, half:], (0, half))

    return Hifigan(speaker.vocoder.model.generator)


def _metadata(speaker: Speaker) -> dict[str, str]:
    module: Any = speaker.fastpitch.fastpitch
    audio = speaker.audio
    return {
        "format": FORMAT,
        "vocoder": speaker.vocoder.name.replace("_", "-"),
        "tokens": json.dumps(list(speaker.fastpitch.vocab.tokens), ensure_ascii=False),
        "sample_rate": str(audio.sample_rate),
        "hop_length": str(audio.hop_length),
        "pitch_mean": repr(float(module.pitch_mean)),
        "pitch_std": repr(float(module.pitch_std)),
        "mel": json.dumps(audio.model_dump(), sort_keys=True),
    }


def _lexicon(speaker: Speaker) -> str:
    """The tokenizer's dictionary, one `word PHONE PHONE …` a line, first pronunciations, in lower case."""
    entries = speaker.fastpitch.vocab.g2p.phoneme_dict
    rows = []
    for word, pronunciations in sorted(entries.items()):
        first = pronunciations[0] if pronunciations and isinstance(pronunciations[0], list) else pronunciations
        rows.append(f"{word.lower()} {' '.join(first)}\n")
    return "".join(rows)


def largest_difference(speaker: Speaker, graph: VoiceGraph, texts: Iterable[str]) -> float:
    """The largest difference between the graph's output and NeMo's; infinite where their lengths differ.

    The log-mel is compared with NeMo's, and the samples with those that the voice's vocoder makes of the same log-mel.
    The iSTFT vocoder sums its pitch over all frames: a log-mel that differs by rounding moves the phase of the highest
    harmonics at the end of a long sentence. That is inaudible, and no fault of the export.
    """
    parts = [part for text in texts for part in speaker.chunks(text)]
    chosen = [*_without_ties(speaker, parts)] or parts
    return max((_difference(speaker, graph, part) for part in chosen[:COMPARED]), default=0.0)


def _without_ties(speaker: Speaker, parts: Iterable[str]) -> Iterator[str]:
    """The first sentences whose durations round to the same frames with any floating-point arithmetic."""
    import torch

    found = 0
    for part in parts:
        with nemo_runtime(), torch.no_grad():
            tokens = torch.tensor([_tokens(speaker, part)], device=speaker.fastpitch.device)
            level = torch.zeros(1, 1, device=tokens.device)
            frames = speaker.fastpitch.fastpitch.infer(text=tokens, pitch=level)[2].float().cpu().numpy()
        if np.abs(frames - np.floor(frames) - 0.5).min() > _TIE:
            yield part
            found += 1
        if found == COMPARED:
            return


def _tokens(speaker: Speaker, text: str) -> list[int]:
    tokens, _ = encode(speaker.fastpitch, speaker.with_phones(text))
    return tokens


def _difference(speaker: Speaker, graph: VoiceGraph, text: str) -> float:
    tokens = np.array(_tokens(speaker, text), dtype=np.int64)
    output = graph.run(tokens, np.ones(len(tokens), np.float32), np.zeros(len(tokens), np.float32), with_mel=True)
    if output.mel is None:
        raise ValueError("the log-mel was asked for")
    pairs = [(output.mel, speaker.predict_mel(text))]
    if output.samples is not None:
        pairs.append((output.samples, speaker.vocode(output.mel)))
    return max(
        float(np.abs(found - expected).max()) if found.shape == expected.shape else math.inf
        for found, expected in pairs
    )
