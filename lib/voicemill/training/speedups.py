"""Faster steps where the device supports them: bfloat16 arithmetic and torch.compile."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from voicemill.training.config import TrainingConfig

COMPILER = "g++"
"""The compiler that torch.compile calls, for CPU code and for the launchers of GPU kernels."""
COMPILE_FROM_STEPS = 10_000
"""Steps from which `auto` compiles for a GPU: by judgement, compiling takes a minute or two; not measured on a GPU."""


@dataclass(frozen=True)
class Device:
    """The properties of a device on which the decisions depend.

    Attributes:
        kind: CPU or GPU.
        bfloat16: it has units for bfloat16; emulated, a step takes several times as long.
        compiler: there is a C++ compiler.
    """

    kind: Literal["cuda", "cpu"]
    bfloat16: bool
    compiler: bool


def device_of(config: TrainingConfig) -> Device:
    """The device that a training will use.

    Only CPUs with AMX count as having bfloat16 units. With AVX-512 bf16 alone a step took a quarter less CPU time
    (docs/benchmarks.md), but no voice trained that way has been evaluated.
    """
    import torch

    compiler = shutil.which(COMPILER) is not None
    if config.accelerator != "cpu" and torch.cuda.is_available():
        return Device("cuda", torch.cuda.is_bf16_supported(including_emulation=False), compiler)
    return Device("cpu", torch.cpu._is_amx_tile_supported(), compiler)


def precision(config: TrainingConfig, device: Device) -> Literal["32-true", "bf16-mixed"]:
    """Lightning's name of the precision: autocast to bfloat16, or float32."""
    wanted = config.precision
    mixed = wanted == "bfloat16" or (wanted == "auto" and device.bfloat16)
    return "bf16-mixed" if mixed else "32-true"


def compiles(config: TrainingConfig, device: Device) -> bool:
    """Whether to compile the steps of FastPitch.

    On a CPU `auto` never compiles: it takes longer than it saves in a run of the preset `cpu` (docs/benchmarks.md), and
    a resumed run, which sees batch lengths in another order, would not have the same losses bit for bit.
    """
    wanted = config.acoustic.compile
    if wanted == "auto":
        return device.kind == "cuda" and device.compiler and config.acoustic.max_steps >= COMPILE_FROM_STEPS
    return wanted


def compiled(forward: Callable[..., Any], device: Device, note: Callable[[str], None]) -> Callable[..., Any]:
    """The compiled forward pass of a step; unchanged, with a note, if compiling fails.

    Args:
        forward: runs the model. The model itself is unchanged, so synthesis and saving are not affected.
        device: the device of the steps.
        note: takes the reason when steps are not compiled.
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
