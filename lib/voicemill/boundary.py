"""The process boundary: errors as one plain sentence, exit codes, signals.

Only the standard library is imported here: the orchestrator runs where nothing is installed but Python and a container
engine (docs/adr/0006). The library raises; an entry point calls `guarded` and exits with what it returns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import NoReturn

from voicemill.errors import DependencyError, InterruptedRunError, StorageError, UsageError, VoicemillError


def guarded(main: Callable[[], int], *, on_error: Callable[[VoicemillError], None] | None = None) -> int:
    """Run `main` and return the process exit code of operator contract section 4.

    Args:
        main: the entry point's work; returns its exit code.
        on_error: called with the library error before it is printed.
    """
    try:
        return main()
    except KeyboardInterrupt:
        return fail("interrupted:sigint", "Stopped.", "", 130)
    except VoicemillError as error:
        return _told(error, on_error)
    except ModuleNotFoundError as error:
        return _told(missing_module(error), on_error)
    except BrokenPipeError:
        # The reader of our stdout has gone: say nothing more, and keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _told(StorageError.from_os_error(error, error.filename or "a file"), on_error)


def _told(error: VoicemillError, on_error: Callable[[VoicemillError], None] | None) -> int:
    if on_error:
        on_error(error)
    return fail(error.line, str(error), error.hint, error.exit_code)


def missing_module(error: ImportError) -> DependencyError:
    """An import that failed, as the reason that the contract gives it.

    `nemo_runtime_unavailable` where NeMo or something that only it needs cannot be imported,
    `runtime_dependency_missing:<name>` for what else is missing.
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
    """The process's arguments by an entry point's parser; bad usage is `bad_usage`, exit 1, as everywhere here.

    Raises:
        UsageError: the arguments do not fit.
    """

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"{parser.prog}: {message}.", hint=f"{parser.prog} --help explains.")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_args()


def fail(reason: str, sentence: str, hint: str, code: int) -> int:
    """`[tts-prod][error] <reason>` and one plain sentence with what to do next, on stderr; returns `code`."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"[tts-prod][error] {_one_line(reason)}\n{_one_line(sentence)}\n")
        if hint:
            sys.stderr.write(f"{_one_line(hint)}\n")
        sys.stderr.flush()
    return code


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


class Interrupts:
    """SIGINT and SIGTERM as `InterruptedRunError`, or, while work that can stop by itself runs, as a flag it looks at.

    A second signal while the flag is set raises at once. While a child process does the work, signals are sent on.
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
        """Within, and at the end of it all, an import that a signal broke is the interruption that it was.

        Compiled modules turn whatever is raised while they are loaded into an ImportError, so the signal would be told
        as a package that is not installed.
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
        """True once a signal has come."""
        return self.received is not None

    @contextlib.contextmanager
    def cooperative(self) -> Iterator[None]:
        """Within, a signal only sets the flag; at the end a pending one raises."""
        self._cooperative = True
        try:
            yield
        finally:
            self._cooperative = False
        if self.received is not None:
            raise InterruptedRunError(self.received)

    @contextlib.contextmanager
    def forwarded(self, send: Callable[[int], None]) -> Iterator[None]:
        """Within, each signal is given to `send` and remembered in `received`; nothing raises."""
        self._forward = send
        try:
            yield
        finally:
            self._forward = None
