"""A low-rank adapter on the decoder's linear layers (Hu et al. 2021, LoRA). Imports torch: import it inside functions.

Thirty lines instead of the package peft, whose other methods, quantisation back ends and hub code would be unused.
Only these tensors are trained and saved; the base model is unchanged.
"""

from __future__ import annotations

import math
from typing import Any

import torch

RANK = 8
ALPHA = 16.0
"""The update is scaled by ALPHA / RANK, as in the paper's code."""
_LAYERS = frozenset({"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"})


class LowRank(torch.nn.Module):  # type: ignore[misc]  # torch is not typed here
    """`base(x) + (x · downᵀ · upᵀ) · scale`; `up` starts at zero, so the initial output is that of the base."""

    def __init__(self, base: Any, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base
        weight = base.weight
        self.down = torch.nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = torch.nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        self.scale = alpha / rank
        torch.nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (…, in) to (…, out)."""
        linear = torch.nn.functional.linear
        return self.base(values) + linear(linear(values, self.down), self.up) * self.scale


def attach(decoder: Any, *, rank: int = RANK, alpha: float = ALPHA) -> dict[str, LowRank]:
    """Wrap each linear layer of attention and feed-forward in an adapter; returns the adapters by layer name."""
    found = {
        name: module
        for name, module in decoder.named_modules()
        if isinstance(module, torch.nn.Linear) and name.rpartition(".")[2] in _LAYERS
    }
    adapters = {}
    for name, module in found.items():
        parent, _, own = name.rpartition(".")
        adapters[name] = LowRank(module, rank, alpha)
        setattr(decoder.get_submodule(parent), own, adapters[name])
    return adapters


def state(adapters: dict[str, LowRank]) -> dict[str, torch.Tensor]:
    """The trained tensors by name, on the CPU."""
    return {
        f"{name}.{part}": getattr(adapter, part).detach().cpu().clone()
        for name, adapter in adapters.items()
        for part in ("down", "up")
    }


def parameters(adapters: dict[str, LowRank]) -> list[torch.nn.Parameter]:
    """The trainable parameters."""
    return [parameter for adapter in adapters.values() for parameter in (adapter.down, adapter.up)]
