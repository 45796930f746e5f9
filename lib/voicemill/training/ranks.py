"""Several processes that train one model together: who is first, what all decide alike, what is averaged.

In a process that trains alone everything here is the value itself. Every rank has to come by each of these calls, in
the same order, or the others wait for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

from voicemill.errors import TrainingError

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for another: the first one speaks and measures the held-out sentences meanwhile."""
_Value = TypeVar("_Value")


def rank() -> int:
    """Number of this process, from 0; the first one writes files and reports."""
    import torch.distributed as dist

    return dist.get_rank() if _together() else 0


def world() -> int:
    """How many processes train together."""
    import torch.distributed as dist

    return dist.get_world_size() if _together() else 1


def devices() -> int | list[int]:
    """This process's device, as Lightning's Trainer takes it: the number of its GPU, or one of whatever there is."""
    import torch.distributed as dist

    return [dist.get_node_local_rank()] if _together() and dist.get_backend() == "nccl" else 1


@contextlib.contextmanager
def joined(accelerator: str) -> Iterator[None]:
    """Within, this process is one of those that torchrun started, or Ray, which has joined them already.

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
            dist.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
        yield
    except (dist.DistError, RuntimeError) as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error) or "Connection" in str(error):
            raise TrainingError(
                f"Another training process has ended: {str(error).splitlines()[0]}.",
                reason="rank_lost",
                hint="What it said comes before this; start again with --resume.",
            ) from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def any_of(*flags: bool) -> tuple[bool, ...]:
    """Each flag, true where it is for any rank."""
    import torch
    import torch.distributed as dist

    if not _together():
        return flags
    found = torch.tensor([float(flag) for flag in flags], device=_device())
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return tuple(bool(flag) for flag in found.tolist())


def from_first(value: _Value) -> _Value:
    """The first rank's value, for all; others wait for it."""
    import torch.distributed as dist

    if not _together():
        return value
    held = [value]
    dist.broadcast_object_list(held, src=0)
    return held[0]


def average(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Means over the ranks, on one journey; what is not finite for one is not finite for any."""
    import torch
    import torch.distributed as dist

    if not _together() or not tensors:
        return list(tensors)
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    parts = (flat / world()).split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def average_gradients(weights: Sequence[torch.Tensor]) -> None:
    """Put the mean over the ranks in place of each gradient."""
    if not _together():
        return
    gradients = [cast("torch.Tensor", weight.grad) for weight in weights]
    for gradient, mean in zip(gradients, average(gradients), strict=True):
        gradient.copy_(mean)


def _together() -> bool:
    import torch.distributed as dist

    return bool(dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)


def _device() -> torch.device:
    import torch
    import torch.distributed as dist

    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
