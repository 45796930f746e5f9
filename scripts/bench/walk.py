"""Count the files and functions that one run of an app passes through, in the process that it starts in.

    python scripts/bench/walk.py voice-prep --voice ann --audio piece.flac --script piece.txt --workers 1

Counted are functions of `lib/` and `apps/` that were called; module and class bodies, which imports run, are not.
A link is a pair of files of which one calls the other. docs/architecture.md has the figures.
"""

from __future__ import annotations

import runpy
import sys
import threading
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(f"{ROOT / part}/" for part in ("lib", "apps"))


class Walk:
    """Files, functions and links of a run."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, str]] = set()
        self.links: set[tuple[str, str]] = set()

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        """Called by the interpreter for each call."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(OURS) or code.co_name == "<module>":
            return
        if not code.co_flags & 0x2 and code.co_name[:1] != "<":  # a class body has no fast locals of its own
            return
        self.functions.add((code.co_filename, code.co_qualname))
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(OURS):
            caller = caller.f_back
        if caller is not None and caller.f_code.co_filename != code.co_filename:
            self.links.add((caller.f_code.co_filename, code.co_filename))

    def __str__(self) -> str:
        files = sorted({name for name, _ in self.functions})
        listed = "\n".join(f"  {Path(name).relative_to(ROOT)}" for name in files)
        return f"{listed}\n{len(files)} files, {len(self.functions)} functions, {len(self.links)} links"


def main() -> None:
    """Run the app with the rest of the command line, then print the counts on stderr."""
    app, *arguments = sys.argv[1:]
    script = str(ROOT / "apps" / app / f"{app}.py")
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    walk = Walk()
    threading.setprofile(walk.profile)
    sys.setprofile(walk.profile)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.setprofile(None)
        print(walk, file=sys.stderr)


if __name__ == "__main__":
    main()
