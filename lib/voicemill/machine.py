"""The load of this machine, and the cores that this process may use. Standard library only."""

from __future__ import annotations

import os
from dataclasses import dataclass

from voicemill.workers import usable_cores


@dataclass(frozen=True)
class Load:
    """Processes that ran or waited for a core, mean of the last minute, and the cores.

    Attributes:
        processes: the load average.
        cores: that this process may use.
    """

    processes: float
    cores: int

    def busy(self, own: float = 0.0) -> bool:
        """Whether others want so many cores that this process waits for its own.

        Args:
            own: processes of this run that are part of the load.
        """
        return self.processes - own > self.cores

    @property
    def text(self) -> str:
        """`load 15.6 on 2 cores`."""
        return f"load {self.processes:.1f} on {self.cores} core{'' if self.cores == 1 else 's'}"


def load() -> Load | None:
    """The load of this machine; None where the system does not report it."""
    try:
        return Load(os.getloadavg()[0], usable_cores())
    except (AttributeError, OSError):
        return None
