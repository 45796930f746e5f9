"""Runs a child process: passes on its protocol lines, logs its output and forwards signals.

For lanes in a container or another Python: stdout carries the protocol, stderr is for people, and the tail of the log
can be shown after a failure. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from voicemill.boundary import Interrupts
from voicemill.errors import StorageError
from voicemill.locks import LANE_LOCK
from voicemill.protocol import Protocol, read_progress

TAIL_LINES = 20
TAIL_BYTES = 16 * 1024
CHUNK = 64 * 1024


@dataclass
class Log:
    """A log file with a lock, so that the lines of several writers do not mix."""

    path: Path
    handle: BinaryIO
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, data: bytes) -> None:
        """Append; on a full disk the run continues without its log."""
        with self.lock, contextlib.suppress(OSError):
            self.handle.write(data)
            self.handle.flush()

    def say(self, text: str) -> None:
        """Append a line of the launcher itself, marked with `#`."""
        self.write(f"# {text}\n".encode())

    def tail(self) -> str:
        """The last lines."""
        with self.path.open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - TAIL_BYTES))
            lines = handle.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[Log]:
    """A new log at `path`; an earlier one is replaced.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        handle = path.open("ab")  # others append to it too
    except OSError as error:
        raise StorageError.from_os_error(error, path) from error
    with handle:
        yield Log(path, handle)


def run(
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    on_error_line: Callable[[str], None] | None = None,
    log: Log | None = None,
    interrupts: Interrupts | None = None,
    environment: Mapping[str, str] | None = None,
    show: bool = True,
) -> int:
    """Run a command to its end and return its exit code (128 + n when signal n ended it).

    Args:
        argv: the command.
        on_line: called with each line of the child's stdout, without its newline.
        on_error_line: called with each line of its stderr, in another thread.
        log: receives both streams.
        interrupts: signals that arrive meanwhile are forwarded to the child.
        environment: of the child; by default that of this process. A lock that it names is passed on.
        show: copy the child's stderr to this process's stderr.

    Raises:
        OSError: the command cannot be started.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(signum: int) -> None:
        if child is None:
            early.append(signum)
        else:
            child.send_signal(signum)

    with interrupts.forwarded(forward) if interrupts else contextlib.nullcontext():
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            pass_fds=[int(environment[LANE_LOCK])] if environment and LANE_LOCK in environment else (),
            start_new_session=True,  # a terminal's Ctrl-C reaches the child once, forwarded
        )
        for signum in early:  # arrived while the child was starting
            child.send_signal(signum)
        return _wait(child, on_line, on_error_line, log, show=show)


def _wait(
    child: subprocess.Popen[bytes],
    on_line: Callable[[str], None],
    on_error_line: Callable[[str], None] | None,
    log: Log | None,
    *,
    show: bool,
) -> int:
    """Relay a running child until it exits; returns its exit code."""
    if child.stdout is None or child.stderr is None:
        raise OSError("no pipes")
    reader = threading.Thread(target=_read_errors, args=(child.stderr, log, show, on_error_line), daemon=True)
    reader.start()
    threading.Thread(target=_kill_orphans, args=(child,), daemon=True).start()
    try:
        for raw in child.stdout:
            if log:
                log.write(raw if raw.endswith(b"\n") else raw + b"\n")
            on_line(raw.decode("utf-8", "replace").rstrip("\r\n"))
        code = child.wait()
    finally:
        if child.poll() is None:  # a callback raised, or the reader of stdout has exited
            child.terminate()
            child.wait()
        child.stdout.close()
        reader.join()
        child.stderr.close()
    return code if code >= 0 else 128 - code


def _kill_orphans(child: subprocess.Popen[bytes]) -> None:
    """Kill the group of a child that was killed: its helpers would keep the pipes open."""
    child.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _read_errors(stream: BinaryIO, log: Log | None, show: bool, on_line: Callable[[str], None] | None) -> None:
    rest = b""
    while data := os.read(stream.fileno(), CHUNK):
        if log:
            log.write(data)
        if show:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.buffer.write(data)
                sys.stderr.flush()
        if on_line:
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-CHUNK:]
            for line in lines:
                on_line(line.decode("utf-8", "replace").rstrip("\r"))


class StepLines:
    """Relays the lines of one step to stdout, with its PROGRESS scaled to the step's share."""

    def __init__(self, protocol: Protocol, begun: int, until: int, total: int) -> None:
        self._protocol, self._begun, self._until, self._total = protocol, begun, until, total
        self._kept: list[str] = []
        self.reason = ""

    def out(self, line: str) -> None:
        """A line of the step's stdout."""
        kind = line.partition(" ")[0]
        steps = read_progress(line)
        if steps is not None:
            done, of = steps
            current = self._begun + (self._until - self._begun) * done // max(of, 1)
            if current > self._protocol.current and current < self._until:
                self._protocol.progress(current, self._total)
        elif kind in ("STATS", "ARTIFACT"):
            if self._protocol.current < self._until - 1 and kind == "STATS":
                self._protocol.line(line)
            else:
                self._kept.append(line)

    def error(self, line: str) -> None:
        """A line of the step's stderr; the first error line names the reason."""
        marker = "[tts-prod][error] "
        if line.startswith(marker) and not self.reason:
            self.reason = line[len(marker) :].partition(" ")[0]

    def finish(self) -> None:
        """Complete the step's share of PROGRESS, then print the lines held back for it."""
        self._protocol.progress(self._until, self._total)
        for line in self._kept:
            self._protocol.line(line)
