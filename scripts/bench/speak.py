"""A finished voice through the runtime, beside sherpa-onnx on the same graph: start, speed, memory.

Each measurement is a process of its own with one thread. Seconds of CPU time are what a busy machine leaves comparable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "data/demo/heldout.txt"
FIRST = "Good morning, and thank you for listening."

RUNTIME = """
import json, re, sys, time
def peak():  # of this program; ru_maxrss has that of its parent before exec
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
started, begun = time.perf_counter(), time.process_time()
from pathlib import Path
from voicemill_runtime.bundle import open_voice
voice = open_voice(Path(sys.argv[1]))
first = next(iter(voice.speak(sys.argv[2])))
to_first = time.perf_counter() - started, time.process_time() - begun
warm = time.process_time()
next(iter(voice.speak(sys.argv[2])))
warm = time.process_time() - warm
begun = time.process_time()
samples = sum(len(chunk.samples) for line in open(sys.argv[3]) for chunk in voice.speak(line) if chunk.words)
cpu = time.process_time() - begun
print(json.dumps({"to_first_wall": to_first[0], "to_first_cpu": to_first[1], "warm_cpu": warm,
    "sound": samples / voice.sample_rate, "cpu": cpu, "mib": peak() / 1024}))
"""
SHERPA = """
import json, re, sys, time
def peak():  # of this program; ru_maxrss has that of its parent before exec
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
started, begun = time.perf_counter(), time.process_time()
import sherpa_onnx
folder = sys.argv[1]
paths = {"model": f"{folder}/voice.onnx", "lexicon": f"{folder}/lexicon.txt", "tokens": f"{folder}/tokens.txt"}
model = sherpa_onnx.OfflineTtsModelConfig(vits=sherpa_onnx.OfflineTtsVitsModelConfig(**paths), num_threads=1)
tts = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model))
audio = tts.generate(sys.argv[2], speed=1.0)
to_first = time.perf_counter() - started, time.process_time() - begun
warm = time.process_time()
tts.generate(sys.argv[2], speed=1.0)
warm = time.process_time() - warm
begun = time.process_time()
samples = sum(len(tts.generate(line, speed=1.0).samples) for line in open(sys.argv[3]) if line.strip())
cpu = time.process_time() - begun
print(json.dumps({"to_first_wall": to_first[0], "to_first_cpu": to_first[1], "warm_cpu": warm,
    "sound": samples / audio.sample_rate, "cpu": cpu, "mib": peak() / 1024}))
"""


def measure(bundle: Path, work: Path, sherpa: Path | None, rounds: int) -> str:
    """A Markdown table of the runtime, and of sherpa-onnx where a Python that has it is named, in turns.

    Args:
        bundle: of a voice with a graph and a neural vocoder.
        work: scratch folder.
        sherpa: a Python with the package sherpa-onnx.
        rounds: of each; the table has the smallest of each figure.
    """
    from voicemill.bundle.export_formats import export_format
    from voicemill.workers import usable_cores

    sides = {"voicemill_runtime": [sys.executable, "-c", RUNTIME, str(bundle), FIRST, str(TEXT)]}
    if sherpa is not None:
        folder = work / f"sherpa-{time.time_ns()}"
        export_format(bundle, folder, "sherpa-onnx")
        sides["sherpa-onnx"] = [str(sherpa), "-c", SHERPA, str(folder), FIRST, str(TEXT)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "OMP_NUM_THREADS": "1"}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, argv in sides.items():
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    rows = ["| | first sound, cold | … CPU s | warm, CPU s | × real time of a core | peak MiB |", "|---|---:|---:|---:|---:|---:|"]
    for name, runs in found.items():
        best = {key: min(run[key] for run in runs) for key in runs[0]}
        speed = max(run["sound"] / run["cpu"] for run in runs)
        rows.append(
            f"| {name} | {best['to_first_wall']:.2f} s | {best['to_first_cpu']:.2f} | {best['warm_cpu']:.3f} | {speed:.1f} | "
            f"{best['mib']:.0f} |"
        )
    load = os.getloadavg()[0]
    return "\n".join([*rows, "", f"Load average {load:.1f}, {usable_cores()} cores, {rounds} runs of each in turns."])



