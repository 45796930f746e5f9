"""Kills at random moments of a tiny job, each followed by `--resume`: what was recovered, and what was lost."""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGE_END = " …"
"""The end of a line on stderr that names the stage which begins."""


@dataclass(frozen=True)
class Outcome:
    """A finished job.

    Attributes:
        results: digests that a resumed job must have in common with an undisturbed one.
        stages: name and start of each stage, in seconds from the start of the job.
        seconds: of the whole job.
    """

    results: dict[str, object]
    stages: tuple[tuple[str, float], ...]
    seconds: float


@dataclass(frozen=True)
class Job:
    """The job: a short recording, the preset `smoke` and a shared cache.

    Attributes:
        audio: the recording, with its text beside it.
        folder: has the cache and a work folder for each run.
        steps: training steps of each model.
    """

    audio: Path
    folder: Path
    steps: int

    def start(self, work: Path, *arguments: str) -> subprocess.Popen[str]:
        """A process in a group of its own, so that a kill reaches its workers too."""
        argv = [sys.executable, str(ROOT / "apps/voice-train-prod/voice-train-prod.py"), "--preset", "smoke"]
        argv += ["--audio", str(self.audio), "--script", str(self.audio.with_suffix(".txt")), "--voice", "killed"]
        environment = os.environ | {
            "WORK_DIR": str(work),
            "CACHE_DIR": str(self.folder / "cache"),
            "PROD_TTS_MAX_STEPS": str(self.steps),
            "SOURCE_DATE_EPOCH": "1700000000",
        }
        return subprocess.Popen(
            [*argv, *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, work: Path, *arguments: str) -> Outcome | None:
        """Run the job to its end; None if it fails or its bundle does not verify."""
        started, stages = time.monotonic(), []
        with self.start(work, *arguments) as process:
            for line in process.stderr or ():
                if line.rstrip().endswith(STAGE_END):
                    stages.append((line.rstrip().removesuffix(STAGE_END), time.monotonic() - started))
        if process.returncode or not verifies(work):
            return None
        return Outcome(results(work), tuple(stages), time.monotonic() - started)

    def kill_in(self, work: Path, stage: str, after: float, *arguments: str) -> bool:
        """Start the job and kill it `after` seconds into a stage; False if it ended before."""
        with self.start(work, *arguments) as process:
            for line in process.stderr or ():
                if line.rstrip() == stage + STAGE_END:
                    time.sleep(after)
                    break
            alive = process.poll() is None
            if alive:
                os.killpg(process.pid, signal.SIGKILL)
        return alive


def take(folder: Path, sentences: int = 12) -> Path:
    """The first sentences of the demo, cut in the pause after them, with their text beside the recording."""
    from voicemill.audio.decode import decode, read_mono, resample
    from voicemill.audio.vad import speech_spans

    folder.mkdir(parents=True, exist_ok=True)
    lines = (ROOT / "data/demo/script.txt").read_text(encoding="utf-8").splitlines()[:sentences]
    (folder / "take.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    demo, whole, audio = ROOT / "data/demo/demo.flac", folder / "whole.wav", folder / "take.wav"
    decode(demo, whole, sample_rate=22050, end=150.0)
    samples, rate = read_mono(whole)
    spans = speech_spans(resample(samples, rate, 16000))
    pauses = [(one.end, two.start) for one, two in itertools.pairwise(spans) if two.start - one.end > 0.4]
    decode(demo, audio, sample_rate=44100, end=sum(pauses[sentences - 1]) / 2)
    return audio


def verifies(work: Path) -> bool:
    """Whether the promoted bundle is as its manifest says."""
    argv = [sys.executable, str(ROOT / "apps/voice-verify/voice-verify.py"), "bundle"]
    done = subprocess.run([*argv, str(work / "bundles/killed/voice_bundle")], capture_output=True, check=False)
    return done.returncode == 0


def results(work: Path) -> dict[str, object]:
    """Digests of the dataset and of the acoustic model's weights, and the vocoder's last loss."""
    status = json.loads((work / "artifacts/prod_tts_train_status.json").read_text(encoding="utf-8"))
    metrics = status["metrics"]
    return {"dataset": status["dataset_sha256"]} | {
        name: metrics.get(name) for name in ("weights_sha256", "vocoder_final_loss")
    }


@dataclass
class Tally:
    """Kills of one stage, and how the job went on after them."""

    killed: int = 0
    recovered: int = 0
    lost: int = 0


def measure(job: Job, kills: int, seed: int, cpu_seconds: float, show: Callable[[str], object]) -> dict[str, Tally]:
    """Kills, recoveries and losses by stage, in the order of the stages.

    Args:
        job: the job; its undisturbed run is the measure of the others.
        kills: ends after so many.
        seed: of the order of the stages and of the moments.
        cpu_seconds: no further kill once the jobs have taken so much processor time.
        show: called with one line per kill.

    Raises:
        RuntimeError: the undisturbed job fails.
    """
    chance = random.Random(seed)  # noqa: S311 - a schedule, no secret
    if not (job.folder / "cache").is_dir():
        job.finish(job.folder / "filling")  # the preparation's cache, which all runs share
    shutil.rmtree(job.folder / "undisturbed", ignore_errors=True)
    whole = job.finish(job.folder / "undisturbed")
    if whole is None:
        raise RuntimeError("the undisturbed job fails")
    ends = [start for _, start in whole.stages[1:]] + [whole.seconds]
    spans = [(name, end - start) for (name, start), end in zip(whole.stages, ends, strict=True)]
    found = {name: Tally() for name, _ in spans}
    chance.shuffle(spans)
    before = spent()
    for number in range(kills):
        if spent() - before > cpu_seconds:
            break
        stage, seconds = spans[number % len(spans)]
        work = job.folder / f"killed-{number}"
        shutil.rmtree(work, ignore_errors=True)
        moment = chance.uniform(0.0, seconds)
        if job.kill_in(work, stage, moment):
            found[stage].killed += 1
            after = job.finish(work, "--resume")
            same = after is not None and after.results == whole.results
            found[stage].recovered += same
            found[stage].lost += not same
            show(f"{stage}: killed after {moment:.2f} s, {'recovered' if same else f'LOST, see {work}'}")
            if same:
                shutil.rmtree(work, ignore_errors=True)
    return found


def spent() -> float:
    """Processor time of all finished children, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
