"""The task file running on the instance: detached from our connection, which may come and go."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from voicemill_rental.console import Talk
from voicemill_rental.remote import LOST, ConnectionLostError, Remote
from voicemill_rental.snapshot import Snapshot

CHUNK = 64 * 1024
TICK_SECONDS = 5.0
STOP_SECONDS = 120.0
"""For a training to write its checkpoint, as the engines have it."""
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
        code: what was sent.
        reconnect: seconds for which the connection may be away.
        poll: seconds between two attempts.
    """

    remote: Remote
    code: Snapshot
    talk: Talk
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
        self.remote.must(f"cat >{self._folder}/tasks.txt", data=tasks)
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
        self.remote.must(ALL.format(code=code, job=self._folder, environment=exports, inner=shlex.quote(inner)))

    def follow(self, on_line: Callable[[str], None], tick: Callable[[], None]) -> int:
        """Hand on its output until it ends; returns the batch's exit code. Each byte comes once, whatever breaks.

        Args:
            on_line: hears each line.
            tick: called every few seconds.

        Raises:
            ConnectionLostError: the connection was away for too long.
            NotAcceptableError: `ssh_host_key_changed`.
        """
        rest, until = b"", 0.0
        while True:
            before = self._seen
            code, said, rest = self._listen(rest, on_line, tick)
            if code == 0:
                ended = self.remote.run(f"cat {self._folder}/rc 2>/dev/null || echo {KILLED}")
                if ended.returncode == 0:
                    if rest:
                        on_line(rest.decode("utf-8", "replace"))
                    told = ended.stdout.strip()
                    return int(told) if told.isdigit() and len(told) <= 3 else KILLED
            elif code != LOST:
                raise ConnectionLostError(said)
            self.remote.judge(LOST, said.encode())
            if self._seen > before or not until:
                until = time.monotonic() + self.reconnect
                self.talk.say("The connection is gone; the tasks go on there. Trying again.")
            if time.monotonic() > until:
                raise ConnectionLostError(said)
            time.sleep(self.poll)

    def _listen(self, rest: bytes, on_line: Callable[[str], None], tick: Callable[[], None]) -> tuple[int, str, bytes]:
        """One connection's worth of output: ssh's exit code, what it said, and the beginning of a line."""
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
            said = child.stderr.read().decode("utf-8", "replace").strip()
            return child.wait(), said, rest
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
            child.stdout.close()
            child.stderr.close()

    def stop(self) -> None:
        """Let the tasks write their checkpoints and end.

        Raises:
            ConnectionLostError: nobody hears.
        """
        self.talk.say("Stopping the tasks there; a training writes its checkpoint. Ctrl-C again does not wait.")
        self.remote.must(f"kill -TERM -- -$(cat {self._folder}/pid) 2>/dev/null || true")
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            if self.remote.must(f"test -e {self._folder}/rc && echo ended || true"):
                return
            time.sleep(min(1.0, self.poll))
