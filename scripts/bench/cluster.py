"""What a Ray cluster costs beside the processes of one machine: the same clips, stage by stage, in turns.

    python scripts/bench/cluster.py [HOST:PORT] [ROUNDS]     a cluster with as many CPUs as this machine has cores

The recording is recognised once, before the rounds; each round asks for another loudness, so that clips, alignment and
pitch are made anew. The seconds to join the cluster are counted separately: a preparation joins once.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.dataset.cluster import RUNNING, RayPool
from voicemill.dataset.prepare import prepare
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.workspace import Workspace

STAGES = ("clips", "alignment", "pitch")


def main(address: str = RUNNING, rounds: str = "3") -> int:
    """Print one row a run, then the best sum of each."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "work", Path(folder) / "cache")

        def seconds(ray: str | None, loudness: float) -> dict[str, float]:
            request = PreparationRequest(
                voice="bench",
                source=recording_source(ROOT / "data/demo/demo.flac", ROOT / "data/demo/script.txt"),
                target_lufs=loudness,
                ray=ray,
            )
            return {stage.name: stage.seconds for stage in prepare(request, workspace).stages}

        seconds(None, -23.0)
        sums: dict[str, list[float]] = {"processes": [], "Ray": []}
        for number in range(int(rounds)):
            for name, ray, loudness in (
                ("processes", None, -23.1 - 0.2 * number),
                ("Ray", address, -23.2 - 0.2 * number),
            ):
                found = seconds(ray, loudness)
                sums[name].append(sum(found[stage] for stage in STAGES))
                print(name, *(f"{stage} {found[stage]:.2f}" for stage in STAGES), f"together {sums[name][-1]:.2f}")
        begun = time.perf_counter()
        with RayPool(address, Path(folder)):
            joined = time.perf_counter() - begun
    best = {name: min(found) for name, found in sums.items()}
    print(f"best: processes {best['processes']:.2f} s, Ray {best['Ray']:.2f} s, joining the cluster {joined:.1f} s")
    print(f"overhead {100 * (best['Ray'] / best['processes'] - 1):.0f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
