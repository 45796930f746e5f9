"""Values of environment variables, each checked as it is read. An empty variable counts as not set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicemill import path_names
from voicemill.errors import UsageError

_NUMBER_BELOW = 10**9


@dataclass(frozen=True)
class Variables:
    """Typed access to `environ`, usually `os.environ`."""

    environ: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """The value without surrounding space.

        Raises:
            UsageError: it is not UTF-8.
        """
        value = self.environ.get(name, "").strip()
        path_names.check_utf8(value, f"The variable {name}")
        return value or None

    def path(self, name: str) -> Path | None:
        """The value as a path; `UsageError` as in `text`."""
        value = self.text(name)
        return Path(value) if value else None

    def words(self, name: str) -> tuple[str, ...]:
        """The words of the value."""
        return tuple(self.environ.get(name, "").split())

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """One of the allowed values.

        Raises:
            UsageError: another value.
        """
        value = self.text(name)
        if value is not None and value not in allowed:
            raise UsageError(f"{name} must be one of {', '.join(allowed)}, not {value[:40]!r}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """`0` or `1`.

        Raises:
            UsageError: another value.
        """
        value = self.text(name)
        if value is None:
            return default
        if value not in ("0", "1"):
            raise UsageError(f"{name} must be 0 or 1, not {value!r}.", hint=f"Set {name}=0 or {name}=1, or unset it.")
        return value == "1"

    def positive(self, name: str) -> int | None:
        """A whole number above zero.

        Raises:
            UsageError: another value.
        """
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or not 0 < int(value[:12]) < _NUMBER_BELOW:
            raise UsageError(f"{name} must be a whole number above zero, not {value[:40]!r}.")
        return int(value)
