"""Seconds and peak memory of each stage of the preparation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill.progress import Observer


class StageTime(BaseModel):
    """One stage as measured.

    Attributes:
        name: the stage's name, as the observer heard it.
        seconds: wall time.
        audio_seconds: how much sound went through it, None where that means nothing.
        peak_mib: highest resident memory during the stage, this process and its workers, without ffmpeg; None where the
            system does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seconds: float
    audio_seconds: float | None = None
    peak_mib: float | None = None

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound per second of work."""
        return self.audio_seconds / self.seconds if self.audio_seconds and self.seconds > 0 else None


@dataclass
class StageClock:
    """Announces stages to the observer and measures them."""

    observer: Observer
    workers: Callable[[], Sequence[int]]
    times: list[StageTime] = field(default_factory=list)

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None = None, audio_seconds: float | None = None) -> Iterator[None]:
        """Measure what happens inside."""
        self.observer.stage(name, total)
        _reset_peak()
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        peaks = [_peak_mib("self"), *(_peak_mib(str(pid)) for pid in self.workers())]
        known = [peak for peak in peaks if peak is not None]
        self.times.append(StageTime(name=name, seconds=round(seconds, 3), peak_mib=round(sum(known), 1) if known else None,
                                    audio_seconds=None if audio_seconds is None else round(audio_seconds, 3)))


def _reset_peak() -> None:
    """Let Linux count the peak of resident memory anew (proc(5), clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib(process: str) -> float | None:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None
