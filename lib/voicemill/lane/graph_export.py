"""Exports a trained voice as an ONNX graph with its dictionary, and compares the graph with NeMo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import TrainingError
from voicemill.training.examples import encode
from voicemill.training.onnx_export import export_voice
from voicemill.training.runtime import nemo_runtime
from voicemill.training.speaker import Speaker
from voicemill_runtime.graph import VoiceGraph

LARGEST_DIFFERENCE = 1e-4
"""Of samples in -1..1, or of the log-mel where the graph ends at it."""
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


def largest_difference(speaker: Speaker, graph: VoiceGraph, texts: Iterable[str]) -> float:
    """The largest difference between the graph's output and NeMo's; infinite where their lengths differ."""
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
    expected = speaker.predict_mel(text)
    output = graph.run(tokens, np.ones(len(tokens), np.float32), np.zeros(len(tokens), np.float32))
    found: NDArray[np.float32] | None = output.mel
    if output.samples is not None:
        expected, found = speaker.vocode(expected), output.samples
    if found is None or found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max())
