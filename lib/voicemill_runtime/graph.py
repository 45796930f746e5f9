"""The ONNX graph of a voice and its metadata (`voicemill.training.onnx_export` writes it)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import BundleError

FORMAT = "voicemill-voice-1"
"""Version of the graph's inputs, outputs and metadata; the export writes it, the runtime requires it."""


@dataclass(frozen=True)
class GraphOutput:
    """What the graph computes for one sequence of tokens.

    Attributes:
        samples: in -1..1, shape (frames * hop,); None where the graph ends at the mel.
        durations: frames of each token, shape (tokens,).
        mel: log-mel, shape (mels, frames); None beside samples, unless it was asked for.
    """

    samples: NDArray[np.float32] | None
    durations: NDArray[np.int64]
    mel: NDArray[np.float32] | None


class VoiceGraph:
    """A loaded graph.

    Attributes:
        tokens: symbols of the token ids, in order.
        sample_rate: in Hz.
        hop_length: samples of a frame.
        mel: settings of the mel spectrogram, by the names of `synthesis.mel.AudioConfig`.
        mean_pitch: of the voice's recordings, in Hz.
        vocoder: `istft`, `hifigan` or `griffin-lim`; the last one is not in the graph.
    """

    def __init__(self, model: bytes | str, threads: int = 1) -> None:
        """Load a graph.

        Args:
            model: the file's content, or the path of a file that nothing changes, already checked against its digest. A
                session that is made of bytes keeps them.
            threads: of onnxruntime; 0 lets it choose.

        Raises:
            BundleError: `graph_invalid`: these bytes are no voice graph.
        """
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            facts = self._session.get_modelmeta().custom_metadata_map
            if facts["format"] != FORMAT:
                raise ValueError(f"its format is {facts['format']!r}")
            self.tokens: list[str] = json.loads(facts["tokens"])
            self.sample_rate = int(facts["sample_rate"])
            self.hop_length = int(facts["hop_length"])
            self.vocoder = str(facts["vocoder"])
            self.mel: dict[str, Any] = json.loads(facts["mel"])
            self.mean_pitch = float(facts["pitch_mean"])
            self._pitch_ratio = self.mean_pitch / float(facts["pitch_std"])
        except Exception as error:  # onnxruntime raises classes of its own, which it does not publish
            raise BundleError(
                f"The graph of the voice cannot be loaded: {error}.",
                reason="graph_invalid",
                hint="Export the bundle again.",
            ) from error
        self.neural = "samples" in {output.name for output in self._session.get_outputs()}

    def run(
        self,
        tokens: NDArray[np.int64],
        pace: NDArray[np.float32],
        semitones: NDArray[np.float32],
        *,
        with_mel: bool = False,
    ) -> GraphOutput:
        """Compute one sequence.

        Args:
            tokens: ids, shape (tokens,).
            pace: speed of each token, 1 as trained, shape (tokens,).
            semitones: pitch shift of each token, shape (tokens,).
            with_mel: give the log-mel also where the graph goes on to samples.
        """
        shift = self._pitch_ratio * (2.0 ** (semitones / 12.0) - 1.0)
        feed = {
            "tokens": tokens[None].astype(np.int64),
            "pace": pace[None].astype(np.float32),
            "pitch": shift[None].astype(np.float32),
        }
        wanted = ["durations", *(["samples"] if self.neural else []), *(["mel"] if with_mel or not self.neural else [])]
        found = {name: value[0] for name, value in zip(wanted, self._session.run(wanted, feed), strict=True)}
        return GraphOutput(found.get("samples"), found["durations"], found.get("mel"))
