"""`TRAIN_BACKEND=local_docker`: the lane in the production image on this machine. Standard library only.

Builds the image, runs the lane and relays its report. Results go to artifacts/, checkpoints/, bundles/, datasets/ and
reports/ of the work directory, which are mounted writable; inputs are mounted read-only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from voicemill.boundary import Interrupts
from voicemill.errors import InterruptedRunError, RefusedError, StorageError
from voicemill.launch import engine, paths, relay
from voicemill.launch.engine import ContainerRun, Mount
from voicemill.protocol import Protocol
from voicemill.settings import Settings, is_demo

OUTPUTS = ("artifacts", "checkpoints", "bundles", "datasets", "reports")
"""Folders of the work directory that a lane writes."""
WORK = PurePosixPath("/work")
CACHE = PurePosixPath("/cache")
APP = PurePosixPath("/app")
ENTRY = APP / "scripts/voice/container_prod_train.py"
REPORT = "=== DOCKER PROD TRAIN REPORT ==="

INPUTS = tuple(name for name in paths.environment("read") if name != "WEIGHTS_MANIFEST_PATH")
"""Variables that name inputs: mounted read-only with the folder around them; the weights manifest has its own gate."""
RESULTS = paths.environment("write")
"""Variables that name results, with their scopes: unchanged below the work directory, else mounted writable."""
PLAIN = (
    "TRAIN_JOB_TYPE",
    "VOICE_PROFILE_ID",
    "VOICE_DISPLAY_NAME",
    "VOICEMILL_UNMARKED",
    "VOICEMILL_REQUIRE_CONSENT",
    "PROD_TTS_DRY_RUN",
    "PROD_TTS_BASE_WEIGHTS_ID",
    "PROD_TTS_MAX_STEPS",
    "PROD_TTS_PRESET",
    "PROD_TTS_RESUME",
    "PROD_TTS_DEVICES",
    "TORCH_DEVICE",
    "SOURCE_DATE_EPOCH",
)
"""Variables passed unchanged."""


@dataclass
class _Paths:
    """Translates host paths to container paths and collects the mounts."""

    work: Path
    mounts: list[Mount] = field(default_factory=list)
    inputs: int = 0
    results: int = 0

    def read_only(self, path: Path) -> str:
        absolute = path.resolve()
        around = absolute if absolute.is_dir() else absolute.parent
        target = f"/inputs/{self.inputs}"
        self.inputs += 1
        self.mounts.append(Mount(around, target))
        return target if around == absolute else f"{target}/{absolute.name}"

    def writable(self, path: Path, *, folder: bool) -> str:
        absolute = Path(os.path.abspath(path))
        if absolute.is_relative_to(self.work) and absolute.relative_to(self.work).parts[:1] in [(n,) for n in OUTPUTS]:
            return (WORK / absolute.relative_to(self.work).as_posix()).as_posix()
        around = absolute if folder else absolute.parent
        _make(around)
        target = f"/results/{self.results}"
        self.results += 1
        self.mounts.append(Mount(around.resolve(), target, writable=True))
        return target if folder else f"{target}/{absolute.name}"


def plan(settings: Settings, environ: Mapping[str, str], image: str) -> ContainerRun:
    """The container run of a lane: command, environment, mounts. Creates the folders that are mounted writable.

    Raises:
        StorageError: a folder for results cannot be created.
    """
    work = settings.workspace.work.resolve()
    translated = _Paths(work)
    for name in OUTPUTS:
        _make(work / name)
        translated.mounts.append(Mount((work / name).resolve(), f"{WORK}/{name}", writable=True))
    _make(settings.workspace.cache)
    translated.mounts.append(Mount(settings.workspace.cache.resolve(), f"{CACHE}", writable=True))
    given = {name: environ[name].strip() for name in (*PLAIN, *INPUTS, *RESULTS) if environ.get(name, "").strip()}
    inside = {name: given[name] for name in PLAIN if name in given}
    for name in INPUTS:
        # the image contains the demo and its script
        if name in given and not (name == "AUDIO_PATH" and is_demo(Path(given[name]), settings.repository)):
            inside[name] = translated.read_only(Path(given[name]))
    for name in RESULTS:
        if name in given:
            inside[name] = translated.writable(Path(given[name]), folder=RESULTS[name] == "folder")
    if settings.commit != "unknown":
        inside["PROD_TTS_COMMIT"] = settings.commit
    return ContainerRun(
        image=image,
        command=["python3", f"{ENTRY}"],
        environment=inside | {"WORK_DIR": f"{WORK}", "CACHE_DIR": f"{CACHE}"},
        mounts=translated.mounts,
        workdir=f"{WORK}",
        name=f"voicemill-prod-train-{os.getpid()}",
        user=f"{os.getuid()}:{os.getgid()}",
        gpus=settings.container.variant == "gpu",
        network=environ.get("VOICEMILL_NETWORK") or None,
    )


def run_lane(
    settings: Settings,
    environ: Mapping[str, str],
    protocol: Protocol,
    interrupts: Interrupts,
    log: relay.Log,
) -> None:
    """Build the image and run the lane in it; its protocol lines and report go to stdout.

    Args:
        settings: the environment as settings.
        environ: the environment, for variables that are passed on.
        protocol: the lines on stdout.
        interrupts: signals, forwarded to the container.
        log: the output of engine and container.

    Raises:
        RefusedError: `container_engine_unavailable`, `docker_build_failed`, `docker_run_failed`.
        InterruptedRunError: a signal ended the run.
    """
    found = engine.find(settings.repository)
    image = settings.container.image or f"voicemill:{'cuda' if settings.container.variant == 'gpu' else 'cpu'}"
    _build(settings, image, log, interrupts)
    container = plan(settings, environ, image)
    log.say(f"running {image}")
    code = _start(container.argv(found), protocol, log, interrupts)
    if code != 0 and interrupts.received is not None:
        raise InterruptedRunError(interrupts.received)
    if code != 0:
        raise run_failed(code, log)


def run_failed(code: int, log: relay.Log) -> RefusedError:
    """The error for a container that exited without a completed lane."""
    return RefusedError(
        f"The container exited with code {code}" + (", but the lane is not completed." if code == 0 else "."),
        reason="docker_run_failed",
        hint=f"The log is {log.path}; the lane's status file has the reason.",
        details={"exit_code": code, "log": log.path},
    )


def _build(settings: Settings, image: str, log: relay.Log, interrupts: Interrupts) -> None:
    log.say(f"building {image}")
    for command in engine.build_commands(
        settings.repository, settings.container.variant, image, log.path.resolve(), settings.container.dockerfile
    ):
        # build.sh appends to the log itself.
        code = relay.run(command, on_line=lambda line: log.write(f"{line}\n".encode()), interrupts=interrupts)
        if code != 0 and interrupts.received is not None:
            raise InterruptedRunError(interrupts.received)
        if code != 0:
            raise RefusedError(
                f"The image {image} could not be built.",
                reason="docker_build_failed",
                hint=f"The log is {log.path}; fix the error in its last lines and start again.",
                details={"exit_code": code, "image": image, "log": log.path},
            )


def _start(argv: list[str], protocol: Protocol, log: relay.Log, interrupts: Interrupts) -> int:
    """Run the container. The lane's own bracketed lines go to the log only; the orchestrator prints the final ones."""

    def on_line(line: str) -> None:
        if not line.startswith("[tts-prod]"):
            protocol.line(line)

    try:
        return relay.run(argv, on_line=on_line, log=log, interrupts=interrupts)
    except OSError as error:
        log.say(f"the engine could not be started: {error}")
        return 127


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.from_os_error(error, folder) from error
