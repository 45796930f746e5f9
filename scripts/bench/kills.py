"""Kills at random moments of a tiny job, each followed by `--resume`: what was recovered, and what was lost.

One undisturbed job is stopped where each stage begins, and its folders are copied. A kill starts from the copy of its
stage, so it costs the stage and not the whole job. Jobs are forked from this process, which has imported their modules.
The kills are recorded one by one, so that an interrupted measurement goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import os
import random
import resource
import runpy
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "apps/voice-train-prod/voice-train-prod.py"
CONFIG = Path("configs/voice/prod_tts")
STAGE_END = " …"
"""The end of a line on stderr that names the stage which begins."""
PRELOADED = (
    "click",
    "av",
    "faster_whisper",
    "jiwer",
    "librosa",
    "license_expression",
    "onnxruntime",
    "pocketsphinx",
    "nemo.collections.tts.models",
    "voicemill.training.train_fastpitch",
    "voicemill.training.train_hifigan",
    "voicemill.training.tune_vocoder",
    "voicemill.training.onnx_export",
    "voicemill.lane.runner",
    "voicemill.lane.steps",
    "voicemill.lane.report",
    "voicemill.lane.training",
    "voicemill.lane.evaluation",
    "voicemill.lane.bundling",
)
PHASES = {"preparation": "decode", "FastPitch": "FastPitch", "HiFi-GAN": "HiFi-GAN", "evaluation": "evaluation"}
"""The stage with which each phase begins; after a kill, the job goes on until the next of them, or to its end."""
SAVING = "saving"
"""The row of kills while a training writes a checkpoint or its model."""
TEMPORARY = ".voicemill-"
"""Part of the names of files that are being written."""
EVALUATION = "prod_tts_eval.json"
TIMED = {"real_time_factor", "speed"}
"""Figures of the evaluation that depend on the machine's load."""
TO_THE_END = 21
"""One kill of so many is followed by a run to the end of the job, wherever it was; the others to the next phase."""
LONGEST_SECONDS = 1800.0
UNDISTURBED, RECORD = "undisturbed.json", "kills.jsonl"
"""Files of an earlier measurement in the job's folder, and its kills, one a line."""


class Run:
    """A job in a forked process, with a process group of its own, so that a kill reaches its workers too."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            run_app(argv, environment, writing)
        os.close(writing)
        self._stderr, self._rest = reading, b""
        self.lines: list[str] = []
        self.code: int | None = None

    def until(self, stages: tuple[str, ...]) -> str | None:
        """Read until one of the stages begins; its name, or None once the job has ended."""
        for stage in self.stages(LONGEST_SECONDS):
            if stage in stages:
                return stage
        return None

    def stages(self, seconds: float) -> Iterator[str]:
        """The stages that begin within so many seconds."""
        deadline = time.monotonic() + seconds
        while self.code is None:
            ready = select.select([self._stderr], [], [], max(0.0, deadline - time.monotonic()))[0]
            if not ready:
                return
            if not (block := os.read(self._stderr, 1 << 16)):
                self._end()
                return
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in (each.decode(errors="replace").rstrip() for each in lines):
                self.lines.append(line)
                if line.endswith(STAGE_END):
                    yield line.removesuffix(STAGE_END)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the job and its workers."""
        os.killpg(self.pid, number)

    def kill(self) -> bool:
        """End the job and its workers at once; False if it has ended before."""
        if self.code is None:
            self.send(signal.SIGKILL)
            self._end()
        return self.code == -signal.SIGKILL

    def _end(self) -> None:
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._stderr)


def run_app(argv: list[str], environment: dict[str, str], stderr: int) -> NoReturn:
    """Become the app in this process."""
    code = 70
    try:
        os.setpgrp()
        null = os.open(os.devnull, os.O_RDWR)
        for number, file in ((0, null), (1, null), (2, stderr)):
            os.dup2(file, number)
        os.environ.update(environment)
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


