"""Measures stages of work: seconds, peak memory, progress lines on stdout."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.progress import Observer
from voicemill.protocol import Protocol


class StageTime(BaseModel):
    """One stage as measured.

    Attributes:
        name: the stage's name.
        seconds: wall time.
        audio_seconds: how much sound went through it, None where that means nothing.
        peak_mib: highest resident memory during the stage, this process and its workers, without ffmpeg; None where the
            system does not report it.
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
        """Measure the body of the `with` statement."""
        self.observer.stage(name, total)
        _reset_peak()
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        peaks = [_peak_mib("self"), *(_peak_mib(str(pid)) for pid in self.workers())]
        known = [peak for peak in peaks if peak is not None]
        self.times.append(
            StageTime(
                name=name,
                seconds=round(seconds, 3),
                peak_mib=round(sum(known), 1) if known else None,
                audio_seconds=None if audio_seconds is None else round(audio_seconds, 3),
            )
        )


class ProgressLines:
    """An `Observer` that also writes `PROGRESS <stages done> <stages>` lines."""

    def __init__(self, observer: Observer, protocol: Protocol, stages: int) -> None:
        self._observer, self._protocol, self._stages, self._begun = observer, protocol, stages, 0
        protocol.progress(0, stages)

    def stage(self, name: str, total: int | None = None) -> None:
        """See `Observer.stage`."""
        if self._begun:
            self._protocol.progress(self._begun, self._stages)
        self._begun += 1
        self._observer.stage(name, total)

    def advance(self, done: int, note: str = "") -> None:
        """See `Observer.advance`."""
        self._observer.advance(done, note)

    def note(self, text: str) -> None:
        """See `Observer.note`."""
        self._observer.note(text)

    def finish(self) -> None:
        """All stages are done or came from a cache."""
        self._protocol.progress(self._stages, self._stages)


def write_timings(path: Path, times: Sequence[StageTime]) -> None:
    """Write stage times as a JSON list, atomically."""
    files.write_json(path, [stage.model_dump(mode="json") for stage in times])


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
