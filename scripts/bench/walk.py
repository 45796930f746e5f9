"""Count the files and functions that one run of an app passes through, in the process that it starts in.

    python scripts/bench/walk.py voice-prep --voice ann --audio piece.flac --script piece.txt --workers 1

Counted are functions of `lib/` and `apps/` that were called; what an import runs is not. A function counts where it is
first called, so the walk is that of a reader who opens each function once:

    link    a pair of files of which one calls the other
    stay    functions of one file, one after the other
    return  a stay in a file that was left before

The main path is the same walk without what `BESIDE` lists: settings, files, protocol and display, licence gates and
other checks, caches, reports. WALK_ROOT names another checkout, for instance of an older commit. WALK_LIST=1 prints the
stays of the main path with their functions. docs/architecture.md has the figures.
"""

from __future__ import annotations

import itertools
import os
import re
import runpy
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(os.environ.get("WALK_ROOT", Path(__file__).resolve().parents[2])).resolve()
OURS = tuple(f"{ROOT / part}/" for part in ("lib", "apps"))
BESIDE = re.compile("")


class Walk:
    """Files, functions and links of a run."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.functions: dict[tuple[str, str], None] = {}
        self.links: set[tuple[str, str]] = set()

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        """Called by the interpreter for each call."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(OURS) or code.co_name == "<module>":
            return
        if not code.co_flags & 0x2 and code.co_name[:1] != "<":  # a class body has no fast locals of its own
            return
        caller, known = frame.f_back, (code.co_filename, code.co_qualname)
        while caller is not None and not caller.f_code.co_filename.startswith(OURS):
            caller = caller.f_back
        link = None if caller is None else (caller.f_code.co_filename, code.co_filename)
        if (known in self.functions and (link is None or link in self.links)) or self._importing(frame):
            return
        self.functions[known] = None
        if link is not None and link[0] != link[1]:
            self.links.add(link)

    def _importing(self, frame: FrameType) -> bool:
        """Whether the body of a module runs below this frame, other than the app's own."""
        caller = frame.f_back
        while caller is not None:
            code = caller.f_code
            if code.co_name == "<module>" and code.co_filename.startswith(OURS) and code.co_filename != self.script:
                return True
            caller = caller.f_back
        return False

    @property
    def main_path(self) -> list[tuple[str, str]]:
        """Files, from the root, and functions of the main path, in the order of their first call."""
        called = [(Path(name).relative_to(ROOT).as_posix(), function) for name, function in self.functions]
        return [(name, function) for name, function in called if not BESIDE.match(name)]

    def __str__(self) -> str:
        called = [Path(name).relative_to(ROOT).as_posix() for name, _ in self.functions]
        path = self.main_path
        listed = "\n".join(f"  {name}" for name in sorted(set(called)))
        if os.environ.get("WALK_LIST"):
            listed = "\n".join(
                f"  {name}: {' '.join(function for _, function in stay)}"
                for name, stay in itertools.groupby(path, key=lambda one: one[0])
            )
        return (
            f"{listed}\n"
            f"whole run: {counts(called)}, {len(self.links)} links\n"
            f"main path: {counts([name for name, _ in path])}"
        )


def counts(called: Sequence[str]) -> str:
    """Files, functions, stays and returns of functions that are called in this order, by the names of their files."""
    stays, files = sum(1 for _ in itertools.groupby(called)), len(set(called))
    return f"{files} files, {len(called)} functions, {stays} stays, {stays - files} returns"


def main() -> None:
    """Run the app with the rest of the command line, then print the counts on stderr."""
    app, *arguments = sys.argv[1:]
    script = str(ROOT / "apps" / app / f"{app}.py")
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    walk = Walk(script)
    threading.setprofile(walk.profile)
    sys.setprofile(walk.profile)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.setprofile(None)
        print(walk, file=sys.stderr)


if __name__ == "__main__":
    main()