@dataclass(frozen=True)
class Job:
    """The job: a short recording, the preset `smoke` with a checkpoint every few steps, and a cache.

    Attributes:
        audio: the recording, with its text beside it.
        folder: has the work and cache folders of the run at hand, and the copies.
        steps: training steps of the acoustic model.
    """

    audio: Path
    folder: Path
    steps: int

    @property
    def work(self) -> Path:
        """The work folder of every run: always the same path, so that a copy of one is what a kill leaves."""
        return self.folder / "work"

    def argv(self, *arguments: str) -> list[str]:
        """The command."""
        argv = [str(APP), "--preset", "smoke", "--voice", "killed", "--audio", str(self.audio)]
        return [*argv, "--script", str(self.audio.with_suffix(".txt")), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the command."""
        return {
            "WORK_DIR": str(self.work),
            "CACHE_DIR": str(self.folder / "cache"),
            "PROD_TTS_CONFIG": str(self.folder / CONFIG / "nemo_fastpitch_hifigan.yaml"),
            "PROD_TTS_MAX_STEPS": str(self.steps),
            "SOURCE_DATE_EPOCH": "1700000000",
        }

    def configure(self) -> None:
        """Write the configuration: ours, with a checkpoint every third step."""
        shutil.copytree(ROOT / CONFIG, self.folder / CONFIG, dirs_exist_ok=True)
        path = self.folder / CONFIG / "nemo_fastpitch_hifigan.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("\ncheckpoint_interval: 100", "\ncheckpoint_interval: 3"), encoding="utf-8")

    def start(self, *arguments: str) -> Run:
        """Start the job in a forked process."""
        return Run(self.argv(*arguments), self.environment)

    def save(self, name: str) -> None:
        """Copy the folders of the job."""
        for part in ("work", "cache"):
            if (self.folder / part).is_dir():
                shutil.copytree(self.folder / part, self.folder / "states" / name / part, symlinks=True)

    def restore(self, name: str | None) -> None:
        """Put the folders of a copy in place; None leaves none."""
        for part in ("work", "cache"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
            if name is not None and (self.folder / "states" / name / part).is_dir():
                shutil.copytree(self.folder / "states" / name / part, self.folder / part, symlinks=True)


@dataclass(frozen=True)
class Stage:
    """A stage of the undisturbed job: its name, its seconds, and the stage at which the next phase begins."""

    name: str
    seconds: float
    phase_end: str | None


@dataclass(frozen=True)
class Undisturbed:
    """The undisturbed job.

    Attributes:
        stages: in their order; a copy of the job's folders at the start of each is in `Job.folder / "states"`.
        facts: what was finished where each phase ends (None: at the end of the job).
    """

    stages: tuple[Stage, ...]
    facts: dict[str | None, dict[str, str]]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        rows = [[stage.name, stage.seconds, stage.phase_end] for stage in self.stages]
        facts = [[end, found] for end, found in self.facts.items()]
        path.write_text(json.dumps({"code": code(), "stages": rows, "facts": facts}), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Undisturbed | None:
        """Read what `write` wrote; None if there is none, or another version of the code wrote it."""
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if found.get("code") != code():
            return None
        return cls(tuple(Stage(*row) for row in found["stages"]), {end: facts for end, facts in found["facts"]})


def code() -> str:
    """Digest of the library: results of different versions are not compared."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "lib").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def prepare(job: Job) -> Undisturbed:
    """Run the job once, and copy its folders at the start of each stage; an earlier preparation is kept.

    Raises:
        RuntimeError: it fails.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    known = job.folder / UNDISTURBED
    if (earlier := Undisturbed.read(known)) is not None:
        return earlier
    (job.folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(job.folder / "states", ignore_errors=True)
    job.restore(None)
    job.configure()
    starts: list[tuple[str, float]] = []
    facts: dict[str | None, dict[str, str]] = {}
    run = job.start()
    began = time.monotonic()
    try:
        for stage in run.stages(LONGEST_SECONDS):
            starts.append((stage, time.monotonic() - began))
            run.send(signal.SIGSTOP)
            stopped = time.monotonic()
            job.save(stage)
            facts[stage] = finished(job.work)
            began += time.monotonic() - stopped
            run.send(signal.SIGCONT)
    finally:
        run.kill()
    if run.code != 0 or not verifies(job.work):
        raise RuntimeError("the undisturbed job fails:\n" + "\n".join(run.lines[-20:]))
    ends = [*starts[1:], ("", time.monotonic() - began)]
    boundaries, phase_end = tuple(PHASES.values()), None
    stages: list[Stage] = []
    for (name, start), (_, end) in reversed(list(zip(starts, ends, strict=True))):
        stages.insert(0, Stage(name, end - start, phase_end))
        phase_end = name if name in boundaries else phase_end
    facts[None] = finished(job.work)
    whole = Undisturbed(tuple(stages), {end: facts[end] for end in {stage.phase_end for stage in stages}})
    whole.write(known)
    return whole


def finished(work: Path) -> dict[str, str]:
    """What is finished in a work folder, as digests that an undisturbed job and a resumed one have in common.

    NeMo's archives hold times; their weights are compared by the records of the trainings.
    """
    found: dict[str, str] = {}
    for root in (work / "datasets/killed", work / "bundles/killed/voice_bundle"):
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if path.is_file():
                varies = path.suffix == ".nemo" or path.name in (EVALUATION, "manifest.json", "timings.json")
                found[str(path.relative_to(work))] = "" if varies else hashlib.sha256(path.read_bytes()).hexdigest()
    for record in sorted((work / "checkpoints/prod_tts").glob("*/*/record.json")):
        values = json.loads(record.read_text(encoding="utf-8"))
        found[record.parent.name] = f"{values['weights_sha256']} {values['loss_curve']}"
    if (path := work / "artifacts" / EVALUATION).is_file():
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        found[EVALUATION] = json.dumps({name: figures[name] for name in sorted(set(figures) - TIMED)}, sort_keys=True)
    return found


def litter(work: Path) -> list[str]:
    """Names of files that a killed job left and the next one should have removed."""
    return [str(path.relative_to(work)) for path in work.rglob("*") if TEMPORARY in path.name]


def verifies(work: Path) -> bool:
    """Whether the promoted bundle is as its manifest says."""
    argv = [sys.executable, str(ROOT / "apps/voice-verify/voice-verify.py"), "bundle"]
    done = subprocess.run([*argv, str(work / "bundles/killed/voice_bundle")], capture_output=True, check=False)
    return done.returncode == 0


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


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        stage: in which the job was killed, or `SAVING`; None if it had ended before.
        fault: what was lost; empty if nothing was.
    """

    stage: str | None
    fault: str


@dataclass(frozen=True)
class Killer:
    """Kills a job, from the copies that `prepare` made."""

    job: Job
    whole: Undisturbed
    chance: random.Random

    def kill(self, stage: Stage, *, saving: bool, to_the_end: bool) -> Kill:
        """Kill the job once in a stage, and resume it.

        Args:
            stage: from whose beginning the job goes on.
            saving: kill while a file of the training's folder is being written.
            to_the_end: resume to the end of the job, not only to the end of the phase.
        """
        self.job.restore(stage.name)
        run = self.job.start("--resume")
        reached = run.until((stage.name,))
        if saving:
            reached = self._await_saving(run) or reached
        for later in run.stages(0.0 if saving else self.chance.uniform(0.0, stage.seconds)):
            reached = later
        if not run.kill() or reached is None:
            return Kill(None, f"ended before it was killed (exit code {run.code})")
        ends = {each.name: each.phase_end for each in self.whole.stages}
        return Kill(SAVING if saving else reached, self._fault(None if to_the_end else ends[reached]))

    def _await_saving(self, run: Run) -> str | None:
        """Wait until files below the checkpoints are being written, and a moment that may be after it.

        Returns:
            The stage that has begun meanwhile, if one has.
        """
        checkpoints, deadline = self.job.work / "checkpoints", time.monotonic() + 60
        wanted = 1 + self.chance.randrange(4)
        seen: set[str] = set()
        reached: str | None = None
        while len(seen) < wanted and time.monotonic() < deadline and run.code is None:
            reached = next(reversed([*run.stages(0.0)]), reached)
            for _, folders, names in os.walk(checkpoints):
                seen.update(name for name in (*folders, *names) if TEMPORARY in name)
        time.sleep(self.chance.uniform(0.0, 0.02))
        return reached

    def _fault(self, end: str | None) -> str:
        """Resume the job until the stage `end` begins, or to its end; what is not as in the undisturbed one."""
        run = self.job.start("--resume")
        reached = run.until((end,) if end else ())
        if reached != end or (end is None and run.code != 0):
            return f"exit code {run.code}: " + " / ".join(run.lines[-5:])
        if end:
            run.send(signal.SIGSTOP)
        found, expected = finished(self.job.work), self.whole.facts[end]
        different = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        remains = [] if end else litter(self.job.work)
        run.kill()
        if different or remains:
            return f"differs in {different[:5]}, left {remains[:5]}"
        return "" if end or verifies(self.job.work) else "the bundle does not verify"


@dataclass
class Tally:
    """Kills of one stage, and how the job went on after them."""

    killed: int = 0
    recovered: int = 0
    lost: int = 0


def measure(
    job: Job,
    kills: int,
    seed: int,
    cpu_seconds: float,
    show: Callable[[str], object],
    only: Collection[str] = (),
) -> dict[str, Tally]:
    """Kills, recoveries and losses by stage, in the order of the stages; `SAVING` is the last.

    Args:
        job: the job; its undisturbed run is the measure of the others.
        kills: ends after so many, those of an interrupted measurement included.
        seed: of the moments.
        cpu_seconds: no further kill once this process and its jobs have taken so much processor time.
        show: called with one line per kill.
        only: names of the stages in which the job is killed, `SAVING` among them; by default all.

    Raises:
        RuntimeError: the undisturbed job fails.
    """
    whole = prepare(job)
    show(f"prepared: {spent():.1f} s of processor time")
    stages = {stage.name: stage for stage in whole.stages}
    short = [(stage, False) for stage in whole.stages if stage.phase_end is not None]
    short += [(stages[name], True) for name in ("FastPitch", "HiFi-GAN") if name in stages]
    # A resumed job evaluates again before it bundles, so each kill after the trainings costs two evaluations.
    rounds = 3 * short + [(stage, False) for stage in whole.stages if stage.phase_end is None]
    if only:
        rounds = [row for row in short + rounds[len(short) * 3 :] if (SAVING if row[1] else row[0].name) in only]
    record = job.folder / RECORD
    found = [Kill(**json.loads(line)) for line in record.read_text().splitlines()] if record.exists() else []
    for number in range(len(found), kills):
        if spent() > cpu_seconds:
            break
        began, (stage, saving) = spent(), rounds[number % len(rounds)]
        to_the_end = not only and number % TO_THE_END == 0
        killer = Killer(job, whole, random.Random(f"{seed} {number}"))  # noqa: S311 - a schedule, no secret
        found.append(killer.kill(stage, saving=saving, to_the_end=to_the_end))
        with record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(found[-1])) + "\n")
        ending = ", to the end" if to_the_end else ""
        show(f"{number + 1}. {found[-1].stage}: {found[-1].fault or 'recovered'} ({spent() - began:.1f} s{ending})")
    tallies = {name: Tally() for name in (*stages, SAVING)}
    for kill in found:
        if kill.stage is not None:
            tally = tallies[kill.stage]
            tally.killed += 1
            tally.lost += bool(kill.fault)
            tally.recovered += not kill.fault
    return tallies


def spent() -> float:
    """Processor time of this process and all its finished children, in seconds."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )
