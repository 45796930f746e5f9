"""A task file that runs on the instance, detached from the connection."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from voicemill_rental.console import Console
from voicemill_rental.remote import LOST, ConnectionLostError, Remote
from voicemill_rental.snapshot import Snapshot

CHUNK = 64 * 1024
TICK_SECONDS = 5.0
STOP_SECONDS = 120.0
"""Time for a training to write its checkpoint; the container engines use the same."""
ALL = """set -e
cd {code}
rm -f {job}/rc {job}/pid
{environment}
setsid bash -c {inner} >{job}/output 2>&1 </dev/null &
until [ -s {job}/pid ]; do
  if ! kill -0 $! 2>/dev/null && ! [ -s {job}/pid ]; then echo "the tasks did not start" >&2; exit 1; fi
  sleep 0.05
done
"""
INNER = """trap : TERM INT
echo $$ >{job}/pid.new && mv {job}/pid.new {job}/pid
bash scripts/batch.sh {job}/tasks.txt {options}
echo $? >{job}/rc.new && mv {job}/rc.new {job}/rc
"""
FOLLOW = "tail -c +{start} -f -s 0.2 --pid=$(cat {job}/pid) {job}/output"
KILLED = 137


@dataclass
class Job:
    """A batch on the instance.

    Attributes:
        remote: the instance, with the code on it.
        code: the code that was sent.
        reconnect: seconds for which the connection may be lost.
        poll: seconds between two attempts to reconnect.
    """

    remote: Remote
    code: Snapshot
    console: Console
    reconnect: float
    poll: float
    _seen: int = field(default=0, init=False)

    @property
    def _folder(self) -> str:
        return shlex.quote(self.remote.layout.job)

    def start(self, tasks: bytes, *, parallel: int, fail_fast: bool) -> None:
        """Send the task file and start it.

        Raises:
            ConnectionLostError: it may or may not have started.
        """
        layout = self.remote.layout
        self.remote.run_checked(f"cat >{self._folder}/tasks.txt", data=tasks)
        environment = {
            "VOICEMILL_IN_IMAGE": "1",
            "TOOLBOX_RUNTIME": "direct",
            "WORK_DIR": layout.work,
            "CACHE_DIR": layout.cache,
            "HF_HOME": f"{layout.cache}/huggingface",
            "TORCH_HOME": f"{layout.cache}/torch",
            "VOICEMILL_COMMIT": self.code.recorded,
        }
        options = f"--parallel {parallel}{' --fail-fast' if fail_fast else ''}"
        inner = INNER.format(job=self._folder, options=options)
        exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
        code = shlex.quote(layout.code)
        self.remote.run_checked(ALL.format(code=code, job=self._folder, environment=exports, inner=shlex.quote(inner)))

    def follow(self, on_line: Callable[[str], None], tick: Callable[[], None]) -> int:
        """Pass on the output, each byte once, until the batch ends; returns the exit code of the batch.

        Args:
            on_line: called with each line.
            tick: called every few seconds.

        Raises:
            ConnectionLostError: the connection was lost for too long.
            NotAcceptableError: `ssh_host_key_changed`.
        """
        rest, until = b"", 0.0
        while True:
            before = self._seen
            code, error, rest = self._read_output(rest, on_line, tick)
            if code == 0:
                ended = self.remote.run(f"cat {self._folder}/rc 2>/dev/null || echo {KILLED}")
                if ended.returncode == 0:
                    if rest:
                        on_line(rest.decode("utf-8", "replace"))
                    status = ended.stdout.strip()
                    return int(status) if status.isdigit() and len(status) <= 3 else KILLED
            elif code != LOST:
                raise ConnectionLostError(error)
            self.remote.check_host_key(LOST, error.encode())
            if self._seen > before or not until:
                until = time.monotonic() + self.reconnect
                self.console.info("The connection is lost; the tasks continue on the rented machine. Reconnecting.")
            if time.monotonic() > until:
                raise ConnectionLostError(error)
            time.sleep(self.poll)

    def _read_output(
        self, rest: bytes, on_line: Callable[[str], None], tick: Callable[[], None]
    ) -> tuple[int, str, bytes]:
        """Read the output of one connection: ssh's exit code, its error output, and an incomplete last line."""
        child = subprocess.Popen(
            [*self.remote.ssh, FOLLOW.format(start=self._seen + 1, job=self._folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self.remote.environment),
            start_new_session=True,
        )
        if child.stdout is None or child.stderr is None:
            raise OSError("no pipes")
        try:
            source = child.stdout.fileno()
            while True:
                ready, _, _ = select.select([source], [], [], TICK_SECONDS)
                tick()
                if not ready:
                    continue
                data = os.read(source, CHUNK)
                if not data:
                    break
                self._seen += len(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    on_line(line.decode("utf-8", "replace").rstrip("\r"))
            error = child.stderr.read().decode("utf-8", "replace").strip()
            return child.wait(), error, rest
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
            child.stdout.close()
            child.stderr.close()

    def stop(self) -> None:
        """Stop the tasks after they have written their checkpoints.

        Raises:
            ConnectionLostError: the connection failed.
        """
        self.console.info(
            "Stopping the tasks; a training writes its checkpoint first. Press Ctrl-C again to stop waiting."
        )
        self.remote.run_checked(f"kill -TERM -- -$(cat {self._folder}/pid) 2>/dev/null || true")
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            if self.remote.run_checked(f"test -e {self._folder}/rc && echo ended || true"):
                return
            time.sleep(min(1.0, self.poll))
