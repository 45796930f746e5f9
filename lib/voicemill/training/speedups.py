"""What makes a step quicker, but not everywhere: bfloat16 arithmetic and torch.compile, by facts of the device."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from voicemill.training.config import TrainingConfig

COMPILER = "g++"
"""What torch.compile calls, for code of a CPU and for the launchers of a GPU's."""
LONG = 10_000
"""Steps from which `auto` compiles for a GPU: by judgement, a minute or two of compiling against many minutes of
steps; measured on no GPU."""


@dataclass(frozen=True)
class Device:
    """What the decisions depend on.

    Attributes:
        kind: where the steps are taken.
        bfloat16: it has units for bfloat16; where they are emulated a step takes several times as long.
        compiler: there is a C++ compiler.
    """

    kind: Literal["cuda", "cpu"]
    bfloat16: bool
    compiler: bool


def device_of(config: TrainingConfig) -> Device:
    """The facts of the device that a training will use.

    Of CPUs only those with AMX count as having the units. With AVX-512 bf16 alone a step took a quarter less CPU time
    (docs/benchmarks.md), but no voice that learned so was heard yet.
    """
    import torch

    compiler = shutil.which(COMPILER) is not None
    if config.accelerator != "cpu" and torch.cuda.is_available():
        return Device("cuda", torch.cuda.is_bf16_supported(including_emulation=False), compiler)
    return Device("cpu", torch.cpu._is_amx_tile_supported(), compiler)


def precision(config: TrainingConfig, device: Device) -> Literal["32-true", "bf16-mixed"]:
    """Lightning's name of the arithmetic: autocast to bfloat16, or float32 throughout."""
    wanted = config.precision
    mixed = wanted == "bfloat16" or (wanted == "auto" and device.bfloat16)
    return "bf16-mixed" if mixed else "32-true"


def compiles(config: TrainingConfig, device: Device) -> bool:
    """Whether steps of FastPitch are to be compiled.

    On a CPU `auto` never does: compiling costs more than a run of the preset `cpu` wins (docs/benchmarks.md), and a
    resumed run, which meets lengths in another order, would no longer have the same losses bit for bit.
    """
    wanted = config.acoustic.compile
    if wanted == "auto":
        return device.kind == "cuda" and device.compiler and config.acoustic.max_steps >= LONG
    return wanted


def compiled(forward: Callable[..., Any], device: Device, note: Callable[[str], None]) -> Callable[..., Any]:
    """The forward pass of a step, compiled; as it is, with a word about it, where that does not work.

    Args:
        forward: runs the model; the model itself stays as it is, so that speaking and saving know nothing of this.
        device: where.
        note: hears why nothing is compiled.
    """
    import torch
    from torch._dynamo.exc import TorchDynamoException

    if not device.compiler:
        note(f"Steps are not compiled: torch.compile needs {COMPILER}, which is not installed here.")
        return forward
    fast: Callable[..., Any] = torch.compile(forward, dynamic=True)

    def run(**inputs: object) -> Any:
        nonlocal fast
        try:
            return fast(**inputs)
        except TorchDynamoException as error:
            note(f"Steps go on uncompiled: torch.compile failed ({str(error).splitlines()[0]}).")
            fast = forward
            return forward(**inputs)

    return run
