"""A certified voice that really speaks, and servers on loopback, as processes and inside the test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.records import finished, measured

from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.evaluation.model import write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.training_status import write_training_status
from voicemill.verify import certificate
from voicemill.verify.checklist import verify_bundle
from voicemill.weights.allowlist import SHIPPED

APP = REPOSITORY / "apps/voice-serve/voice-serve.py"
ARTIFACTS = ("fastpitch.nemo", "hifigan.nemo", "sample.wav", "voice.onnx", "lexicon.txt")
TEXT = "Good morning, thank you for listening."
LONG = " ".join(f"This is sentence number {number} of a longer text." for number in range(1, 9))


def publish(made: Path, bundles: Path, voice: str, name: str) -> Path:
    """Promote the production bundle of `made` under a name."""
    return promote(made / "built/manifest.json", bundles, voice, name, allowlist=REPOSITORY / SHIPPED, base=made).root


def certify(root: Path) -> None:
    verification = verify_bundle(root, REPOSITORY / SHIPPED)
    assert verification.ok, [row for row in verification.rows if not row.go]
    target = certificate.certificate_path(root)
    outcome, answer = certificate.certify(verification.check, verification.demands, REPOSITORY / SHIPPED_PACKS, target)
    certificate.require(outcome, answer, "The test's bundle")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, exported: Path, model: bytes, vocoder_model: bytes) -> Path:
    """The production bundle of a tiny voice that speaks."""
    base = tmp_path_factory.mktemp("made")
    (base / "fastpitch.nemo").write_bytes(model)
    (base / "hifigan.nemo").write_bytes(vocoder_model)
    shutil.copyfile(REPOSITORY / "tests/data/serve/sample.wav", base / "sample.wav")
    for name in ("voice.onnx", "lexicon.txt"):
        shutil.copyfile(exported / name, base / name)
    write_evaluation(base / "eval.json", measured())
    status = finished(vocoder_weights_id="voicemill/base-en-small-hifigan", artifacts=ARTIFACTS)
    write_training_status(base / "status.json", status)
    build_bundle(base / "status.json", base / "eval.json", base / "built", allowlist=REPOSITORY / SHIPPED, base=base)
    return base


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """A folder of promoted voices with one certified voice, anna; tests do not change it."""
    bundles = tmp_path_factory.mktemp("serve") / "bundles"
    certify(publish(made, bundles, "anna", "Anna"))
    return bundles


@pytest.fixture
def bundles(certified: Path, tmp_path: Path) -> Path:
    """A copy of `certified` that a test may change."""
    shutil.copytree(certified, tmp_path / "bundles")
    return tmp_path / "bundles"


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    started: dict[str, object]
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.started['port']}"

    @property
    def log(self) -> list[dict[str, object]]:
        """The lines of the log so far."""
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def get(self, path: str, **arguments: object) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, **arguments)

    def post(self, path: str, body: object = None, **arguments: object) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=60, **arguments)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


Start = Callable[..., Server]


def start_server(bundles: Path, work: Path, *options: str, **environment: str) -> Server:
    argv = [sys.executable, str(APP), "--port", "0", "--bundles", str(bundles), *options]
    environ = {**os.environ, "WORK_DIR": str(work), "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    assert process.stdout is not None
    line = process.stdout.readline()
    server = Server(process, json.loads(line) if line else {})
    thread = threading.Thread(target=lambda: server.lines.extend(process.stderr or ()), daemon=True)
    thread.start()
    if not line:
        process.wait(20)
        thread.join(5)
        raise AssertionError("".join(server.lines))
    return server


def end(server: Server) -> None:
    if server.process.poll() is None:
        server.process.kill()
        server.process.wait()
    for pipe in (server.process.stdout, server.process.stderr):
        if pipe is not None:
            pipe.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers, which end with the test."""
    servers: list[Server] = []

    def run(bundles: Path, *options: str, **environment: str) -> Server:
        servers.append(start_server(bundles, tmp_path / "work", *options, **environment))
        return servers[-1]

    yield run
    for server in servers:
        end(server)


@pytest.fixture(scope="module")
def server(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of the certified voice for all tests of a module."""
    found = start_server(certified, tmp_path_factory.mktemp("server") / "work")
    yield found
    end(found)
