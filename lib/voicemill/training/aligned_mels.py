"""Ground-truth-aligned mels: FastPitch's own mels with the timing of the recordings, for fine-tuning a vocoder."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voicemill.errors import TrainingError
from voicemill.files import write_bytes
from voicemill.path_names import safe_relative
from voicemill.training.data import TrainingClip, TrainingDataset
from voicemill.training.examples import ExampleSource
from voicemill.training.speaker import audio_of

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel


@dataclass(frozen=True)
class AlignedMel:
    """A mel that the acoustic model predicted with the clip's own durations and pitch.

    Attributes:
        clip: id of the clip.
        path: `.npy`, float32, shape (mels, frames), frames = samples // hop.
        frames: its length.
        distance: mean absolute difference from the log-mel of the recording.
    """

    clip: str
    path: Path
    frames: int
    distance: float


def ground_truth_aligned_mels(
    model: FastPitchModel,
    dataset: TrainingDataset,
    out_dir: Path,
    *,
    clips: Iterable[TrainingClip] | None = None,
    strict: bool = True,
) -> list[AlignedMel]:
    """Predict each clip's mel with its real durations and pitch: the input on which a vocoder is fine-tuned.

    Args:
        model: a FastPitch; it is put into evaluation mode, as dropout would blur the mels.
        dataset: the prepared dataset it was trained on.
        out_dir: gets `<id>.npy` per clip.
        clips: the clips to predict; all training and validation clips by default.
        strict: see `token_spans`; False for a base checkpoint's own tokenizer.

    Raises:
        DatasetError: text and alignment of a clip do not fit.
        TrainingError: `mel_length:<clip>`: a mel differs in length from its clip, or is not finite.
    """
    import torch

    from voicemill.training.runtime import nemo_runtime

    chosen = tuple(dataset.train + dataset.validation if clips is None else clips)
    made = []
    with nemo_runtime(), torch.no_grad():
        model.eval()
        source = ExampleSource(model, chosen, dataset.pitch_statistics, audio_of(model), "durations", strict)
        for index, clip in enumerate(chosen):
            example = source[index]
            mel = (
                model(
                    text=example.tokens[None].to(model.device),
                    durs=None if example.durations is None else example.durations[None].to(model.device),
                    pitch=example.pitch[None].to(model.device),
                )[0][0]
                .float()
                .cpu()
            )
            if mel.shape != example.mel.shape or not torch.isfinite(mel).all():
                raise TrainingError(
                    f"The predicted mel of clip {clip.id} has shape {tuple(mel.shape)}; "
                    f"its clip has {tuple(example.mel.shape)}.",
                    reason=f"mel_length:{clip.id}",
                )
            path = out_dir / safe_relative(f"{clip.id}.npy")
            buffer = io.BytesIO()
            np.save(buffer, mel.numpy(), allow_pickle=False)
            write_bytes(path, buffer.getvalue())
            made.append(AlignedMel(clip.id, path, mel.shape[1], float((mel - example.mel).abs().mean())))
    return made
