"""Collective operations of the processes (ranks) that train one model: broadcast, any, average, share.

In a process that trains alone each of them returns its argument. All ranks must make the same calls in the same order,
or they wait for each other until the timeout.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

from voicemill.errors import TrainingError

if TYPE_CHECKING:
    import torch

TIMEOUT = timedelta(minutes=30)
"""How long a rank waits for another; the first one validates the voice in the meantime."""
_Value = TypeVar("_Value")


def rank() -> int:
    """Number of this process, from 0; the first one writes files and reports."""
    import torch.distributed as dist

    return dist.get_rank() if _distributed() else 0


def world() -> int:
    """Number of processes that train together."""
    import torch.distributed as dist

    return dist.get_world_size() if _distributed() else 1


def share(items: Sequence[_Value]) -> list[_Value]:
    """This rank's share of a batch: every world-th item, or the first one where there are fewer items than ranks."""
    return list(items[rank() :: world()] or items[:1])


def devices() -> int | list[int]:
    """This process's device, as Lightning's Trainer takes it: the number of its GPU, or 1 for any one device."""
    import torch.distributed as dist

    return [dist.get_node_local_rank()] if _distributed() and dist.get_backend() == "nccl" else 1


@contextlib.contextmanager
def process_group(accelerator: str) -> Iterator[None]:
    """Join the processes that torchrun started; Ray's are joined already. The group is left at the end of the context.

    Raises:
        TrainingError: `rank_lost`: another process has ended, or does not answer.
    """
    import torch
    import torch.distributed as dist

    cuda = accelerator != "cpu" and torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(dist.get_node_local_rank())
    try:
        if not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo", timeout=TIMEOUT)
        yield
    except (dist.DistError, RuntimeError) as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error) or "Connection" in str(error):
            raise TrainingError(
                f"Another training process has ended: {str(error).splitlines()[0]}.",
                reason="rank_lost",
                hint="Its own error message is above; start again with --resume.",
            ) from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def any_rank(*flags: bool) -> tuple[bool, ...]:
    """Each flag, true if it is true on any rank."""
    import torch
    import torch.distributed as dist

    if not _distributed():
        return flags
    found = torch.tensor([float(flag) for flag in flags], device=_device())
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return tuple(bool(flag) for flag in found.tolist())


def broadcast(value: _Value) -> _Value:
    """The first rank's value, on all ranks; the others wait for it."""
    import torch.distributed as dist

    if not _distributed():
        return value
    held = [value]
    dist.broadcast_object_list(held, src=0)
    return held[0]


def average(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Means over the ranks, in one all-reduce; a value that is not finite on one rank is not finite on any."""
    import torch
    import torch.distributed as dist

    if not _distributed() or not tensors:
        return list(tensors)
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    parts = (flat / world()).split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def average_gradients(weights: Sequence[torch.Tensor]) -> None:
    """Replace each gradient by its mean over the ranks."""
    if not _distributed():
        return
    gradients = [cast("torch.Tensor", weight.grad) for weight in weights]
    for gradient, mean in zip(gradients, average(gradients), strict=True):
        gradient.copy_(mean)


def _distributed() -> bool:
    import torch.distributed as dist

    return bool(dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)


def _device() -> torch.device:
    import torch
    import torch.distributed as dist

    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
