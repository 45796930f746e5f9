"""A real Ray cluster of two nodes on loopback, for tests, and code that runs on it in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from voicemill.settings import REPOSITORY

CLUSTER = """
import json
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80_000_000})
cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
nodes = [cluster.head_node, *cluster.worker_nodes]
pids = [[info.process.pid for infos in node.all_processes.values() for info in infos] for node in nodes]
print(json.dumps([cluster.address, *pids]), flush=True)
sys.stdin.read()
"""


class Cluster:
    """Two nodes of one CPU each.

    Attributes:
        address: of the head node.
        head, other: process ids of each node.
        environment: of what runs on it.
    """

    def __init__(self, folder: Path, modules: Mapping[str, str]) -> None:
        self._folder = folder
        for name, code in ({"cluster": CLUSTER} | dict(modules)).items():
            (folder / f"{name}.py").write_text(code)
        self.environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # or Ray puts this machine's own address for 127.0.0.1
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_TMPDIR": str(folder),
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
        }
        (folder / "ray").mkdir()
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(folder / "cluster.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (folder / "log").read_text()
        self.address, self.head, self.other = json.loads(line)

    def end(self) -> None:
        """Kill everything that belongs to it."""
        for pid in {*_family(self._process.pid), *(pid for one in (*self.head, *self.other) for pid in _family(one))}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.communicate()

    def drive(self, *arguments: object) -> Any:
        """Run a function of the module `driver` in a process of its own; what it printed as JSON."""
        paths = json.dumps([str(self._folder), str(REPOSITORY / "lib")])
        argv = [sys.executable, "-W", "error", str(self._folder / "driver.py"), paths, *map(str, arguments)]
        done = subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, timeout=600, check=False, cwd=self._folder
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # nothing but our line


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += _family(int(child))
    return found


@contextlib.contextmanager
def two_nodes(**modules: str) -> Iterator[Cluster]:
    """A cluster, and modules by name that lie where its driver finds them; none of it is left.

    Skips the test where Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    folder = Path(tempfile.mkdtemp(prefix="vm-ray-"))  # short: the names of its sockets have at most 107 characters
    started = Cluster(folder, modules)
    try:
        yield started
    finally:
        started.end()
        shutil.rmtree(folder, ignore_errors=True)
