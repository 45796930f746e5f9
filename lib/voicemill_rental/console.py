"""What the person reads and is asked: stderr and the terminal; secrets never get that far."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable

from voicemill.errors import RefusedError


class Talk:
    """Lines on stderr that begin with `[vast]`, and questions that `--yes` answers."""

    def __init__(self, secrets: Iterable[str] = (), *, yes: bool = False) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._yes = yes

    def clean(self, text: str) -> str:
        """Without secrets and control characters, whoever said it."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return "".join(c if c.isprintable() else " " for c in text)

    def say(self, text: str, mark: str = "[vast] ") -> None:
        """One line. A terminal that is gone does not stop us from destroying an instance."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{mark}{self.clean(text)}\n")
            sys.stderr.flush()

    def loud(self, *lines: str) -> None:
        """Lines in a frame that cannot be overlooked."""
        for line in ("!" * 78, *lines, "!" * 78):
            self.say(line)

    def agree(self, question: str) -> None:
        """Ask; return when the answer is yes.

        Raises:
            RefusedError: `declined`, or `confirmation_needed` where nobody can be asked.
        """
        if self._yes:
            self.say(f"{question} Yes (--yes).")
            return
        if not sys.stdin.isatty():
            raise RefusedError(
                f"{question} Nobody can be asked here.",
                reason="confirmation_needed",
                hint="Add --yes to agree beforehand.",
            )
        self.say(f"{question} [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise RefusedError("You did not agree, so nothing was rented.", reason="declined")
