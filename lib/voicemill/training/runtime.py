"""Models restored from their archives, seeding, and the digest of weights."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.weights.archive import private_copy, read_config
from voicemill.weights.nemo_runtime import accept_tar_filters, nemo_runtime, restore, shape_mismatches, unreadable

if TYPE_CHECKING:
    import torch
    from nemo.collections.tts.models import FastPitchModel, HifiGanModel
    from omegaconf import DictConfig


@contextlib.contextmanager
def seeded(seed: int, threads: int) -> Iterator[None]:
    """Seed torch and set its number of threads (0 keeps torch's own).

    Within the context denormal numbers are flushed to zero, which costs no accuracy and saves minutes on a CPU.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def restore_fastpitch(path: Path, *, device: str = "cpu", override: DictConfig | None = None) -> FastPitchModel:
    """A FastPitch checkpoint (`.nemo`) in evaluation mode. Call within `nemo_runtime()`.

    Args:
        path: the archive.
        device: where the weights go, as torch names it.
        override: a configuration in place of the archive's own; its weights must fit it.

    Raises:
        GateError: `unsafe_archive:<why>`, from the inspection that comes before loading.
        UsageError: there is no such file.
        TrainingError: it is not a FastPitch checkpoint, or its weights do not fit its configuration.
    """
    from nemo.collections.tts.models import FastPitchModel

    return restore(path, FastPitchModel, device, override)


def restore_hifigan(path: Path, *, device: str = "cpu") -> HifiGanModel:
    """A HiFi-GAN checkpoint (`.nemo`) in evaluation mode. Call within `nemo_runtime()`.

    Raises:
        GateError: `unsafe_archive:<why>`, from the inspection that comes before loading.
        UsageError: there is no such file.
        TrainingError: it is not a HiFi-GAN checkpoint, or its weights do not fit its configuration.
    """
    from nemo.collections.tts.models import HifiGanModel

    return restore(path, HifiGanModel, device)


def read_fastpitch_config(path: Path) -> DictConfig:
    """The configuration in a FastPitch archive, read as the inspection reads it and without building the model.

    Raises:
        GateError: `unsafe_archive:<why>`, from the inspection.
        UsageError: there is no such file.
        TrainingError: the configuration is not one of OmegaConf.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    with private_copy(path) as checked:
        try:
            tree = OmegaConf.create(read_config(checked))
        except (OmegaConfBaseException, ValueError) as error:
            raise unreadable(path, "FastPitchModel", error) from error
    if not isinstance(tree, DictConfig):
        raise unreadable(path, "FastPitchModel", ValueError("its configuration is no mapping"))
    OmegaConf.set_struct(tree, True)
    return tree


def weights_sha256(model: torch.nn.Module) -> str:
    """sha256 over names and values of all weights, in order of name: equal for equal weights.

    The `.nemo` files themselves differ, because the archive records times.
    """
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode("utf-8"))
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


__all__ = [
    "accept_tar_filters",
    "nemo_runtime",
    "read_fastpitch_config",
    "restore_fastpitch",
    "restore_hifigan",
    "seeded",
    "shape_mismatches",
    "weights_sha256",
]
