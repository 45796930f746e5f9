"""Files of the iSTFT vocoder: safetensors in float16, with its sizes and mel settings as metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from voicemill import files
from voicemill.errors import TrainingError
from voicemill.synthesis.mel import AudioConfig

if TYPE_CHECKING:
    from voicemill.training.istft_network import IstftNetwork

FORMAT = "voicemill-istft-vocoder-1"


def write_istft(network: IstftNetwork, path: Path, origin: dict[str, str] | None = None) -> Path:
    """Write a vocoder's weights atomically, rounded to float16.

    Args:
        network: on any device.
        path: of the file.
        origin: what it was trained on and how, in words, for people.

    Raises:
        StorageError: it cannot be written.
    """
    import torch
    from safetensors.torch import save

    tensors = {name: value.detach().to("cpu", torch.float16) for name, value in network.state_dict().items()}
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
            tensors = {name: opened.get_tensor(name).to(torch.float32) for name in opened.keys()}  # noqa: SIM118
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
