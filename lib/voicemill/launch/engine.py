"""The container engine, through the project's own shell scripts: one way to find it, one way to build an image.

Standard library only. `docker/engine.sh` looks for Docker or Podman, `docker/build.sh` builds; what is started here is
the run itself, as one argument list.
"""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicemill.errors import RefusedError

FIND = 'cd "$1" && . docker/engine.sh && find_engine && printf "%s\\n%s\\n" "$ENGINE" "${ENGINE_ROOTLESS:-}"'


@dataclass(frozen=True)
class Engine:
    """A container engine that answers.

    Attributes:
        command: `docker` or `podman`.
        rootless: root inside a container is the calling user outside.
    """

    command: str
    rootless: bool = False


@dataclass(frozen=True)
class Mount:
    """A path of the host inside the container."""

    source: Path
    target: str
    writable: bool = False

    @property
    def option(self) -> str:
        """`--mount`'s value; it is read as CSV, so a comma in a path is quoted."""
        line = io.StringIO()
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        csv.writer(line, lineterminator="").writerow(fields if self.writable else [*fields, "readonly"])
        return line.getvalue()


@dataclass(frozen=True)
class ContainerRun:
    """One run of an image: what to run, with which environment, paths, user and devices."""

    image: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    workdir: str = "/work"
    name: str | None = None
    user: str | None = None
    gpus: bool = False
    network: str | None = None

    def argv(self, engine: Engine) -> list[str]:
        """The command line; the container is removed when it ends."""
        argv = [engine.command, "run", "--rm", "--workdir", self.workdir]
        argv += ["--name", self.name] if self.name else []
        argv += self._owner(engine)
        argv += ["--network", self.network] if self.network else []
        # Processes share batches in /dev/shm, whose default is 64 MB; a stopped run has time for its checkpoint.
        argv += ["--shm-size", "1gb", "--stop-timeout", "120"]
        if self.gpus:
            argv += ["--device", "nvidia.com/gpu=all"] if engine.command == "podman" else ["--gpus", "all"]
        for mount in self.mounts:
            argv += ["--mount", mount.option]
        for name in sorted(self.environment):
            argv += ["--env", f"{name}={self.environment[name]}"]
        return [*argv, self.image, *self.command]

    def _owner(self, engine: Engine) -> list[str]:
        """Results belong to the caller; Podman keeps the caller's number, in a rootless engine root is the caller."""
        if engine.command == "podman":
            return ["--userns=keep-id", "--security-opt", "label=disable"]
        if engine.rootless:
            return ["--user", "0:0"]
        return ["--user", self.user] if self.user else []


def find(repository: Path) -> Engine:
    """The engine that answers.

    Raises:
        RefusedError: `container_engine_unavailable`, with the one sentence of docker/engine.sh.
    """
    found = subprocess.run(
        ["bash", "-c", FIND, "find-engine", str(repository)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = found.stdout.splitlines()
    if found.returncode != 0 or not lines:
        said = " ".join(found.stderr.split()) or "No container engine answers."
        raise RefusedError(
            said,
            reason="container_engine_unavailable",
            hint="Start or install one, or use TRAIN_BACKEND=local, which runs on this machine's Python.",
        )
    return Engine(lines[0], rootless=lines[1:2] == ["1"])


def build_commands(repository: Path, variant: str, tag: str, log: Path, dockerfile: Path | None) -> list[list[str]]:
    """The command lines that build an image of `variant`: on a GPU the heavy base first, which is mostly cached."""
    build = ["bash", str(repository / "docker" / "build.sh")]
    given = ["--file", str(dockerfile)] if dockerfile else []
    image = [*build, "cuda" if variant == "gpu" else "cpu", "--tag", tag, "--log", str(log), *given]
    if variant == "gpu" and not dockerfile:
        return [[*build, "cuda-base", "--log", str(log)], image]
    return [image]
