"""A finished voice behind `voice-serve`, beside sherpa-onnx on the same graph behind a server as small as can be.

Both are processes of their own on loopback; clients ask for raw samples and read the stream. What is measured: requests a
second, milliseconds to the first sound, seconds of speech for each second of the run and for each second that the server's
process has computed (one core), memory of the server. Every sound is compared with that of the same text before.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from processes import cpu_seconds, resident_mib

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "apps/voice-serve/voice-serve.py"
TEXTS = ROOT / "data/demo/heldout.txt"
SHORT = ("Yes.", "No.", "Thank you.", "Good morning.", "Come in.", "All right.")
SHERPA = """
import asyncio, json, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np, sherpa_onnx, uvicorn, socket
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
folder, threads = sys.argv[1], int(sys.argv[2])
paths = {"model": f"{folder}/voice.onnx", "lexicon": f"{folder}/lexicon.txt", "tokens": f"{folder}/tokens.txt"}
model = sherpa_onnx.OfflineTtsModelConfig(vits=sherpa_onnx.OfflineTtsVitsModelConfig(**paths), num_threads=1)
tts = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model))
pool = ThreadPoolExecutor(threads)
def make(text):
    return (np.asarray(tts.generate(text, speed=1.0).samples) * 32767).astype("<i2").tobytes()
async def speak(request):
    text = json.loads(await request.body())["input"]
    return Response(await asyncio.get_running_loop().run_in_executor(pool, make, text), media_type="audio/pcm")
listener = socket.socket(proto=socket.IPPROTO_TCP); listener.bind(("127.0.0.1", 0)); listener.listen(512)
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
app = Starlette(routes=[Route("/v1/audio/speech", speak, methods=["POST"])])
uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])
"""


@dataclass(frozen=True)
class Side:
    """A server under measurement.

    Attributes:
        rate: of the samples that it sends, in Hz.
    """

    name: str
    process: subprocess.Popen[str]
    url: str
    rate: int

    @property
    def mib(self) -> float:
        """Resident memory."""
        return resident_mib(self.process.pid)

    @property
    def cpu(self) -> float:
        """Seconds that all its threads have computed."""
        return cpu_seconds(self.process.pid)


@dataclass(frozen=True)
class Load:
    """The figures of one run."""

    requests: float
    first: list[float]
    real_time: float
    of_a_core: float
    wrong: int


async def run(side: Side, voice: str, texts: list[str], clients: int, reference: dict[str, str] | None = None) -> Load:
    """Ask for every text once, by some clients at the same time.

    Args:
        side: the server.
        voice: its name.
        texts: in order.
        clients: that ask at the same time, each for the next text.
        reference: sha256 of each text's sound, filled by the first; others count as wrong.
    """
    waiting = iter(enumerate(texts))
    first: list[float] = []
    sound, wrong = 0, 0

    async def client(http: httpx.AsyncClient) -> None:
        nonlocal sound, wrong
        for _, text in waiting:
            body = {"model": "tts-1", "voice": voice, "input": text, "response_format": "pcm"}
            started, size, digest = time.perf_counter(), 0, hashlib.sha256()
            async with http.stream("POST", side.url, json=body) as answer:
                answer.raise_for_status()
                async for part in answer.aiter_raw():
                    if not size:
                        first.append(time.perf_counter() - started)
                    size += len(part)
                    digest.update(part)
            sound += size
            found = digest.hexdigest()
            wrong += not size or (reference is not None and reference.setdefault(text, found) != found)

    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(timeout=120, limits=limits, trust_env=False) as http:
        started, computed = time.perf_counter(), side.cpu
        await asyncio.gather(*(client(http) for _ in range(clients)))
        spent, computed = time.perf_counter() - started, side.cpu - computed
    seconds = sound / 2 / side.rate
    return Load(len(texts) / spent, first, seconds / spent, seconds / max(computed, 0.01), wrong)


def measure(bundle: Path, work: Path, requests: int, endurance: int) -> str:
    """Markdown tables of load and memory.

    Args:
        bundle: of a voice with a graph and a neural vocoder.
        work: scratch folder.
        requests: of each number of clients.
        endurance: short requests; memory is read after a tenth of them and at their end.
    """
    from voicemill.workers import usable_cores

    cores = usable_cores()
    sides = [_ours(bundle, work), _sherpa(bundle, work, cores)]
    lines = TEXTS.read_text("utf-8").splitlines()
    texts = [lines[number % len(lines)] for number in range(requests)]
    rows = [
        "| clients | server | requests/s | first sound p50 | p95 | × real time | … of a core | wrong |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    sounds: dict[str, dict[str, str]] = {side.name: {} for side in sides}
    try:
        for clients in (1, 8, 32):
            for side in sides:
                asyncio.run(run(side, "voice", texts[:4], 1))
                load = asyncio.run(run(side, "voice", texts, clients, sounds[side.name]))
                ordered = sorted(load.first)
                p95 = ordered[int(0.95 * (len(ordered) - 1))]
                rows.append(
                    f"| {clients} | {side.name} | {load.requests:.1f} | {statistics.median(ordered) * 1000:.0f} ms | "
                    f"{p95 * 1000:.0f} ms | {load.real_time:.1f} | {load.of_a_core:.1f} | {load.wrong} |"
                )
        if endurance:
            rows += ["", "| server | MiB after the load | after " f"{endurance // 10} short requests | after {endurance} | wrong |", "|---|---:|---:|---:|---:|"]
        for side in sides if endurance else ():
            short = [SHORT[number % len(SHORT)] for number in range(endurance)]
            found, wrong = [side.mib], 0
            for part in (short[: endurance // 10], short[endurance // 10 :]):
                wrong += asyncio.run(run(side, "voice", part, 4, sounds[side.name])).wrong
                found.append(side.mib)
            rows.append(
                f"| {side.name} | {found[0]:.0f} | {found[1]:.0f} | {found[2]:.0f} ({found[2] / found[1] - 1:+.1%}) | {wrong} |"
            )
    finally:
        for side in sides:
            side.process.terminate()
            side.process.wait(60)
    load_average = os.getloadavg()[0]
    return "\n".join([*rows, "", f"Load average {load_average:.1f}, {cores} cores, {requests} requests of each number of clients."])


def _start(argv: list[str], work: Path) -> tuple[subprocess.Popen[str], dict[str, object]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "OMP_NUM_THREADS": "1", "WORK_DIR": str(work)}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    line = process.stdout.readline() if process.stdout else ""
    return process, json.loads(line)


def _ours(bundle: Path, work: Path) -> Side:
    voices = work / f"serve-{time.time_ns()}"
    (voices / "voice").mkdir(parents=True)
    (voices / "voice/voice_bundle").symlink_to(bundle.absolute())
    argv = [sys.executable, str(APP), "--port", "0", "--bundles", str(voices), "--uncertified", "--no-training", "--queue", "1000"]
    process, line = _start(argv, work)
    return Side("voice-serve", process, f"http://127.0.0.1:{line['port']}/v1/audio/speech", 24_000)


def _sherpa(bundle: Path, work: Path, threads: int) -> Side:
    from voicemill.bundle.export_formats import export_format

    folder = work / f"sherpa-{time.time_ns()}"
    export_format(bundle, folder, "sherpa-onnx")
    process, line = _start([sys.executable, "-c", SHERPA, str(folder), str(threads)], work)
    return Side("sherpa-onnx 2.0.1", process, f"http://127.0.0.1:{line['port']}/v1/audio/speech", 22_050)
