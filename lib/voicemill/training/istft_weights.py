"""Files of the iSTFT vocoder: safetensors in float16, with its sizes and mel settings as metadata.

A base's file also holds the discriminators that it was trained with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from voicemill import files
from voicemill.errors import TrainingError
from voicemill.synthesis.mel import AudioConfig

if TYPE_CHECKING:
    from torch import nn

    from voicemill.training.istft_network import IstftNetwork

FORMAT = "voicemill-istft-vocoder-1"
_DISCRIMINATORS = "discriminators."
"""Start of the names of the discriminators' tensors."""


def write_istft(
    network: IstftNetwork,
    path: Path,
    origin: dict[str, str] | None = None,
    discriminators: nn.Module | None = None,
) -> Path:
    """Write a vocoder's weights atomically, rounded to float16.

    Args:
        network: on any device.
        path: of the file.
        origin: what it was trained on and how, in words, for people.
        discriminators: to go on with when the vocoder is tuned.

    Raises:
        StorageError: it cannot be written.
    """
    import torch
    from safetensors.torch import save

    weights = dict(network.state_dict())
    if discriminators is not None:
        weights |= {f"{_DISCRIMINATORS}{name}": value for name, value in discriminators.state_dict().items()}
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}
    metadata = {
        "format": FORMAT,
        "sizes": json.dumps(network.config.model_dump(), sort_keys=True),
        "mel": json.dumps(network.audio.model_dump(), sort_keys=True),
    }
    files.write_bytes(path, save(tensors, metadata | (origin or {})))
    return path


def read_istft(path: Path, audio: AudioConfig) -> IstftNetwork:
    """The vocoder of a file that `write_istft` wrote, on the CPU, for evaluation.

    Args:
        path: of the file.
        audio: settings of the mels that it gets.

    Raises:
        TrainingError: `base_unusable:<what>`: the file is damaged, or for other mels.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    from voicemill.training.istft_network import IstftConfig, IstftNetwork

    try:
        with safe_open(path, framework="pt") as opened:
            facts = opened.metadata() or {}
            if facts.get("format") != FORMAT:
                raise _unusable(path, "format")
            names = [name for name in opened.keys() if not name.startswith(_DISCRIMINATORS)]  # noqa: SIM118
            tensors = {name: opened.get_tensor(name).to(torch.float32) for name in names}
        sizes, mel = IstftConfig.model_validate_json(facts["sizes"]), AudioConfig.model_validate_json(facts["mel"])
    except (SafetensorError, OSError, KeyError, ValidationError) as error:
        raise _unusable(path, "file") from error
    if mel != audio:
        raise _unusable(path, "mel")
    network = IstftNetwork(sizes, mel)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise _unusable(path, "tensors") from error
    network.eval()
    return network


def read_discriminators(path: Path, discriminators: nn.Module) -> bool:
    """Replace the weights of new discriminators by those in a base's file.

    Returns:
        False where the file has none, or others.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    wanted = discriminators.state_dict()
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(f"{_DISCRIMINATORS}{name}").to(torch.float32) for name in wanted}
    except (SafetensorError, OSError):
        return False
    if any(tensors[name].shape != value.shape for name, value in wanted.items()):
        return False
    discriminators.load_state_dict(tensors)
    return True


def key_of(path: Path) -> str | None:
    """The content key in a file's metadata; None if there is none, or no readable file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            return (opened.metadata() or {}).get("key")
    except (SafetensorError, OSError):
        return None


def _unusable(path: Path, what: str) -> TrainingError:
    return TrainingError(
        f"The vocoder {path.name} cannot be used: its {what} is not as expected.",
        reason=f"base_unusable:{what}",
        hint="Restore the file, or choose another base vocoder.",
    )
