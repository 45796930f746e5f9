"""Kills at random moments of a tiny job, each followed by `--resume`: what was recovered, and what was lost.

One undisturbed job shows what is finished where each stage begins. Each further job is killed in every stage, one after
the other: it is resumed, killed in the next stage, and so on up to its end. Jobs are forked from this process, which has
imported their modules. The kills are recorded, so that an interrupted measurement goes on.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import os
import random
import runpy
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from processes import spent

ROOT = Path(__file__).resolve().parents[2]
APP, VERIFY = ROOT / "apps/voice-train-prod/voice-train-prod.py", ROOT / "apps/voice-verify/voice-verify.py"
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
TRAININGS = ("FastPitch", "HiFi-GAN")
"""The stages that write checkpoints."""
SAVING = "saving"
"""The row of kills while a training writes a checkpoint or its model."""
TEMPORARY = ".voicemill-"
"""Part of the names of files that are being written."""
EVALUATION = "prod_tts_eval.json"
TIMED = {"real_time_factor", "speed"}
"""Figures of the evaluation that depend on the machine's load."""
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
        folder: has the work and cache folders of the run at hand.
        steps: training steps of the acoustic model.
    """

    audio: Path
    folder: Path
    steps: int

    @property
    def work(self) -> Path:
        """The work folder of every run: always the same path, so that what is written does not differ by it."""
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

    def clear(self) -> None:
        """Remove the work and cache folders of the run before."""
        for part in ("work", "cache"):
            shutil.rmtree(self.folder / part, ignore_errors=True)


@dataclass(frozen=True)
class Stage:
    """A stage of the undisturbed job: its name and its seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Undisturbed:
    """The undisturbed job.

    Attributes:
        stages: in their order.
        facts: what was finished where each stage begins (None: at the end of the job).
    """

    stages: tuple[Stage, ...]
    facts: dict[str | None, dict[str, str]]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        rows = [[stage.name, stage.seconds] for stage in self.stages]
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
    """Run the job once, and note what is finished at the start of each stage; an earlier run is kept.

    Raises:
        RuntimeError: it fails.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    known = job.folder / UNDISTURBED
    if (earlier := Undisturbed.read(known)) is not None:
        return earlier
    (job.folder / RECORD).unlink(missing_ok=True)
    job.clear()
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
            facts[stage] = finished(job.work)
            began += time.monotonic() - stopped
            run.send(signal.SIGCONT)
    finally:
        run.kill()
    if run.code != 0 or not verifies(job.work):
        raise RuntimeError("the undisturbed job fails:\n" + "\n".join(run.lines[-20:]))
    ends = [*(start for _, start in starts[1:]), time.monotonic() - began]
    stages = tuple(Stage(name, end - start) for (name, start), end in zip(starts, ends, strict=True))
    whole = Undisturbed(stages, facts | {None: finished(job.work)})
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
    run = Run([str(VERIFY), "bundle", str(work / "bundles/killed/voice_bundle")], {})
    run.until(())
    return run.code == 0


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
        chain: number of the job that was killed.
        stage: in which it was killed, or `SAVING`.
        fault: what was lost; empty if nothing was.
    """

    chain: int
    stage: str
    fault: str


@dataclass(frozen=True)
class Target:
    """Where a job is killed next: at a random moment of a stage, or while a training of this stage saves."""

    stage: Stage
    saving: bool = False

    @property
    def name(self) -> str:
        """The row of the table."""
        return SAVING if self.saving else self.stage.name


