"""The paths that an invocation of an app reads and writes, known before the app starts.

The table is `paths.tsv`; `run` reads it too, on a host that may have no Python. Standard library only, quick to start:

    python3 lib/voicemill/launch/paths.py voice-prep --audio take.wav     one path a line: read or write, and the path
"""

from __future__ import annotations

import functools
import glob
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("paths.tsv")
PROMPTS = (".safetensors", ".pkl")
"""Suffixes of files that may stand in place of a voice's name."""


@dataclass(frozen=True)
class PathRow:
    """One row of the table; `paths.tsv` documents the fields."""

    app: str
    command: str
    name: str
    use: str
    scope: str


@dataclass(frozen=True)
class Access:
    """A path of an invocation.

    Attributes:
        path: as the invocation names it; for a folder or a name, it may be the name.
        use: `read` or `write`.
        scope: what belongs to the path.
    """

    path: Path
    use: str
    scope: str


@functools.cache
def rules() -> tuple[PathRow, ...]:
    """The rows of the table."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return tuple(PathRow(*line.split("\t")) for line in lines if not line.startswith("#"))


def environment(use: str) -> dict[str, str]:
    """The variables that name a path to `read` or `write`, with their scopes."""
    return {rule.name: rule.scope for rule in rules() if rule.app == "environment" and rule.use == use}


def companions(path: Path, scope: str) -> list[Path]:
    """The existing files that travel with a `recording`, a `sound` or a `bundle`."""
    found: list[Path] = []
    for rule in rules():
        if rule.app == "companion" and rule.scope == scope:
            if rule.name.startswith("."):
                found.append(path.with_suffix(rule.name))
            else:
                found += (path.parent / name for name in sorted(glob.glob(rule.name, root_dir=path.parent)))
    return [each for each in found if each.is_file() and each != path]


def accesses(app: str, arguments: Sequence[str]) -> list[Access]:
    """The paths of an invocation, in the order of its arguments."""
    of_app = [rule for rule in rules() if rule.app == app]
    rest = list(arguments)
    if rest and not rest[0].startswith("-"):
        command = rest.pop(0)
    else:
        command = next((rule.command for rule in of_app if rule.use == "default"), "")
    known = {rule.name: rule for rule in of_app if rule.command == command}
    found: list[Access] = []
    seen: set[str] = set()
    position = 0
    while rest:
        word = rest.pop(0)
        if word.startswith("--") and word != "--":
            name, equals, value = word.partition("=")
            rule = known.get(name)
            seen.add(name)
            if not equals and (name == "--help" or (rule and rule.use == "flag")):
                continue
            if not equals and (not rest or (rule and rule.use == "optional" and rest[0].startswith("-"))):
                continue
            value = value if equals else rest.pop(0)
        elif word in ("--", "-h"):
            continue
        else:
            position += 1
            rule, value = known.get(str(position)), word
        if rule and rule.scope == "prompt" and not value.endswith(PROMPTS):
            continue  # the name of a voice
        if rule and rule.use in ("read", "write"):
            found.append(Access(Path(value), rule.use, rule.scope))
    here = known.get(".")
    if here and here.scope not in seen:
        found.append(Access(Path(), here.use, "folder"))
    return found


def main(argv: Sequence[str]) -> int:
    """Print the paths of an invocation, each with its companions."""
    if not argv:
        print("usage: paths.py APP [ARGUMENT]...", file=sys.stderr)
        return 1
    for access in accesses(argv[0], argv[1:]):
        for path in (access.path, *companions(access.path, access.scope)):
            print(f"{access.use}\t{path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
