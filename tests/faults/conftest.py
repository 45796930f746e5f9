"""Commands that are killed or fail at the call that a test names, and the states that they start from."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from tests.records import finished, measured

from voicemill.bundle.build import build_bundle
from voicemill.bundle.packing import export_bundle
from voicemill.bundle.promote import promote
from voicemill.bundle.signing import generate_keys
from voicemill.evaluation.model import write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.training_status import write_training_status
from voicemill.weights.allowlist import SHIPPED

HERE = Path(__file__).parent
ALLOWLIST = REPOSITORY / SHIPPED
APPS = REPOSITORY / "apps"
WRITE, FSYNC, RENAME, CREATE, REMOVE, TRUNCATE, READ, OPEN = (1 << bit for bit in range(8))
"""Kinds of calls, as shim.c has them."""
CHANGES = WRITE | FSYNC | RENAME | CREATE | REMOVE | TRUNCATE
KILL, HALF, FAIL_ONCE, FAIL_FROM, SWAP = range(1, 6)
PRELOADED = (
    "click",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.serialization",
    "voicemill.lane.bundling",
    "voicemill.lane.placeholders",
    "voicemill.lane.runner",
    "voicemill.lane.statuses",
    "voicemill.lane.entry",
    "voicemill.bundle.packing",
    "voicemill.bundle.statements",
    "voicemill.console",
    "voicemill.verify.checklist",
    "voicemill.voices.archive",
)
EPOCH = "1771891200"


@dataclass(frozen=True)
class Fault:
    """What goes wrong: at the `at`th call of `kinds` on a path that ends in `suffix`.

    Without `exchange`, two names cannot change places, as on some file systems.
    """

    kinds: int = 0
    how: int = 0
    at: int = 0
    error: int = errno.EIO
    exchange: bool = True
    suffix: str = ""
    decoy: str = ""


NONE = Fault()


@dataclass(frozen=True)
class Done:
    """How a command ended; negative codes are signals. `seen` counts the calls of the fault's kinds."""

    code: int
    stdout: str
    stderr: str
    seen: int


class Driver:
    """A Python under the shim that forks a child for each command."""

    def __init__(self, folder: Path, preloaded: Sequence[str] = PRELOADED, warnings: str = "error") -> None:
        self._folder = folder
        library = folder / "shim.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, HERE / "shim.c", "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONWARNINGS": warnings}
        argv = [sys.executable, str(HERE / "driver.py"), str(REPOSITORY / "lib"), *preloaded]
        self.process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def __call__(self, below: Path, *argv: object, fault: Fault = NONE, **environment: object) -> Done:
        """Run `argv` in the folder `below`, with the fault on calls below it."""
        out = {name: self._folder / name for name in ("stdout", "stderr", "log")}
        out["log"].unlink(missing_ok=True)
        job = {
            "argv": [str(each) for each in argv],
            "cwd": str(below),
            "below": str(below.resolve()),
            "environment": {"WORK_DIR": str(below), "CACHE_DIR": str(below / "cache")}
            | {name: str(value) for name, value in environment.items()},
            "stdin": os.devnull,
            "stdout": str(out["stdout"]),
            "stderr": str(out["stderr"]),
            "fault": {**asdict(fault), "log": str(out["log"])},
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return Done(code, out["stdout"].read_text(), out["stderr"].read_text(), out["log"].stat().st_size)

    def close(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    made = Driver(tmp_path_factory.mktemp("driver"))
    yield made
    made.close()


def training(root: Path, model: bytes, commit: str) -> None:
    """What a training leaves in a work folder; `commit` tells one training from another."""
    models = root / "checkpoints/prod_tts"
    models.mkdir(parents=True, exist_ok=True)
    (models / "fastpitch.nemo").write_bytes(model)
    (models / "sample.wav").write_bytes(b"RIFF" + commit.encode() * 20 + b"WAVE")
    evaluation = measured()
    write_evaluation(root / "artifacts/prod_tts_eval.json", evaluation)
    write_training_status(
        root / "artifacts/prod_tts_train_status.json",
        finished(
            vocoder="griffin-lim",
            commit=commit * 40,
            artifacts=("checkpoints/prod_tts/fastpitch.nemo", "checkpoints/prod_tts/sample.wav"),
        ),
    )


@pytest.fixture
def empty(tmp_path: Path) -> Callable[[], Path]:
    """Makes a folder to work in, empty every time."""

    def fresh() -> Path:
        root = tmp_path / "work"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return root

    return fresh


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, model: bytes) -> Path:
    """A work folder after two trainings: the first is built, promoted, signed and exported; the second is trained."""
    from datetime import UTC, datetime

    root = tmp_path_factory.mktemp("shelf") / "work"
    moment = datetime.fromtimestamp(int(EPOCH), UTC)
    tars = {}
    for commit in ("d", "c"):  # the bundle of `d` is exported, that of `c` stays
        training(root, model, commit)
        built = build_bundle(
            root / "artifacts/prod_tts_train_status.json",
            root / "artifacts/prod_tts_eval.json",
            root / "checkpoints/prod_tts_voice_bundle",
            allowlist=ALLOWLIST,
            base=root,
        )
        voice = promote(
            built.manifest_path,
            root / "bundles",
            "anna",
            "Anna",
            allowlist=ALLOWLIST,
            base=root,
            created_at=moment,
        )
        tars[commit] = root / f"{commit}.tar"
        export_bundle(voice.root, tars[commit])
    generate_keys(root / "anna.pem", root / "anna.pub.pem")
    training(root, model, "e")
    return root


@pytest.fixture
def work(shelf: Path, tmp_path: Path) -> Callable[[], Path]:
    """A fresh copy of `shelf` for each call."""

    def fresh() -> Path:
        root = tmp_path / "work"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(shelf, root)
        return root

    return fresh


def litter(root: Path) -> list[str]:
    """What a killed command left behind."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".*") if ".voicemill-" in path.name)
