"""Read the pickle of a state dict without executing it: names and tensors, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voicemill.weights import pickles
from voicemill.weights.pickled import Tensor
from voicemill.weights.unsafe import unsafe

MAX_PICKLE_BYTES = 1 << 20
"""A FastPitch state dict pickles to 24 kB, a HiFi-GAN with discriminators to about 100 kB."""


def read_state_dict(data: bytes, storages: Mapping[str, int]) -> dict[str, Tensor]:
    """The tensors of a pickled state dict.

    Args:
        data: bytes of `data.pkl`.
        storages: bytes of each storage by its key, from the archive's directory.

    Raises:
        GateError: `unsafe_archive:` with `pickle_forbidden:<what>`, `pickle_invalid`, `tensor_outside_storage`.
    """
    if len(data) > MAX_PICKLE_BYTES:
        raise unsafe(
            "pickle_invalid", f"The checkpoint's pickle has {len(data)} bytes, more than any state dict needs."
        )
    return check_tensors(pickles.read(data, storages))


def check_tensors(state: Any) -> dict[str, Tensor]:
    """Refuse what is no state dict.

    Raises:
        GateError: `unsafe_archive:pickle_invalid`.
    """
    if not isinstance(state, dict):
        raise unsafe("pickle_invalid", "The checkpoint is not a state dict.")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise unsafe("pickle_invalid", f"The checkpoint holds something else than tensors at {name!r}.")
    return state
