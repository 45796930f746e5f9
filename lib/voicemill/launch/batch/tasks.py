"""The task file: one app invocation per line, `!command` for a shell command, `#` for a comment.

UTF-8, with or without a byte order mark, with any line ending. Words are quoted as in a shell; variables, patterns and
pipes are not interpreted.
"""

from __future__ import annotations

import shlex
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import RefusedError

MAX_BYTES = 4 * 1024 * 1024
"""The largest task file."""


@dataclass(frozen=True)
class BatchTask:
    """One task: a line that runs an app or a shell command.

    Attributes:
        line: its number in the file, from 1.
        text: the line, stripped.
        key: its key in the journal: depends only on the text, and on how often the same text came before.
        app: name of the app; `None` for a shell command.
        arguments: of the app, or the shell command as one word.
    """

    line: int
    text: str
    key: str
    app: str | None
    arguments: tuple[str, ...]

    def command(self, repository: Path) -> list[str]:
        """The command line in the checkout `repository`."""
        if self.app is None:
            return ["bash", "-c", *self.arguments]
        return [str(repository / "run"), self.app, *self.arguments]


def apps(repository: Path) -> frozenset[str]:
    """The names of the apps."""
    return frozenset(path.parent.name for path in (repository / "apps").glob("*/*.py") if path.stem == path.parent.name)


def load(path: Path) -> bytes:
    """Read a task file once: it may be a pipe.

    Raises:
        RefusedError: `tasks_missing`.
    """
    try:
        with path.open("rb") as handle:
            return handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(
            f"The task file {path} cannot be read: {error.strerror}.",
            reason="tasks_missing",
            hint="Give a text file with one app and its options per line, e.g. TASKS=jobs.txt.",
        ) from error


def parse(data: bytes, name: str, known: Container[str]) -> tuple[BatchTask, ...]:
    """Parse and validate a task file.

    Args:
        data: contents of the file.
        name: name of the file, for messages.
        known: names of the apps.

    Raises:
        RefusedError: `tasks_invalid` with file and line.
    """
    if len(data) > MAX_BYTES:
        raise _invalid(name, 1, f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(name, data[: error.start].count(b"\n") + 1, "it is not UTF-8") from error
    found: list[BatchTask] = []
    seen: dict[str, int] = {}
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = raw.strip()
        if any(ord(character) < 32 and character != "\t" for character in line):
            raise _invalid(name, number, "it holds a control character")
        if not line or line.startswith("#"):
            continue
        seen[line] = seen.get(line, 0) + 1
        app, arguments = _words(line, name, number, known)
        found.append(BatchTask(number, line, files.content_key(line, seen[line])[:16], app, arguments))
    if not found:
        raise _invalid(name, 1, "it has no tasks")
    return tuple(found)


def _words(line: str, name: str, number: int, known: Container[str]) -> tuple[str | None, tuple[str, ...]]:
    if line.startswith("!"):
        command = line[1:].strip()
        if not command:
            raise _invalid(name, number, "nothing follows the !")
        return None, (command,)
    try:
        words = shlex.split(_without_comment(line))
    except ValueError as error:
        raise _invalid(name, number, f"{str(error).lower()} (quote as in a shell)") from error
    if words[0] not in known:
        raise _invalid(name, number, f"there is no app {words[0][:60]!r}")
    return words[0], tuple(words[1:])


def _without_comment(line: str) -> str:
    """Strip a comment: a `#` at the start of a word and outside quotes, with the text after it."""
    quote, begins, skip = "", True, False
    for at, character in enumerate(line):
        if skip:
            skip = False
        elif character == "\\" and quote != "'":
            skip, begins = True, False
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote, begins = character, False
        elif character == "#" and begins:
            return line[:at]
        else:
            begins = character.isspace()
    return line


def _invalid(name: str, number: int, why: str) -> RefusedError:
    return RefusedError(
        f"Line {number} of {name} cannot be used: {why}.",
        reason=f"tasks_invalid:{name}:{number}",
        hint="Nothing was started. Correct the line and start again.",
    )
