"""The container engine: finding it, building images and the command line of a run.

Standard library only. `docker/engine.sh` finds Docker or Podman and `docker/build.sh` builds, as for `run`.
"""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicemill.errors import RefusedError

FIND = 'cd "$1" && . docker/engine.sh && find_engine && printf "%s\\n" "$ENGINE" "$ENGINE_ROOTLESS" "$ENGINE_SELINUX"'


WRITABLE = ("--read-only", "--mount", "type=volume,target=/tmp", "--tmpfs", "/home/voicemill:mode=1777")
"""A container writes to its mounts, /tmp and its home folder alone, as `write_options` of docker/engine.sh has it."""


@dataclass(frozen=True)
class Engine:
    """A container engine that responds.

    Attributes:
        command: `docker` or `podman`.
        rootless: root inside a container is the calling user outside.
        selinux: SELinux confines containers.
    """

    command: str
    rootless: bool = False
    selinux: bool = False


@dataclass(frozen=True)
class Mount:
    """A bind mount of a host path in the container."""

    source: Path
    target: str
    writable: bool = False

    @property
    def option(self) -> str:
        """The value of `--mount`, quoted as CSV."""
        line = io.StringIO()
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        csv.writer(line, lineterminator="").writerow(fields if self.writable else [*fields, "readonly"])
        return line.getvalue()


@dataclass(frozen=True)
class ContainerRun:
    """One run of an image: command, environment, mounts, user and devices."""

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
        """The command line; the container is removed when it exits."""
        argv = [engine.command, "run", "--rm", "--workdir", self.workdir]
        argv += ["--name", self.name] if self.name else []
        argv += self._owner(engine)
        argv += WRITABLE
        argv += ["--network", self.network] if self.network else []
        # Processes share batches in /dev/shm (default 64 MB). A stopped run needs time to write its checkpoint.
        argv += ["--shm-size", "1gb", "--stop-timeout", "120"]
        if self.gpus:
            argv += ["--device", "nvidia.com/gpu=all"] if engine.command == "podman" else ["--gpus", "all"]
        for mount in self.mounts:
            argv += ["--mount", mount.option]
        for name in sorted(self.environment):
            argv += ["--env", f"{name}={self.environment[name]}"]
        return [*argv, self.image, *self.command]

    def _owner(self, engine: Engine) -> list[str]:
        """User options so that results belong to the caller, as `user_options` of docker/engine.sh has them."""
        if engine.command == "podman" and engine.rootless:
            owner = ["--userns=keep-id"]
        elif engine.rootless:
            owner = ["--user", "0:0"]
        else:
            owner = ["--user", self.user] if self.user else []
        confined = engine.command == "podman" or engine.selinux
        return [*owner, "--security-opt", "label=disable"] if confined else owner


def find(repository: Path) -> Engine:
    """The first engine that responds.

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
        message = " ".join(found.stderr.split()) or "No container engine responds."
        raise RefusedError(
            message,
            reason="container_engine_unavailable",
            hint="Start or install one, or use TRAIN_BACKEND=local, which runs on this machine's Python.",
        )
    return Engine(lines[0], rootless=lines[1:2] == ["1"], selinux=lines[2:3] == ["1"])


def build_commands(repository: Path, variant: str, tag: str, log: Path, dockerfile: Path | None) -> list[list[str]]:
    """The command lines that build an image of `variant`; the GPU image needs its base image first."""
    build = ["bash", str(repository / "docker" / "build.sh")]
    given = ["--file", str(dockerfile)] if dockerfile else []
    image = [*build, "cuda" if variant == "gpu" else "cpu", "--tag", tag, "--log", str(log), *given]
    if variant == "gpu" and not dockerfile:
        return [[*build, "cuda-base", "--log", str(log)], image]
    return [image]
