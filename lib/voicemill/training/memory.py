"""Memory of a training step: how much there is, what a batch will take, and how to tell that it ran out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

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
