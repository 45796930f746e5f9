"""A whole preparation of a long recording beside the usual tools: what `bench.py preparation` measures."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import resident_mib, tree

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """A command as measured: wall and CPU seconds of it and all its children, highest memory of the whole tree."""

    wall: float
    cpu: float
    peak_mib: float
    output: str


def run(argv: list[str], **environment: str) -> Run:
    """Run a command to its end.

    Raises:
        SystemExit: it failed.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        argv, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        peak = [0.0]
        watch = threading.Thread(target=_watch, args=(child, peak), daemon=True)
        watch.start()
        output, errors = child.communicate()
        watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode:
        raise SystemExit(f"{argv[1]} failed: {errors[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(time.perf_counter() - started, cpu, peak[0], output)


def _watch(child: subprocess.Popen[str], peak: list[float]) -> None:
    """The sum of the resident memory of the tree every 200 ms; pages that two processes share count in both."""
    while child.poll() is None:
        peak[0] = max(peak[0], sum(resident_mib(pid) for pid in tree(child.pid)))
        time.sleep(0.2)


def prepare(recording: Path, work: Path) -> tuple[Run, Path]:
    """`voice-prep` from empty caches; what was measured, and the dataset."""
    argv = [sys.executable, str(ROOT / "apps/voice-prep/voice-prep.py"), "--voice", "ann", "--no-report"]
    argv += ["--audio", str(recording / "recording.flac"), "--script", str(recording / "script.txt")]
    return run(argv, WORK_DIR=str(work / "work"), CACHE_DIR=str(work / "cache")), work / "work/datasets/ann"


def usual(recording: Path, seconds: float) -> dict[str, Any]:
    """What usual_tools.py says of the first seconds, and its peak memory."""
    argv = [sys.executable, str(ROOT / "scripts/bench/usual_tools.py"), str(recording / "recording.flac"), str(seconds)]
    done = run(argv)
    found: dict[str, Any] = json.loads(done.output.strip().splitlines()[-1])
    return found | {"peak_mib": done.peak_mib}


def report(recording: Path, work: Path, part: float) -> str:
    """Everything in one run, as Markdown."""
    truth = json.loads((recording / "truth.json").read_text("utf-8"))
    seconds = float(truth["seconds"])
    ours, dataset = prepare(recording, work)
    stages = json.loads((dataset / "timings.json").read_text("utf-8"))
    theirs = usual(recording, min(part, seconds))
    wall = {stage["name"]: stage["seconds"] for stage in stages}
    usual_wall, usual_cpu = sum(theirs["wall"].values()), sum(theirs["cpu"].values())
    rows = ["| stage | wall s | × real time | peak MiB |", "|---|---:|---:|---:|"]
    rows += [
        f"| {each['name']} | {each['seconds']:.1f} | {seconds / each['seconds']:.0f} | {each['peak_mib'] or 0:.0f} |"
        for each in stages
    ]
    alike = ours.wall - wall["segmentation"] - wall["alignment"]  # what the usual tools do, and quality control
    pitched = json.loads((dataset / "dataset.json").read_text("utf-8"))["report"]["seconds_kept"]
    scale = seconds / theirs["seconds"]
    rows += [
        f"| **whole** | {ours.wall:.1f} | **{seconds / ours.wall:.1f}** | {ours.peak_mib:.0f} (whole tree) |",
        "",
        f"Recording: {seconds:.0f} s. Whole: {ours.cpu:.1f} CPU s, so {2 * seconds / ours.cpu:.1f} × real time if two cores did nothing else. "
        f"Without script matching and alignment {seconds / alike:.0f} × by wall.",
        f"Usual tools on the first {theirs['seconds']:.0f} s: {usual_wall:.1f} s ({usual_cpu:.1f} CPU s), "
        f"{theirs['seconds'] / usual_wall:.2f} × real time, {theirs['peak_mib']:.0f} MiB; extrapolated to the whole: {usual_wall * scale:.0f} s.",
        f"Whole preparation against it: {usual_wall * scale / ours.wall:.1f} times as fast by wall, {usual_cpu * scale / ours.cpu:.1f} by CPU seconds; "
        f"without script matching and alignment, which they do not do, {usual_wall * scale / alike:.1f} times by wall.",
        f"Pitch: librosa.pyin {theirs['speech'] / theirs['wall']['pitch']:.2f} × real time of speech in one process, our stage "
        f"{pitched / wall['pitch']:.0f} × in its pool.",
    ]
    return "\n".join(rows)
