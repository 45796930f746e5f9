"""Processor time and memory of a process and of those below it, from /proc (Linux)."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def tree(root: int) -> list[int]:
    """A process and all that descend from it; one that has just ended has none."""
    found = [root]
    for pid in found:
        for listed in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += [int(each) for each in listed.read_text().split()]
            except OSError:  # it has just ended
                continue
    return found


def spent() -> float:
    """Seconds that this process and its ended children have computed, user and system."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run_timed(
    argv: Sequence[str], environment: Mapping[str, str]
) -> tuple[subprocess.CompletedProcess[str], float, float]:
    """A finished command with its output, its seconds, and the seconds that it and its children computed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_seconds(pid: int, *, ended_children: bool = False) -> float:
    """Seconds that the threads of a process have computed, user and system.

    Args:
        pid: of the process.
        ended_children: also those of its children that have ended.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended_children else 13])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Resident memory; 0 for a process that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return 0.0
