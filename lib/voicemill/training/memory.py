"""Memory of a training step: how much there is, what a batch will take, and how to tell that it ran out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import TrainingError
from voicemill.training.config import AcousticConfig, TransformerConfig

if TYPE_CHECKING:
    import torch

    from voicemill.training.manual_optimisation import Task

_SAID_ON_CPU = (
    "can't allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "Cannot allocate memory",
    "could not create a primitive",  # oneDNN's words; what else they mean shows again when the batch is one clip
    "could not execute a primitive",
)
"""How torch's CPU allocator and what it calls say it: a plain RuntimeError where CUDA has a class of its own."""
_CGROUP = Path("/sys/fs/cgroup")


_STATES = 5
"""Numbers kept for each weight: itself, its gradient, AdamW's two moments, and an average."""
_BACKWARD = 1.25
"""Times what a forward pass keeps: the most that a step held beside weights and gradients. HiFi-GAN's took 1.09 (the
published V1 generator) to 1.22 (the embedded one) on a CPU, 4 and 8 segments of 32 and 64 frames.
"""


@dataclass(frozen=True)
class Need:
    """What a step of training takes, in bytes.

    Attributes:
        weights: and what belongs to them, whatever the batch.
        batch: activations of the largest batch, which are less when it is learned in parts.
        clips: in that batch.
    """

    weights: int
    batch: int
    clips: int

    def parts(self, available: int) -> int:
        """Into how many parts the largest batch must be split, a power of two; at most one for each clip.

        Raises:
            TrainingError: `not_enough_memory`: the weights alone do not fit.
        """
        if self.weights > available:
            raise TrainingError(
                f"The model needs {_megabytes(self.weights)} to be trained, and {_megabytes(available)} are free.",
                reason="not_enough_memory",
                hint="Close other programs, or take a smaller preset.",
            )
        parts = 1
        while parts < self.clips and self.weights + self.batch / parts > available:
            parts *= 2
        return parts

    def warning(self, available: int) -> str:
        """Why the batch is split, for a person."""
        return (
            f"Warning: a step is estimated to take {_megabytes(self.weights + self.batch)}, and "
            f"{_megabytes(available)} are free; a batch is learned in {self.parts(available)} parts, with the same "
            "effect."
        )


def acoustic_need(acoustic: AcousticConfig, weights: int, clips: int, frames: int, tokens: int) -> Need:
    """What a step of FastPitch takes at most; a base checkpoint has the sizes of the defaults.

    Activations on a CPU took 0.45 to 0.7 of this (presets cpu and scratch, 300 to 1200 frames, 4 to 16 clips).
    With the aligner they took 1055 MB where this says 1.2 GB (preset cpu, 8 clips of 600 frames and 100 tokens).

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
    return Need(weights=4 * _STATES * weights, batch=4 * clips * numbers, clips=clips)


def measured_need(task: Task, forward: Callable[[int], torch.Tensor], clips: int) -> Need:
    """What a step takes at most of a model whose sizes are its archive's: autograd's own account of one and two clips.

    The task stays as it was: the passes run in evaluation mode, where no statistics move, and nothing goes backward.

    Args:
        task: what learns.
        forward: the largest forward pass of a step, of so many clips.
        clips: in a batch.
    """
    trained = {weight.untyped_storage().data_ptr() for weight in task.parameters()}
    learning = task.training
    task.eval()
    try:
        one, two = (_kept_bytes(forward, count, trained) for count in (1, 2))
    finally:
        task.train(learning)
    each = two - one
    weights = 4 * _STATES * sum(weight.numel() for weight in task.parameters())
    return Need(weights=weights + max(0, one - each), batch=int(_BACKWARD * each * clips), clips=clips)


def _kept_bytes(forward: Callable[[int], torch.Tensor], count: int, but: set[int]) -> int:
    """Bytes that autograd keeps of a forward pass, each storage once; `but` are addresses that do not count."""
    import torch

    kept: dict[int, int] = {}

    def look(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in but:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(look, lambda tensor: tensor):
        result = forward(count)  # holds what was kept until it is counted
    del result
    return sum(kept.values())


def split_to_fit(task: Task, need: Need, device: torch.device, note: Callable[[str], None]) -> None:
    """Split the task's batches from the start where memory will not do for the largest.

    Raises:
        TrainingError: `not_enough_memory`: the weights alone do not fit.
    """
    available = available_bytes(device)
    if available is not None and need.parts(available) > task.parts:
        task.parts = need.parts(available)
        note(need.warning(available))


def _kept(stack: TransformerConfig, width: int, length: int) -> int:
    """Numbers that the stack keeps for each position until its backward pass."""
    attention = 3 * stack.heads * (stack.head_width + length)
    return stack.layers * (attention + 2 * stack.inner_width + 8 * width)


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.0f} MB"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python failed for want of memory."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID_ON_CPU)


def available_bytes(device: torch.device) -> int | None:
    """Bytes that this process may still take on a device; `None` where nothing tells.

    On a CPU: what the system calls available, within the limit of the control group that a container runs in.
    """
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [_meminfo(), _cgroup("memory.max", "memory.current"), _cgroup_1()]
    known = [each for each in found if each is not None]
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
    """Give back what a failed attempt held."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