@dataclass
class Chain:
    """One job that is killed in one stage after the other, and goes on with `--resume` each time, up to its end.

    Attributes:
        number: names the job in the record.
        chance: of the moments.
    """

    job: Job
    whole: Undisturbed
    number: int
    chance: random.Random
    _open: list[str] = field(default_factory=list)

    def run(self, targets: Sequence[Target]) -> Iterator[Kill]:
        """Kill the job once at each target that it reaches, and let it go on to the stage after the last of them.

        Returns:
            Each kill, once its outcome is known.
        """
        names = [stage.name for stage in self.whole.stages]
        self.job.clear()
        place = 0
        for target in targets:
            if (wanted := names.index(target.stage.name)) < place:  # the kill before came after this stage
                continue
            run = self.job.start("--resume")
            try:
                begun = run.until(tuple(names[wanted:]))  # a later one if the dataset is complete
                if begun is None:
                    yield from self._settle(f"exit code {run.code}: " + " / ".join(run.lines[-5:]))
                    return
                stage = self.whole.stages[names.index(begun)]
                yield from self._compare(run, stage)
                saving = target.saving and begun == target.stage.name
                reached = self._await_saving(run, begun) if saving else self._await_moment(run, stage)
                if reached is not None and run.kill():
                    self._open.append(SAVING if saving else reached)
                    place = names.index(reached)
            finally:
                run.kill()
        yield from self._finish((*names, None)[names.index(targets[-1].stage.name) + 1])

    def _await_moment(self, run: Run, stage: Stage) -> str | None:
        """Wait until a random moment of the stage that has begun; the stage of that moment, None if the job has ended."""
        later = [*run.stages(self.chance.uniform(0.0, stage.seconds))]
        return [stage.name, *later][-1] if run.code is None else None

    def _await_saving(self, run: Run, stage: str) -> str | None:
        """Wait until files below the checkpoints are being written, and a moment that may be after it; else None."""
        checkpoints, deadline = self.job.work / "checkpoints", time.monotonic() + 60
        wanted = 1 + self.chance.randrange(4)
        seen: set[str] = set()
        while len(seen) < wanted and time.monotonic() < deadline and run.code is None:
            stage = next(reversed([*run.stages(0.0)]), stage)
            for _, folders, names in os.walk(checkpoints):
                seen.update(name for name in (*folders, *names) if TEMPORARY in name)
            time.sleep(0.001)
        time.sleep(self.chance.uniform(0.0, 0.02))
        return stage if seen and run.code is None else None

    def _compare(self, run: Run, stage: Stage) -> Iterator[Kill]:
        """At the start of a stage after the preparation: is what is finished as in the undisturbed job?"""
        if not self._open or not self.whole.facts[stage.name]:  # nothing is finished inside the preparation
            return
        run.send(signal.SIGSTOP)
        fault = self._difference(self.whole.facts[stage.name])
        run.send(signal.SIGCONT)
        yield from self._settle(fault)

    def _finish(self, end: str | None) -> Iterator[Kill]:
        """Run until the stage `end` begins and compare; None is the end of the job, where the bundle is verified too."""
        run = self.job.start("--resume")
        if end is not None and run.until((end,)) == end:
            yield from self._compare(run, next(stage for stage in self.whole.stages if stage.name == end))
            run.kill()
            return
        run.until(())
        fault = self._difference(self.whole.facts[None])
        if remains := litter(self.job.work):
            fault = fault or f"left {remains[:5]}"
        if run.code != 0:
            fault = f"exit code {run.code}: " + " / ".join(run.lines[-5:])
        elif not fault and not verifies(self.job.work):
            fault = "the bundle does not verify"
        yield from self._settle(fault)

    def _difference(self, expected: dict[str, str]) -> str:
        """What is not as expected, in words; empty if all is. A later stage may have run before the last kill."""
        found = finished(self.job.work)
        known = {row for facts in self.whole.facts.values() for row in facts.items()}
        different = sorted(
            name
            for name in {*found, *expected}
            if found.get(name) != expected.get(name) and (name in expected or (name, found[name]) not in known)
        )
        return f"differs in {different[:5]}" if different else ""

    def _settle(self, fault: str) -> Iterator[Kill]:
        """The kills since the last comparison, with its result."""
        for stage in self._open:
            yield Kill(self.number, stage, fault)
        self._open.clear()


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
        kills: no further job is begun after so many, those of an interrupted measurement included.
        seed: of the moments.
        cpu_seconds: no further job is begun once this process and its jobs have taken so much processor time.
        show: called with one line per kill.
        only: names of the stages in which the job is killed, `SAVING` among them; by default all.

    Raises:
        RuntimeError: the undisturbed job fails.
    """
    whole = prepare(job)
    show(f"prepared: {spent():.1f} s of processor time")
    targets: list[Target] = []
    for stage in whole.stages:
        targets.append(Target(stage))
        if stage.name in TRAININGS:
            targets.append(Target(stage, saving=True))
    targets = [target for target in targets if not only or target.name in only]
    record = job.folder / RECORD
    found = [Kill(**json.loads(line)) for line in record.read_text().splitlines()] if record.exists() else []
    number = max((kill.chain for kill in found), default=-1) + 1
    while len(found) < kills and spent() <= cpu_seconds:
        began = spent()
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - a schedule, no secret
        with record.open("a", encoding="utf-8") as file:
            for kill in Chain(job, whole, number, chance).run(targets):
                found.append(kill)
                file.write(json.dumps(vars(kill)) + "\n")
                file.flush()
                show(f"{len(found)}. {kill.stage}: {kill.fault or 'recovered'}")
        show(f"job {number}: {spent() - began:.1f} s of processor time")
        number += 1
    tallies = {name: Tally() for name in (*(stage.name for stage in whole.stages), SAVING)}
    for kill in found:
        tally = tallies[kill.stage]
        tally.killed += 1
        tally.lost += bool(kill.fault)
        tally.recovered += not kill.fault
    return tallies
