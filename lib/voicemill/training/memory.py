"""Memory of a training step, in bytes: available, estimated, and run out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import TrainingError
from voicemill.training.config import AcousticConfig, TransformerConfig

if TYPE_CHECKING:
    import torch


_CPU_MESSAGES = (
    "can't allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "Cannot allocate memory",
    "could not create a primitive",  # oneDNN; if it has another cause, it comes again with a single clip
    "could not execute a primitive",
)
"""Messages of RuntimeErrors by which torch on a CPU reports exhausted memory; CUDA has an exception class for it."""
_CGROUP = Path("/sys/fs/cgroup")


_STATES = 5
"""Numbers kept for each weight: itself, its gradient, AdamW's two moments, and an average."""
_BACKWARD = 1.25
"""Peak of a step relative to the activations that its forward pass keeps. HiFi-GAN's took 1.09 (the published V1
generator) to 1.22 (the embedded one) on a CPU, 4 and 8 segments of 32 and 64 frames.
"""


@dataclass(frozen=True)
class MemoryEstimate:
    """Estimated peak memory of a training step.

    Attributes:
        weights: bytes of weights, gradients and optimiser states; independent of the batch.
        batch: bytes of the activations of the largest batch; divided by the number of micro-batches.
        clips: clips in that batch.
    """

    weights: int
    batch: int
    clips: int

    def micro_batches(self, available: int) -> int:
        """Number of micro-batches by which the largest batch fits, a power of two; at most one clip each.

        Raises:
            TrainingError: `not_enough_memory`: the weights alone do not fit.
        """
        if self.weights > available:
            raise TrainingError(
                f"The model needs {_megabytes(self.weights)} to be trained, and {_megabytes(available)} are free.",
                reason="not_enough_memory",
                hint="Close other programs, or take a smaller preset.",
            )
        count = 1
        while count < self.clips and self.weights + self.batch / count > available:
            count *= 2
        return count

    def warning(self, available: int) -> str:
        """The reason for splitting batches, for a person."""
        return (
            f"Warning: a step is estimated to take {_megabytes(self.weights + self.batch)}, and "
            f"{_megabytes(available)} are free; a batch is split into {self.micro_batches(available)} "
            "micro-batches, with the same gradient."
        )


def estimate_acoustic(acoustic: AcousticConfig, weights: int, clips: int, frames: int, tokens: int) -> MemoryEstimate:
    """Upper bound for a step of FastPitch; a base checkpoint has the sizes of the defaults.

    Activations on a CPU took 0.45 to 0.7 of it (presets cpu and scratch, 300 to 1200 frames, 4 to 16 clips), and with
    the aligner 1055 MB of 1.2 GB (preset cpu, 8 clips of 600 frames and 100 tokens).

    Args:
        acoustic: sizes of the stacks.
        weights: number of weights.
        clips: in the largest batch.
        frames: of its longest clip.
        tokens: of its longest clip.
    """
    numbers = frames * _kept(acoustic.decoder, acoustic.width, frames)
    numbers += tokens * _kept(acoustic.encoder, acoustic.width, tokens)
    if acoustic.alignment != "durations":
        numbers += 5 * 80 * frames * tokens  # the aligner pairs each frame with each token in 80 channels
    return MemoryEstimate(weights=4 * _STATES * weights, batch=4 * clips * numbers, clips=clips)


def measure_memory(module: torch.nn.Module, forward: Callable[[int], torch.Tensor], clips: int) -> MemoryEstimate:
    """Upper bound for a step of any model, from the tensors that autograd keeps for one and for two clips.

    The module is left unchanged: the passes run in evaluation mode, where no statistics move, without backward passes.

    Args:
        module: the module that will be trained.
        forward: the largest forward pass of a step, for a number of clips.
        clips: clips in a batch.
    """
    trained = {weight.untyped_storage().data_ptr() for weight in module.parameters()}
    training = module.training
    module.eval()
    try:
        one, two = (_kept_bytes(forward, count, trained) for count in (1, 2))
    finally:
        module.train(training)
    each = two - one
    weights = 4 * _STATES * sum(weight.numel() for weight in module.parameters())
    return MemoryEstimate(weights=weights + max(0, one - each), batch=int(_BACKWARD * each * clips), clips=clips)


def _kept_bytes(forward: Callable[[int], torch.Tensor], count: int, excluded: set[int]) -> int:
    """Bytes that autograd keeps of a forward pass, each storage once, except storages at `excluded` addresses."""
    import torch

    kept: dict[int, int] = {}

    def record(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in excluded:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        result = forward(count)  # its graph holds the storages until they are counted
    del result
    return sum(kept.values())


def _kept(stack: TransformerConfig, width: int, length: int) -> int:
    """Numbers that a stack keeps for each position until its backward pass."""
    attention = 3 * stack.heads * (stack.head_width + length)
    return stack.layers * (attention + 2 * stack.inner_width + 8 * width)


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.0f} MB"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or Python means that memory ran out."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _CPU_MESSAGES)


def available_bytes(device: torch.device) -> int | None:
    """Bytes that this process can still allocate on a device; None if unknown.

    On a CPU: MemAvailable of Linux, within the limit of the container's control group.
    """
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    limits = [_meminfo(), _cgroup("memory.max", "memory.current"), _cgroup_1()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _meminfo() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return None


def _cgroup(limit: str, used: str) -> int | None:
    try:
        most, now = ((_CGROUP / name).read_text(encoding="ascii").strip() for name in (limit, used))
    except OSError:
        return None
    return max(0, int(most) - int(now)) if most.isdigit() else None


def _cgroup_1() -> int | None:
    return _cgroup("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")


def release() -> None:
    """Free the memory of a failed attempt."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
