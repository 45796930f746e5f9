"""vast.ai in small: its HTTP API on loopback, which the vendor's real client talks to, and a real sshd as the machine."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("apps", "lib", "scripts", "locks", "docker", "configs", "run", "run-direct", ".gitignore")
KEY, TOKEN = "vast-secret-key-1", "ghp-secret-token-2"
LOOPBACK = "127.0.0.1"


def offer(number: int, dollars: float, value: float, **more: object) -> dict[str, Any]:
    """An offer as the API describes it; GPU memory in MB, price in dollars an hour."""
    row = {"gpu_name": "RTX 3090", "num_gpus": 1, "gpu_ram": 24576, "compute_cap": 860, "reliability2": 0.995}
    row |= {"reliability": 0.995, "geolocation": "Utopia, UT", "rentable": True, "verified": True, "external": False}
    return {"id": number, "ask_contract_id": number, "dph_total": dollars, "dlperf_per_dphtotal": value, **row, **more}


class Sshd:
    """A real sshd on loopback, which stands for the rented machine; its disk is `root`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "vm"
        self.root.mkdir(parents=True)
        with socket.socket() as free:
            free.bind((LOOPBACK, 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        self.keys = folder / "authorized_keys"
        self.keys.touch(mode=0o600)
        self.new_host_key()

    def new_host_key(self) -> None:
        key = self.folder / "host_key"
        for path in (key, key.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    def command(self, name: str, script: str) -> None:
        """The machine has its own idea of a command."""
        (self.folder / "bin").mkdir(exist_ok=True)
        (self.folder / "bin" / name).write_text(f"#!/bin/bash\n{script}\n")
        (self.folder / "bin" / name).chmod(0o755)

    def start(self) -> None:
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress {LOOPBACK}\nHostKey {self.folder / 'host_key'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.keys}\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f'SetEnv PATH="{path}"\nMaxStartups 100\n'
        )
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "sshd"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=log)

    def drop(self) -> None:
        """Cut every connection; the server goes on."""
        for child in self._children(self.process.pid if self.process else 0):
            for one in (child, *self._children(child)):
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
                    if Path(f"/proc/{one}/exe").resolve().name.startswith("sshd"):
                        os.kill(one, signal.SIGKILL)

    def stop(self) -> None:
        """Cut every connection and answer no more."""
        if self.process is not None:
            self.drop()
            self.process.kill()
            self.process.wait()
            self.process = None

    @staticmethod
    def _children(process: int) -> list[int]:
        with contextlib.suppress(OSError):
            return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
        return []

    def end_job(self) -> None:
        """What a destroyed machine's processes do."""
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((self.root / "workspace/job/pid").read_text()), signal.SIGKILL)


