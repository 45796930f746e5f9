"""The process boundary: error messages, exit codes and signals.

Standard library only: the orchestrator runs on a host that has Python and a container engine (docs/adr/0006). The
library raises; an entry point calls `guarded` and exits with the code that it returns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import NoReturn

from voicemill import path_names
from voicemill.errors import DependencyError, InterruptedRunError, StorageError, UsageError, VoicemillError
from voicemill.held_signals import release_signals

LANE = "tts-prod"
"""The name under which the production lane and the entry points in scripts/voice print their errors."""


OPTION = "--resume"
VARIABLE = "PROD_TTS_RESUME=1"
"""How a run is continued: by an option of an app, by a variable of the entry points in scripts/voice."""


def guarded(
    main: Callable[[], int],
    *,
    program: str = LANE,
    resume: str = VARIABLE,
    on_error: Callable[[VoicemillError], None] | None = None,
) -> int:
    """Run `main` and return the process exit code of operator contract section 4.

    Args:
        main: the entry point's work; returns its exit code.
        program: the name in brackets before an error.
        resume: how this entry point continues a run; hints name it. Empty: it is started again.
        on_error: called with the library error before it is printed.
    """
    try:
        return _main_with_hints(main, resume)
    except KeyboardInterrupt:
        return fail("interrupted:sigint", "Stopped.", "", 130, program=program)
    except VoicemillError as error:
        return _report(error, program, on_error)
    except ModuleNotFoundError as error:
        return _report(missing_module(error), program, on_error)
    except BrokenPipeError:
        # The reader of stdout has exited: print nothing more, and keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UnicodeEncodeError as error:
        shown = error.object[error.start : error.end].encode("unicode_escape").decode("ascii")[:80]
        return _report(
            UsageError(
                f"A name holds {shown}, which {error.encoding} cannot express.",
                reason=f"name_not_utf8:{shown}",
                hint="Rename the file or folder; in another locale than UTF-8, set LC_ALL=C.UTF-8.",
            ),
            program,
            on_error,
        )
    except OSError as error:
        if (long := path_names.too_long(error)) is not None:
            return _report(long, program, on_error)
        return _report(StorageError.from_os_error(error, error.filename or "a file"), program, on_error)


_AGAIN = re.compile(rf"(start again|the same command)( with {OPTION}(?: to continue from the checkpoint)?)")


def _main_with_hints(main: Callable[[], int], resume: str) -> int:
    try:
        return main()
    except VoicemillError as error:
        error.hint = error.hint.replace(OPTION, resume) if resume else _AGAIN.sub(r"\1", error.hint)
        raise


def _report(error: VoicemillError, program: str, on_error: Callable[[VoicemillError], None] | None) -> int:
    if on_error:
        on_error(error)
    return fail(error.line, str(error), error.hint, error.exit_code, program=program)


def missing_module(error: ImportError) -> DependencyError:
    """The contract's reason for a failed import.

    `nemo_runtime_unavailable` if NeMo or a package that only NeMo needs cannot be imported, else
    `runtime_dependency_missing:<name>`.
    """
    name = (error.name or "unknown").partition(".")[0]
    if name in ("nemo", "lightning", "unknown"):
        return DependencyError(
            f"NVIDIA NeMo cannot be imported: {error}.",
            reason="nemo_runtime_unavailable",
            hint="Run it through ./run-direct, which installs it.",
        )
    return DependencyError(
        f"This Python does not have the package {name}.",
        reason=f"runtime_dependency_missing:{name}",
        hint="Run it through ./run-direct, which installs it.",
    )


def usage_checked(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the process's arguments; bad usage is `bad_usage` with exit code 1 instead of argparse's 2.

    Raises:
        UsageError: invalid arguments.
    """

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"{parser.prog}: {message}.", hint=f"See {parser.prog} --help.")

    parser.error = refuse  # type: ignore[method-assign]
    for argument in sys.argv[1:]:
        path_names.check_utf8(argument, "The command line")
    return parser.parse_args()


def fail(reason: str, sentence: str, hint: str, code: int, *, program: str = LANE) -> int:
    """Print `[<program>][error] <reason>`, a sentence and a hint to stderr; returns `code`."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"[{program}][error] {_one_line(reason)}\n{_one_line(sentence)}\n")
        if hint:
            sys.stderr.write(f"{_one_line(hint)}\n")
        sys.stderr.flush()
    return code


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


class Interrupts:
    """SIGINT and SIGTERM as `InterruptedRunError`, or as a flag that cooperative work polls.

    A second signal while the flag is set raises at once. While a child process does the work, signals are forwarded.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._cooperative = False
        self._forward: Callable[[int], None] | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        for signum in (signal.SIGINT, signal.SIGTERM):
            self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def deliver(self) -> None:
        """Deliver signals that `hold_signals` kept waiting, and every later one at once.

        Raises:
            InterruptedRunError: one was waiting.
        """
        release_signals()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._unmask(error)

    def _unmask(self, error: BaseException | None) -> None:
        if self.received is not None and isinstance(error, (ImportError, DependencyError)):
            raise InterruptedRunError(self.received) from error

    @contextlib.contextmanager
    def unmasked(self) -> Iterator[None]:
        """Report an import that a signal interrupted as the interruption, not as a missing package.

        Compiled modules turn every exception raised while they are loaded into an ImportError.
        """
        try:
            yield
        except (ImportError, DependencyError) as error:
            self._unmask(error)
            raise

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        again = self.received is not None
        self.received = signum
        if self._forward is not None:
            self._forward(signum)
            return
        if not self._cooperative or again:
            raise InterruptedRunError(signum)

    def should_stop(self) -> bool:
        """True once a signal has arrived."""
        return self.received is not None

    @contextlib.contextmanager
    def cooperative(self) -> Iterator[None]:
        """Inside the block a signal only sets the flag; a pending one raises at the end of the block."""
        self._cooperative = True
        try:
            yield
        finally:
            self._cooperative = False
        if self.received is not None:
            raise InterruptedRunError(self.received)

    @contextlib.contextmanager
    def forwarded(self, send: Callable[[int], None]) -> Iterator[None]:
        """Inside the block each signal is passed to `send` and recorded in `received`; nothing raises."""
        self._forward = send
        try:
            yield
        finally:
            self._forward = None
