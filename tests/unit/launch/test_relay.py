from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from voicemill.boundary import Interrupts
from voicemill.errors import StorageError
from voicemill.launch import relay
from voicemill.protocol import Protocol


def child(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", f"import os, signal, sys, time\n{code}"]


def test_lines_stderr_log_and_exit_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    errors: list[str] = []
    code = "print('one'); sys.stdout.write('two\\nthree'); sys.stderr.write('a\\nb'); sys.exit(3)"
    with relay.open_log(tmp_path / "logs/run.log") as log:
        log.say("begun")
        assert relay.run(child(code), on_line=lines.append, on_error_line=errors.append, log=log) == 3
    assert lines == ["one", "two", "three"]
    assert errors == ["a"], "a last line without an end is not one yet"
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "a\nb")
    written = (tmp_path / "logs/run.log").read_text()
    assert written.startswith("# begun\n")
    for said in ("one", "two", "three", "a\nb"):
        assert said in written


def test_a_child_that_is_killed_ends_as_shells_say() -> None:
    assert relay.run(child("os.kill(os.getpid(), signal.SIGKILL)"), on_line=print) == 137


def test_signals_go_to_the_child_once_and_are_remembered() -> None:
    code = (
        "got = []\n"
        "signal.signal(signal.SIGTERM, lambda *a: got.append(1))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.1); print(len(got)); sys.exit(143)"
    )
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "ready":
            os.kill(os.getpid(), signal.SIGTERM)

    with Interrupts() as interrupts:
        assert relay.run(child(code), on_line=on_line, interrupts=interrupts) == 143
        assert interrupts.received == signal.SIGTERM
    assert lines == ["ready", "1"]


def test_a_signal_while_the_child_is_started_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(relay.subprocess, "Popen", Interrupted)
    with Interrupts() as interrupts:
        assert relay.run(child("time.sleep(60)"), on_line=print, interrupts=interrupts) == 143
        assert interrupts.received == signal.SIGTERM


def test_a_child_does_not_outlive_a_reader_that_has_gone(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def gone(line: str) -> None:
        raise BrokenPipeError

    endless = f"open({str(pid)!r}, 'w').write(str(os.getpid())); print('x', flush=True); time.sleep(60)"
    with pytest.raises(BrokenPipeError):
        relay.run(child(endless), on_line=gone)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert threading.active_count() < 5


def ended(process: int) -> bool:
    """It ends within a minute: a signal that was sent is obeyed when the system gives the process its turn."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    with os.fdopen(descriptor, "rb", buffering=0) as handle:
        return bool(select.select([handle], [], [], 60.0)[0])


def test_helpers_of_a_child_that_was_killed_end_with_it() -> None:
    code = (
        "helper = os.fork()\n"
        "if helper == 0: time.sleep(600)\n"
        "print(helper, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    lines: list[str] = []
    assert relay.run(child(code), on_line=lines.append) == 137
    assert ended(int(lines[0]))


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    with relay.open_log(tmp_path / "log") as log:
        log.write(b"".join(b"line %d \xff\n" % number for number in range(9000)))
        tail = log.tail().splitlines()
    assert len(tail) == relay.TAIL_LINES
    assert tail[-1].startswith("line 8999")


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught, relay.open_log(tmp_path / "file/log"):
        pass
    assert caught.value.code == "not_writable"


def test_a_line_that_only_looks_like_progress_is_no_progress() -> None:
    out = io.StringIO()
    lines = relay.StepLines(Protocol(out), 0, 10, 10)
    for line in ("PROGRESS ² 4", "PROGRESS 2 4"):
        lines.out(line)
    assert out.getvalue() == "PROGRESS 5 10\n"
