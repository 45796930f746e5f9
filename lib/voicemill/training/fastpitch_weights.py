"""Files of a base FastPitch: safetensors in float16, weights only; tokenizer and lexicon are the voice's own.

A base that was trained with a discriminator of mels holds the discriminator, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill import files
from voicemill.errors import TrainingError
from voicemill.training.config import AcousticConfig
from voicemill.training.fastpitch_model import mel_settings

if TYPE_CHECKING:
    import torch
    from nemo.collections.tts.models import FastPitchModel
    from torch import nn

    from voicemill.synthesis.mel import AudioConfig

FORMAT = "voicemill-fastpitch-base-1"
MEAN_LOG_MEL = "mean_log_mel"
"""Tensor beside the weights: the mean log-mel of what the base was trained on, shape (mels,)."""
_DISCRIMINATOR = "discriminator."
"""Start of the names of the discriminator's tensors."""
_NOT_SHARED = ("aligner.", "pitch_mean", "pitch_std")
"""Starts of the names of weights that a base does not hold: an aligner that is not trained, and a voice's own pitch."""


def write_base(
    model: FastPitchModel,
    acoustic: AcousticConfig,
    audio: AudioConfig,
    mean_log_mel: torch.Tensor,
    path: Path,
    origin: dict[str, str],
    discriminator: nn.Module | None = None,
) -> None:
    """Write a FastPitch's weights atomically, rounded to float16.

    Args:
        model: with its tokenizer.
        acoustic: sizes.
        audio: settings of its mels.
        mean_log_mel: see `MEAN_LOG_MEL`.
        path: of the file.
        origin: what it was trained on and how, in words, for people.
        discriminator: of its mels, to go on with when a voice is trained.

    Raises:
        StorageError: it cannot be written.
    """
    import torch
    from safetensors.torch import save

    weights = _shared(model.fastpitch.state_dict()) | {MEAN_LOG_MEL: mean_log_mel}
    if discriminator is not None:
        weights |= {f"{_DISCRIMINATOR}{name}": value for name, value in discriminator.state_dict().items()}
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}
    metadata = {"format": FORMAT, **_facts(model, acoustic, audio)}
    files.write_bytes(path, save(tensors, metadata | origin))


def load_base(model: FastPitchModel, acoustic: AcousticConfig, audio: AudioConfig, path: Path) -> torch.Tensor:
    """Replace the random weights of a fresh model by those of a base.

    Returns:
        The base's `MEAN_LOG_MEL`.

    Raises:
        TrainingError: `base_unusable:<what>`: the file is damaged, or made for other sizes, tokens or mels.
    """
    facts, found = _read(path)
    tensors = {name: value for name, value in found.items() if not name.startswith(_DISCRIMINATOR)}
    if facts.get("format") != FORMAT:
        raise _unusable(path, "format")
    for what, wanted in _facts(model, acoustic, audio).items():
        if facts.get(what) != wanted:
            raise _unusable(path, what)
    mean = tensors.pop(MEAN_LOG_MEL, None)
    shapes = {name: value.shape for name, value in _shared(model.fastpitch.state_dict()).items()}
    if mean is None or {name: value.shape for name, value in tensors.items()} != shapes:
        raise _unusable(path, "tensors")
    _check_finite(path, found)
    model.fastpitch.load_state_dict(tensors, strict=False)
    return mean


def load_discriminator(discriminator: nn.Module, path: Path) -> bool:
    """Replace the random weights of a new discriminator of mels by those in a base, if it has one.

    Returns:
        Whether it has one.

    Raises:
        TrainingError: `base_unusable:<what>`: the file is damaged, or its discriminator is of another kind.
    """
    _, found = _read(path, start=_DISCRIMINATOR)
    tensors = {name.removeprefix(_DISCRIMINATOR): value for name, value in found.items()}
    if not tensors:
        return False
    wanted = {name: value.shape for name, value in discriminator.state_dict().items()}
    if {name: value.shape for name, value in tensors.items()} != wanted:
        raise _unusable(path, "discriminator")
    _check_finite(path, tensors)
    discriminator.load_state_dict(tensors)
    return True


def _read(path: Path, *, start: str = "") -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata, and the tensors whose names have this start, in float32."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            names = [name for name in opened.keys() if name.startswith(start)]  # noqa: SIM118
            return opened.metadata() or {}, {name: opened.get_tensor(name).to(torch.float32) for name in names}
    except (SafetensorError, OSError) as error:
        raise _unusable(path, "file") from error


def _check_finite(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    import torch

    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise _unusable(path, "tensors")


def _shared(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if not name.startswith(_NOT_SHARED)}


def _facts(model: FastPitchModel, acoustic: AcousticConfig, audio: AudioConfig) -> dict[str, str]:
    """What must be equal in a base and in the model that starts from it."""
    parts = {
        name: getattr(acoustic, name).model_dump(exclude={"dropout", "attention_dropout"})
        for name in ("encoder", "decoder", "duration_predictor", "pitch_predictor")
    }
    sizes = {"width": acoustic.width} | parts
    return {
        "sizes": json.dumps(sizes, sort_keys=True),
        "tokens": json.dumps(list(model.vocab.tokens)),
        "mel": json.dumps(mel_settings(audio), sort_keys=True),
    }


def _unusable(path: Path, what: str) -> TrainingError:
    return TrainingError(
        f"The base {path.name} cannot be used: its {what} is not as this training expects.",
        reason=f"base_unusable:{what}",
        hint="Restore the file, or set acoustic.base_weights to voicemill/from-scratch.",
    )
