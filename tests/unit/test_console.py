from __future__ import annotations

import errno
import os
import signal

import click
import pytest

from voicemill import console
from voicemill.errors import DatasetError, InterruptedRunError, NotAcceptableError, RefusedError, StorageError


@click.command()
@click.option("--fail", type=click.Choice(["refused", "blocked", "bad", "none", "three", "os"]), default="none")
def tool(fail: str) -> int:
    """A tool for the tests."""
    errors = {
        "refused": RefusedError("No.", reason="no", hint="Do."),
        "blocked": DatasetError("No text.", reason="missing_transcript:a"),
        "bad": NotAcceptableError("Poor.", reason="poor"),
        "os": PermissionError(13, "Permission denied", "work/x"),
    }
    if fail in errors:
        raise errors[fail]
    return 3 if fail == "three" else 0


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ([], 0),
        (["--help"], 0),
        (["--fail", "three"], 3),
        (["--fail", "refused"], 1),
        (["--fail", "blocked"], 2),
        (["--fail", "bad"], 3),
        (["--fail", "os"], 2),
        (["--nonsense"], 1),
        (["--fail", "unheard"], 1),
    ],
)
def test_exit_codes(argv: list[str], code: int) -> None:
    assert console.run(tool, argv) == code


def test_a_failure_is_a_reason_a_sentence_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    console.run(tool, ["--fail", "refused"])
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err == "[tts-prod][error] no\nNo.\nDo.\n"
    console.run(tool, ["--fail", "refused"], program="voice-prep")
    assert capsys.readouterr().err == "[voice-prep][error] no\nNo.\nDo.\n"


def test_signals_raise_at_once_or_wait_for_work_that_can_stop() -> None:
    with console.Interrupts() as interrupts:
        with pytest.raises(InterruptedRunError) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.exit_code == 143
        interrupts.received = None
        reached = False

        def work() -> None:
            nonlocal reached
            with interrupts.cooperative():
                os.kill(os.getpid(), signal.SIGINT)
                reached = interrupts.should_stop()

        with pytest.raises(InterruptedRunError) as caught:
            work()
        assert reached
        assert caught.value.exit_code == 130


@pytest.mark.parametrize("program", ["voice-prep", "voice-verify"])
def test_programs_without_resume_do_not_name_it(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    @click.option("--full", is_flag=True)
    def command(full: bool) -> None:
        raise StorageError.from_os_error(OSError(errno.ENOSPC, ""), "a") if full else InterruptedRunError()

    assert console.run(command, [], program=program) == 130
    assert console.run(command, ["--full"], program=program) == 2
    printed = capsys.readouterr().err
    assert "Run the same command." in printed
    assert "start again." in printed
    assert "resume" not in printed
