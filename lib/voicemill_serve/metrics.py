"""Counters, gauges and histograms in Prometheus' text format (version 0.0.4). Used from the event loop alone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

FIRST_SOUND_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds in seconds."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Counter:
    """A number for each combination of labels that only grows."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.help, self.labels = name, help_text, labels
        self._values: dict[tuple[str, ...], float] = defaultdict(float)
        if not labels:
            self._values[()] = 0.0

    def add(self, *labels: str, amount: float = 1.0) -> None:
        """Add to the number of these labels, given in order."""
        self._values[labels] += amount

    def value(self, *labels: str) -> float:
        """The number of these labels."""
        return self._values.get(labels, 0.0)

    def lines(self) -> list[str]:
        """Samples, one a line."""
        return [
            f"{self.name}{_labels(self.labels, values)} {number:g}" for values, number in sorted(self._values.items())
        ]


class Gauge:
    """A number that is read whenever the metrics are."""

    kind = "gauge"

    def __init__(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        self.name, self.help, self._read = name, help_text, read

    def lines(self) -> list[str]:
        """The sample."""
        return [f"{self.name} {self._read():.15g}"]


class Histogram:
    """Counts of figures up to each bound."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, bounds: tuple[float, ...]) -> None:
        self.name, self.help, self.bounds = name, help_text, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, figure: float) -> None:
        """Count one figure."""
        self._counts[sum(figure > bound for bound in self.bounds)] += 1
        self._sum += figure

    def lines(self) -> list[str]:
        """Buckets, sum and count."""
        found, total = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self._counts, strict=True):
            total += count
            found.append(f'{self.name}_bucket{{le="{bound}"}} {total}')
        return [*found, f"{self.name}_sum {self._sum:.6f}", f"{self.name}_count {total}"]


class Metrics:
    """The metrics of a server."""

    def __init__(self) -> None:
        self.requests = Counter("voicemill_requests_total", "Answered requests.", ("route", "status"))
        self.errors = Counter("voicemill_errors_total", "Refused and failed requests.", ("reason",))
        self.first_sound = Histogram(
            "voicemill_first_sound_seconds", "Seconds from a request to its first sound.", FIRST_SOUND_BUCKETS
        )
        self.sound_seconds = Counter("voicemill_sound_seconds_total", "Seconds of speech that were made.")
        self.synthesis_seconds = Counter("voicemill_synthesis_seconds_total", "Seconds that threads spent speaking.")
        self.cache = Counter("voicemill_cache_total", "Look-ups of spoken texts in memory.", ("result",))
        self.loads = Counter("voicemill_voice_loads_total", "Voices loaded into memory.")
        self._all: list[Counter | Histogram | Gauge] = [
            self.requests,
            self.errors,
            self.first_sound,
            self.sound_seconds,
            self.synthesis_seconds,
            self.cache,
            self.loads,
            Gauge("voicemill_resident_bytes", "Memory of the process.", resident_bytes),
        ]

    def add(self, metric: Counter | Histogram | Gauge) -> None:
        """Show a further metric."""
        self._all.append(metric)

    def text(self) -> str:
        """All metrics in the text format."""
        rows = []
        for metric in self._all:
            rows += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
        return "\n".join(rows) + "\n"


def resident_bytes() -> float:
    """Resident memory of this process in bytes; 0 where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""
