"""A real engine, a base image, the CPU image, a copy of the checkout with an awkward name, and a caller who is not root.

In CI (CI is set) whatever is missing is a failure; elsewhere the suite skips and says why.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 23456
"""A number that has no line in any passwd file."""
OURS = ("TOOLBOX_", "VOICEMILL_", "WORK_DIR", "CACHE_DIR", "PROD_TTS_", "TRAIN_", "AUDIO_PATH", "COMPOSE_")
SENTENCES = 24


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("docker")


def give_up(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"CI must run the container tests: {why}")
    pytest.skip(why)


def bash(script: str, environment: Mapping[str, str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script], env=dict(environment), cwd=cwd, capture_output=True, text=True, check=False
    )


def assignments(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.fixture(scope="session")
def engine() -> Iterator[dict[str, str]]:
    """The environment in which a Docker engine answers; our own daemon where none runs, ended by its own id."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    base |= {name: value for name, value in os.environ.items() if name == "VOICEMILL_NETWORK"}
    if bash("TOOLBOX_RUNTIME=docker; . docker/engine.sh && find_engine && find_builder", base).returncode == 0:
        yield base
        return
    started = bash("docker/own-engine.sh start", base)
    if started.returncode != 0:
        give_up(started.stderr.strip())
    base |= assignments(started.stdout)
    try:
        checked = bash("TOOLBOX_RUNTIME=docker; . docker/engine.sh && find_engine && find_builder", base)
        if checked.returncode != 0:
            give_up(checked.stderr.strip())
        yield base
    finally:
        if "VOICEMILL_ENGINE_STARTED" in base:
            bash("docker/own-engine.sh stop", base)


@pytest.fixture(scope="session")
def building(engine: dict[str, str]) -> dict[str, str]:
    """The environment in which images can be built: Python's own base image, or ours where no registry is in reach."""
    given = {name: value for name, value in os.environ.items() if name.endswith("_IMAGE") and name.startswith("VOICE")}
    if "VOICEMILL_BASE_IMAGE" in given:
        return engine | given
    public = "python:3.11-slim-bookworm"
    here = bash(f"docker image inspect {public} || timeout 120 docker pull --quiet {public}", engine)
    if here.returncode == 0:
        return engine
    made = bash("docker/offline-base.sh", engine)
    if made.returncode != 0:
        give_up(f"{public} cannot be pulled, and no base could be made: {made.stderr.strip()}")
    return engine | assignments(made.stdout)


@dataclass
class Checkout:
    """A copy of what git would clone, its owner, and ways to start things in it."""

    root: Path
    environment: dict[str, str]
    uid: int
    groups: tuple[int, ...]
    commit: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def argv(self, *argv: str) -> list[str]:
        """The command as the owner starts it."""
        if self.uid == os.getuid():
            return list(argv)
        who = ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid)]
        groups = ",".join(map(str, self.groups))
        return [*who, *(["--groups", groups] if groups else ["--clear-groups"]), "--", *argv]

    def start(
        self, *argv: str, cwd: Path | None = None, stdin: int = subprocess.DEVNULL, **more: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*argv),
            cwd=cwd or self.root,
            env=self.environment | self.extra | more,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *argv: str, cwd: Path | None = None, timeout: float = 800, **more: str
    ) -> subprocess.CompletedProcess[str]:
        with self.start(*argv, cwd=cwd, **more) as child:
            out, err = child.communicate(timeout=timeout)
        return subprocess.CompletedProcess(argv, child.returncode, out, err)

    def own(self, path: Path) -> None:
        """Hand a folder that a test made to the owner."""
        for each in (path, *path.rglob("*")):
            os.lchown(each, self.uid, self.uid)