@dataclass
class Vast:
    """The API and its ledger: who was made, and what is still there."""

    sshd: Sshd
    url: str = ""
    key: str = KEY
    offers: list[dict[str, Any]] = field(default_factory=lambda: [offer(11, 0.5, 10.0), offer(12, 0.04, 400.0)])
    gone: set[int] = field(default_factory=set)
    running: dict[int, dict[str, Any]] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    starts: bool = True
    ssh_after: float = 0.0
    down: bool = False
    fail_create: bool = False
    hidden: bool = False
    deaf: int = 0
    """So many orders to destroy are answered, and not obeyed."""
    late: threading.Timer = field(default_factory=lambda: threading.Timer(0.0, lambda: None))
    answer_create: threading.Event = field(default_factory=threading.Event)
    create_asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answer_create.set()

    def call(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One request; the answer's status and document."""
        number = int(found[1]) if (found := re.search(r"/(\d+)/", path)) else 0
        if path.startswith("/api/v0/bundles/"):
            return 200, {"offers": self._search(body)}
        if method == "PUT" and path.startswith("/api/v0/asks/"):
            return self._create(number, body)
        if method == "GET" and path.startswith("/api/v1/instances/"):
            rows = [] if self.hidden else [self._seen(row) for row in self.running.values()]
            return 200, {"instances": rows, "next_token": None}
        if method == "POST" and path.endswith("/ssh/"):
            with self.sshd.keys.open("a") as keys:
                keys.write(f"{body['ssh_key']}\n")
            return 200, {"success": True}
        if method == "DELETE" and number and self.deaf:
            self.deaf -= 1
            return 200, {"success": True}
        if method == "DELETE" and number:
            if self.running.pop(number, None) is None:
                return 404, {"success": False, "msg": "no such instance"}
            self.sshd.stop()
            self.sshd.end_job()
            return 200, {"success": True}
        return 404, {"msg": "no such call"}

    def somebodys(self, **more: object) -> int:
        """An instance that another program made; its number."""
        self.running[9001] = {"id": 9001, "label": "", "dph_total": 0.25, "born": time.time(), **more}
        return 9001

    def _search(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        tests: dict[str, Callable[[Any, Any], bool]] = {
            "eq": lambda a, b: a == b, "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b,
            "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
        }  # fmt: skip
        limits = {
            name: {how: float(wanted) for how, wanted in limit.items()}
            for name, limit in query.items()
            if isinstance(limit, dict)
        }
        fits = [
            row for row in self.offers
            if all(tests[how](row[name], wanted) for name, limit in limits.items() if name in row for how, wanted in limit.items())
        ]  # fmt: skip
        for name, direction in reversed(query["order"]):
            fits.sort(key=lambda row: row[name], reverse=direction == "desc")
        return fits

    def _create(self, number: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if number in self.gone:
            return 410, {"success": False, "msg": "no_such_ask"}
        chosen = next(row for row in self.offers if row["id"] == number)
        self.create_asked.set()
        self.answer_create.wait(60)
        self.made.append(body)
        one = 7000 + len(self.made)
        self.running[one] = {"id": one, "label": body["label"], "dph_total": chosen["dph_total"], "born": time.time()}
        if self.starts:
            self.late = threading.Timer(self.ssh_after, self.sshd.start)
            self.late.start()
        if self.fail_create:
            return 500, {"msg": "the answer is lost"}
        return 200, {"success": True, "new_contract": one}

    def _seen(self, row: dict[str, Any]) -> dict[str, Any]:
        shown = {"actual_status": "running" if self.starts else "loading", "status_msg": "pulling the image"}
        reach = {"ssh_host": LOOPBACK, "ssh_port": self.sshd.port, "public_ipaddr": None, "ports": {}}
        return {**row, **shown, **reach, "gpu_name": "RTX 3090", "start_date": row["born"], "extra_env": []}


class Handler(BaseHTTPRequestHandler):
    vast: Vast

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        self.vast.requests.append(f"{self.command} {self.path}")
        if self.vast.down:
            status, document = 500, {"msg": "out of order"}
        elif self.headers.get("Authorization") != f"Bearer {self.vast.key}":
            status, document = 401, {"msg": "Invalid user key"}
        else:
            status, document = self.vast.call(self.command, self.path, body)
        data = json.dumps(document).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="session")
def client() -> Path:
    """The vendor's client, set up as scripts/vast.sh does it."""
    venv = os.environ.get("VOICEMILL_VAST_VENV", str(ROOT / ".venv-vast"))
    done = subprocess.run(
        ["bash", "-euc", '. scripts/vast-client.sh; vast_client "$PWD" "$1"', "client", sys.executable],
        cwd=ROOT,
        env={**os.environ, "VOICEMILL_VAST_VENV": venv},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        _missing(f"vast.ai's client cannot be installed: {done.stderr[-300:]}")
    return Path(venv)


def _missing(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{why}; CI installs it (.ci/run)")
    pytest.skip(why)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if not shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or not shutil.which("rsync"):
        _missing("sshd or rsync is missing (Debian: apt-get install openssh-server rsync)")
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        pytest.skip("this user has no line in /etc/passwd, so sshd cannot log in")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where Debian's sshd wants to be empty
    server = Sshd(tmp_path / "machine")
    yield server
    server.stop()
    server.end_job()


@pytest.fixture
def vast(sshd: Sshd) -> Iterator[Vast]:
    vast = Vast(sshd)
    server = ThreadingHTTPServer((LOOPBACK, 0), type("Bound", (Handler,), {"vast": vast}))
    vast.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield vast
    vast.answer_create.set()
    vast.late.cancel()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one commit of what is here now, in a folder whose name is no plain word."""
    root = tmp_path_factory.mktemp("vast") / "check out ä,b"
    root.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.nemo"))
        else:
            shutil.copy2(ROOT / part, root / part)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A commit"]):
        subprocess.run([*git, *command], check=True)
    return root


class Person:
    """Someone at a desk with a checkout, a key and the vendor's client."""

    def __init__(self, checkout: Path, home: Path, vast: Vast, client: Path) -> None:
        self.checkout, self.home, self.state = checkout, home, home / "state" / "voicemill"
        key = home / "id test"
        home.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        base = {n: v for n, v in os.environ.items() if not n.startswith(("VAST_", "VOICEMILL_", "TOOLBOX_", "GHCR_"))}
        self.environment = base | {
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "VOICEMILL_PYTHON": sys.executable,
            "VOICEMILL_VAST_VENV": str(client),
            "VAST_URL": vast.url,
            "VAST_API_KEY": KEY,
            "GHCR_TOKEN": TOKEN,
            "VAST_IMAGE": "registry.example/me/voicemill:cuda",
            "VAST_SSH_KEY": str(key),
            "VAST_SSH_USER": getpass.getuser(),
            "VAST_REMOTE_ROOT": str(vast.sshd.root),
            "VAST_WAIT_SECONDS": "60",
            "VAST_RECONNECT_SECONDS": "20",
            "VAST_POLL_SECONDS": "0.1",
            "LC_ALL": "C.UTF-8",
            "WORK_DIR": str(home / "work"),
        }
        self.log = home / "stderr"

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL, **environment: str) -> subprocess.Popen[str]:
        """Begin a command; what it says on stderr lies in `log`."""
        with self.log.open("w") as log:
            return subprocess.Popen(
                ["bash", str(self.checkout / "scripts/vast.sh"), *arguments],
                cwd=self.checkout,
                env={**self.environment, **environment},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """A whole command: exit code, stdout, stderr."""
        process = self.start(*arguments, **environment)
        out, _ = process.communicate(timeout=120)
        said = self.log.read_text()
        assert "Traceback" not in said, said
        return process.returncode, out, said

    def tasks(self, text: str) -> str:
        """A task file; its path."""
        path = self.home / "jobs.txt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def until(self, text: str) -> None:
        """Wait until it is said."""
        end = time.monotonic() + 60
        while text not in self.log.read_text():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def report(self, out: str) -> dict[str, Any]:
        """rental.json of a run."""
        (path,) = [line.removeprefix("ARTIFACT ") for line in out.splitlines() if line.startswith("ARTIFACT ")]
        found: dict[str, Any] = json.loads((self.checkout / path).read_text(encoding="utf-8"))
        return found

    @property
    def leases(self) -> list[Path]:
        return sorted(self.state.glob("leases/*"))


@pytest.fixture
def person(checkout: Path, tmp_path: Path, vast: Vast, client: Path) -> Person:
    return Person(checkout, tmp_path / "home", vast, client)
