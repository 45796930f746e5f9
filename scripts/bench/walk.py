"""Count the files and functions that one run of an app passes through, in the process that it starts in.

    python scripts/bench/walk.py voice-prep --voice ann --audio piece.flac --script piece.txt --workers 1

Counted are functions of `lib/` and `apps/` that were called; what an import runs is not. A function counts where it is
first called, so the walk is that of a reader who opens each function once:

    link    a pair of files of which one calls the other
    stay    functions of one file, one after the other
    return  a stay in a file that was left before

WALK_ROOT names another checkout, for instance of an older commit. docs/architecture.md has the figures.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from pathlib import Path
from types import FrameType

ROOT = Path(os.environ.get("WALK_ROOT", Path(__file__).resolve().parents[2])).resolve()
OURS = tuple(f"{ROOT / part}/" for part in ("lib", "apps"))


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

    def __str__(self) -> str:
        stays = [name for name, _ in self.functions]
        stays = [name for name, before in zip(stays, [None, *stays], strict=False) if name != before]
        files = sorted(set(stays))
        listed = "\n".join(f"  {Path(name).relative_to(ROOT)}" for name in files)
        return (
            f"{listed}\n{len(files)} files, {len(self.functions)} functions, {len(self.links)} links, "
            f"{len(stays)} stays, {len(stays) - len(files)} returns"
        )


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