def copy_of_sources(target: Path) -> None:
    """The files that git tracks or would track, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.fail("the tests need a git checkout to copy")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that another user can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="voicemill-docker-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def checkout(building: dict[str, str], place: Path) -> Checkout:
    root = place / "voice mill, ü: one"
    root.mkdir()
    copy_of_sources(root)
    groups: tuple[int, ...] = ()
    uid = os.getuid()
    if uid == 0:
        uid = NOBODY
        socket = Path(building.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
        gid = socket.stat().st_gid
        if not gid or not socket.stat().st_mode & stat.S_IWGRP:
            os.chown(socket, 0, NOBODY)  # a socket of root alone: only our own daemon's is like that
            gid = NOBODY
        groups = (gid,)
    os.chown(place, uid, uid)
    home = place / "home"
    home.mkdir()
    made = Checkout(root, building | {"HOME": str(home)}, uid, groups)
    made.own(root)
    made.own(home)
    git = 'git init -q . && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm "as tested"'
    assert made.run("bash", "-c", git).returncode == 0
    made.commit = made.run("git", "rev-parse", "HEAD").stdout.strip()
    return made


@pytest.fixture(scope="session")
def image(checkout: Checkout) -> str:
    """The CPU image, built as a user builds it."""
    log = checkout.root.parent / "build.log"
    built = checkout.run("docker/build.sh", "cpu", "--log", str(log), timeout=3000)  # downloads and compiles
    assert built.returncode == 0, built.stderr + log.read_text()[-3000:]
    assert built.stdout == ""
    return "voicemill:cpu"


COMPOSE_2 = """set -eu
# Debian 13's package of Compose 2, unpacked into the folder $1; this system's packages stay as they are.
if [ ! -x "$1/cli-plugins/docker-compose" ]; then
  mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial"
  mirror="$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)"
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$key] ${mirror:-http://deb.debian.org/debian} trixie main" > "$1/apt/sources.list"
  apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$1/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$1/apt/lists" \
      -o Dir::Cache="$1/apt" -o APT::Sandbox::User=root "$2" ${3:+"$3"}
  }
  apt "$1" update
  (cd "$1/apt" && apt "$1" download docker-compose && dpkg -x docker-compose_*.deb root)
  mkdir -p "$1/cli-plugins"
  cp "$1/apt/root/usr/libexec/docker/cli-plugins/docker-compose" "$1/cli-plugins/"
  rm -r "$1/apt"
fi
"""


@dataclass(frozen=True)
class Compose:
    """A client of Compose: its command, and what it adds to the environment."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def __call__(
        self, root: Path, environment: Mapping[str, str], *argv: str, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *argv], cwd=root, env={**environment, **self.environment}, capture_output=True, text=True,
            check=False, timeout=timeout,
        )  # fmt: skip


@pytest.fixture(scope="session", params=["Compose 1", "Compose 2"])
def compose(request: pytest.FixtureRequest, engine: dict[str, str]) -> Compose:
    """`docker-compose` 1.29 of Debian 12, and `docker compose`: the machine's own, else Debian 13's package."""
    if request.param == "Compose 1":
        return Compose(("docker-compose",), {})
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "voicemill/compose-2"
    own = {} if bash("docker compose version", engine).returncode == 0 else {"DOCKER_CONFIG": str(cache)}
    if own:
        fetched = subprocess.run(["sh", "-c", COMPOSE_2, "sh", cache], capture_output=True, text=True, check=False)
        if fetched.returncode != 0 or bash("docker compose version", engine | own).returncode != 0:
            pytest.skip(f"no Compose 2: {fetched.stderr.strip()[-300:]}")
    return Compose(("docker", "compose"), own)


@pytest.fixture(scope="session")
def take(checkout: Checkout, place: Path) -> Path:
    """The first sentences of the demo, cut in the pause after them, text beside it; outside the checkout, oddly named."""
    from voicemill.audio.decode import decode, read_mono, resample
    from voicemill.audio.vad import speech_spans

    folder = place / "takes: a, b"
    folder.mkdir()
    script = folder / "-take ü, one.txt"
    lines = (ROOT / "data/demo/script.txt").read_text(encoding="utf-8").splitlines()[:SENTENCES]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    wav, audio = place / "all.wav", script.with_suffix(".wav")
    decode(ROOT / "data/demo/demo.flac", wav, sample_rate=22050, start=0.0, end=150.0)
    samples, rate = read_mono(wav)
    spans = speech_spans(resample(samples, rate, 16000))
    pauses = [(one.end, two.start) for one, two in itertools.pairwise(spans) if two.start - one.end > 0.4]
    end = sum(pauses[SENTENCES - 1]) / 2
    decode(ROOT / "data/demo/demo.flac", audio, sample_rate=44100, start=0.0, end=end)
    checkout.own(folder)
    return audio


def steps(log: str) -> dict[str, bool]:
    """Of a BuildKit log: each step's text, and whether it came from the cache."""
    names: dict[str, str] = {}
    cached: dict[str, bool] = {}
    for line in log.splitlines():
        if found := re.match(r"#(\d+) \[(?!internal)(.*)", line):
            names[found[1]] = found[2]
            cached.setdefault(found[1], False)
        elif found := re.match(r"#(\d+) CACHED", line):
            cached[found[1]] = True
    return {names[number]: cached.get(number, False) for number in names}


def step(log: str, part: str) -> bool:
    """Whether the one step with this text was taken from the cache."""
    found = [was for name, was in steps(log).items() if part in name]
    assert len(found) == 1, (part, steps(log))
    return found[0]


def files_below(folder: Path) -> Sequence[Path]:
    return [folder, *folder.rglob("*")]
