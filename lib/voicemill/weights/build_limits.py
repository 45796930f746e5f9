"""Bounds of time and memory while a model is built from an archive from elsewhere.

`nemo_arguments` refuses sizes that the archive's tensors do not justify, before anything is built. These bounds hold
for everything else that a configuration may do.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from voicemill.weights.archive_bytes import unsafe

CPU_SECONDS = 120.0
"""Processor time of this process. FastPitch with 45 million weights takes 3 s."""
MEMORY_BYTES = 4 << 30
"""Address space for libraries, threads and small models."""
MEMORY_FACTOR = 16
"""Address space for each byte of the archive: the model, its weights, and copies of them."""


class _TimeIsUp(BaseException):
    """Passes through the handlers of `Exception` in the libraries that build the model."""


@contextlib.contextmanager
def build_limits(
    archive: Path, device: str, *, cpu_seconds: float = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES
) -> Iterator[None]:
    """End a build that takes too long or too much memory.

    Memory is bounded on the CPU alone: CUDA reserves address space by the hundred gigabytes. Time is bounded in the
    main thread, where Python runs signal handlers, and between two instructions of Python.

    Args:
        archive: file that the model is built from.
        device: where the model goes, as torch names it.
        cpu_seconds: processor time of this process.
        memory_bytes: address space on top of `MEMORY_FACTOR` times the archive.

    Raises:
        GateError: `unsafe_archive:build_time` or `unsafe_archive:build_memory`.
    """
    memory = memory_bytes + MEMORY_FACTOR * archive.stat().st_size if device == "cpu" else None
    try:
        with _time(cpu_seconds), _memory(memory):
            yield
    except _TimeIsUp:
        raise unsafe(
            "build_time",
            f"The archive describes a model that was not built within {cpu_seconds:.0f} s of processor time.",
        ) from None
    except Exception as error:
        if memory is None or not (isinstance(error, MemoryError) or "can't allocate memory" in str(error)):
            raise
        raise unsafe(
            "build_memory", f"The archive describes a model that needs more than {memory >> 20} MiB of memory."
        ) from error


@contextlib.contextmanager
def _memory(more: int | None) -> Iterator[None]:
    """Let the address space of this process grow by `more` bytes at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # no Linux
        more = None
    if more is None:
        yield
        return
    limit = pages * resource.getpagesize() + more
    bounds = [each for each in (limit, soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _time(cpu_seconds: float) -> Iterator[None]:
    """Raise `_TimeIsUp` after so much processor time; not while another timer of this kind runs, a profiler's."""
    if threading.current_thread() is not threading.main_thread() or any(signal.getitimer(signal.ITIMER_PROF)):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
