"""Messages and questions for the user, on stderr and the terminal, with secrets redacted."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable

from voicemill.errors import RefusedError


class Console:
    """Writes lines that start with `[vast]` to stderr and asks questions, which `--yes` answers."""

    def __init__(self, secrets: Iterable[str] = (), *, yes: bool = False) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._yes = yes

    def redact(self, text: str) -> str:
        """The text without secrets and control characters."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return "".join(c if c.isprintable() else " " for c in text)

    def info(self, text: str, mark: str = "[vast] ") -> None:
        """Write one line. A closed terminal is ignored: the instance must still be destroyed."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{mark}{self.redact(text)}\n")
            sys.stderr.flush()

    def banner(self, *lines: str) -> None:
        """Write lines in a frame of exclamation marks."""
        for line in ("!" * 78, *lines, "!" * 78):
            self.info(line)

    def confirm(self, question: str) -> None:
        """Ask a question; return if the answer is yes.

        Raises:
            RefusedError: `declined`, or `confirmation_needed` if stdin is not a terminal.
        """
        if self._yes:
            self.info(f"{question} Yes (--yes).")
            return
        if not sys.stdin.isatty():
            raise RefusedError(
                f"{question} There is no terminal to ask on.",
                reason="confirmation_needed",
                hint="Add --yes to agree in advance.",
            )
        self.info(f"{question} [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise RefusedError("You declined, so nothing was rented.", reason="declined")
