"""The exception tree. Each class has an exit code, each instance a stable reason.

    VoicemillError
    ├── RefusedError        exit 1   refused before starting: bad usage, bad input, failed gate at the orchestrator
    │   ├── UsageError                 the command line or a setting is invalid
    │   └── AudioError                 the source is not audio that can be used
    ├── BlockedError        exit 2   deterministic; a status file gives the reason
    │   ├── ConfigError                configuration is missing or invalid
    │   ├── DatasetError               manifest, transcript or clips cannot be used
    │   ├── GateError                  licence gate, allowlist, checksum
    │   ├── DependencyError            a package that a step needs is missing
    │   ├── TrainingError              training cannot go on
    │   ├── BundleError                bundle cannot be built, promoted or read
    │   └── StorageError               the disk is full, cannot be written or cannot be read
    ├── NotAcceptableError  exit 3   a step ran and its result is not good enough
    │   └── NotMeasurableError         a figure has no meaning for this input; written as null with the reason
    └── InterruptedRunError exit 130/143   stopped by a signal, after a resumable checkpoint was written

A reason is `snake_case`, optionally `:<detail>`; programs match on the part before the colon (docs/runbook.md lists
all of them). The message is one plain sentence; the hint gives the next step.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping


class VoicemillError(Exception):
    """Base of every error that the library raises on purpose.

    Attributes:
        reason: stable code, `snake_case` with an optional `:<detail>`.
        hint: the next step, one plain sentence; may be empty.
        details: `key=value` pairs of the error line, for programs.
        exit_code: the process exit code of operator contract section 4 for this kind of failure.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, reason: str, hint: str = "", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint
        self.details = {name: str(value) for name, value in (details or {}).items()}

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes, because constructors differ, so that a parent can raise a worker's error."""
        return (_restore, (type(self), self.args), self.__dict__)

    @property
    def line(self) -> str:
        """The reason and its details, as printed after `[<program>][error]`."""
        return " ".join([self.reason, *(f"{name}={value}" for name, value in self.details.items())])

    @property
    def code(self) -> str:
        """The stable part of the reason, before the colon."""
        return self.reason.partition(":")[0]


def _restore(kind: type[VoicemillError], args: tuple[object, ...]) -> VoicemillError:
    return kind.__new__(kind, *args)


class RefusedError(VoicemillError):
    exit_code = 1


class UsageError(RefusedError):
    def __init__(self, message: str, *, reason: str = "bad_usage", hint: str = "") -> None:
        super().__init__(message, reason=reason, hint=hint)


class AudioError(RefusedError):
    """The source is not audio that can be used."""


class BlockedError(VoicemillError):
    exit_code = 2


class ConfigError(BlockedError):
    """Configuration missing or invalid."""


class DatasetError(BlockedError):
    """Manifest, transcript or clips cannot be used."""


class GateError(BlockedError):
    """Licence gate, allowlist or checksum refused."""


class DependencyError(BlockedError):
    """A package that a step needs is missing."""


class TrainingError(BlockedError):
    """Training cannot go on."""


class BundleError(BlockedError):
    """A bundle cannot be built, promoted or read."""


class StorageError(BlockedError):
    """The disk is full, cannot be written or cannot be read."""

    @classmethod
    def unreadable(cls, error: OSError, path: object) -> StorageError:
        """A file that exists and cannot be read."""
        return cls(
            f"Cannot read {path}: {error.strerror or error}.",
            reason=f"not_readable:{path}",
            hint="Check its permissions and the disk, then start again.",
        )

    @classmethod
    def from_os_error(cls, error: OSError, path: object) -> StorageError:
        """A failed write, with the usual causes named."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls(
                f"The disk is full: could not write {path}.",
                reason=f"disk_full:{path}",
                hint="Free some space, or set WORK_DIR to another folder, and start again with --resume.",
            )
        return cls(
            f"Cannot write {path}: {error.strerror or error}.",
            reason=f"not_writable:{path}",
            hint="Make the folder writable, or set WORK_DIR to another folder.",
        )


class NotAcceptableError(VoicemillError):
    """A step ran and its result is not good enough."""

    exit_code = 3


class NotMeasurableError(NotAcceptableError):
    """A figure has no meaning for this input (no voiced frame, no word to compare); the message gives the reason."""

    def __init__(self, message: str, *, reason: str = "not_measurable", hint: str = "") -> None:
        super().__init__(message, reason=reason, hint=hint)


class InterruptedRunError(VoicemillError):
    """Stopped by a signal after a resumable checkpoint was written."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        name = signal.Signals(signum).name
        super().__init__(
            f"Stopped by {name}.",
            reason=f"interrupted:{name.lower()}",
            hint="Run the same command with --resume to continue from the checkpoint.",
        )
        self.exit_code = 128 + signum


class BundleFileError(BundleError):
    """A file of a bundle fails validation: `path` names it, `reason` is a code of the formats contract, section 8."""

    def __init__(self, message: str, *, reason: str, path: str = "", hint: str = "") -> None:
        super().__init__(message, reason=f"{reason}:{path}" if path else reason, hint=hint)
        self.path = path
