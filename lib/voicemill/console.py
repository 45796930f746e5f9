"""Runs a click command as a process: its error messages and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import click

from voicemill import path_names
from voicemill.boundary import LANE, OPTION, Interrupts, fail, guarded
from voicemill.errors import VoicemillError
from voicemill.terminal import Terminal

__all__ = ["Interrupts", "Terminal", "run"]


def run(
    command: click.Command,
    argv: Sequence[str] | None = None,
    *,
    program: str = LANE,
    on_error: Callable[[VoicemillError], None] | None = None,
) -> int:
    """Run a click command and return the process exit code of operator contract section 4.

    Args:
        command: the app's command or group; a callback may return an int, which becomes the exit code.
        argv: arguments without the program name; `None` takes the process's.
        program: the name in brackets before an error.
        on_error: called with the library error before it is printed.
    """

    def main() -> int:
        for argument in sys.argv[1:] if argv is None else argv:
            path_names.check_utf8(argument, "The command line")
        try:
            result = command.main(args=None if argv is None else list(argv), standalone_mode=False)
        except click.ClickException as error:  # click's own 2 for bad usage is 1 here
            context = getattr(error, "ctx", None)
            see = f" Try '{context.command_path} --help'." if context is not None else ""
            return fail("bad_usage", f"{error.format_message()}{see}", "", 1, program=program)
        except click.Abort:
            return fail("interrupted:sigint", "Stopped.", "", 130, program=program)
        return result if isinstance(result, int) else 0

    # only the lane continues a run; the others are started again, with what their caches hold
    return guarded(main, program=program, resume=OPTION if program == LANE else "", on_error=on_error)
