"""Count the files and functions that one run of an app passes through, in the process that it starts in.

    python scripts/bench/walk.py voice-prep --voice ann --audio piece.flac --script piece.txt --workers 1

Counted are functions and methods of `lib/` and `apps/` that were called; a nested function, a lambda or a comprehension
is a part of the function that holds it, and what an import runs is not counted. A function counts where it is first
called, so the walk is that of a reader who opens each function once:

    link    a pair of files of which one calls the other
    stay    functions of one file, one after the other
    return  a stay in a file that was left before

The main path is the same walk without what is beside it: settings, files, display, caches, checks and reports (`BESIDE`),
and what these call. `CARRIERS` call the main path: they are left out, and what they call is not. A third count leaves out
what commit 7855f66 does not do (`SINCE`). WALK_ROOT names another checkout, for instance of an older commit. WALK_LIST=1
prints the stays of the main path with their functions. docs/architecture.md has the figures.
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
BESIDE = re.compile(
    r"""
    .*\.(j2|css|js)$
    | apps/[^/]+/outcome\.py
    | lib/voicemill/[^/]+\.py
    | lib/voicemill/(launch|review|voices|weights)/
    | lib/voicemill_marks/
    | lib/voicemill/audio/(channels|device|download|file_headers|fingerprints|likeness|probing|times|timestamps)\.py
    | lib/voicemill/bundle/(origins|summary)\.py
    | lib/voicemill/dataset/(cluster|description|doubts|edits|explain|lanefile|pool|prepared|recorded_consent
        |recording_warnings|report|rights|speaker_groups|stage_cache|stage_clock|stages|teacher)\.py
    | lib/voicemill/evaluation/(charts|contents|media|pages?|report|report_charts|report_sentences|training_page|view
        |voice_report|wording)\.py
    | lib/voicemill/(lane|backends)/(ancestry|bare_gates|events|first_checks|gates|lanes|live|marked_sounds|monitoring
        |notation|preflight|report|reporter|summary|watching)\.py
    | lib/voicemill/text/language\.py
    """,
    re.VERBOSE,
)
"""Files beside the main path, those of 7855f66 among them."""
CARRIERS = re.compile(
    r"lib/voicemill/([^/]+\.py|launch/lanes\.py|dataset/(cluster|pool|stage_cache|stage_clock|stages)\.py"
    r"|(lane|backends)/(live|monitoring|reporter|watching)\.py|weights/nemo_(guest|runtime)\.py)"
)
SINCE = re.compile(
    r"""
    lib/(voicemill_marks|voicemill_runtime)/
    | lib/voicemill/(text/(frontend/|readings|unspoken)
        |align/(script_following|second_recogniser|spoken_reading|text_check|transcription)
        |audio/steady_sound
        |bundle/instructions
        |dataset/(stages/text_check|word_edges)
        |evaluation/judging
        |metrics/(judged|judges|opinion)
        |training/(fastpitch_weights|istft_|onnx_export|tune_vocoder)
        |lane/graph_export|verify/plain_files)
    """,
    re.VERBOSE,
)
"""Files of behaviour that 7855f66 does not have: the text front end, readings, the check of words, judges, the vocoder
of the graph and its export, marks."""


class Walk:
    """Files, functions and links of a run."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.functions: dict[tuple[str, str], tuple[str, str] | None] = {}  # with the function that called it
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
        if known not in self.functions:
            self.functions[known] = None if caller is None else (caller.f_code.co_filename, caller.f_code.co_qualname)
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

    def walks(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Files, from the root, and functions in the order of their first call: of the whole run, of the main path."""
        whole, path, beside = [], [], set()
        for known, caller in self.functions.items():
            name = Path(known[0]).relative_to(ROOT).as_posix()
            here = bool(BESIDE.match(name))
            if caller in beside or (here and not CARRIERS.match(name)):
                beside.add(known)
            if "<" in known[1]:  # a part of the function that holds it
                continue
            whole.append((name, known[1]))
            if known not in beside and not here:
                path.append((name, known[1]))
        return whole, path

    def __str__(self) -> str:
        whole, path = self.walks()
        listed = "\n".join(f"  {name}" for name in sorted({name for name, _ in whole}))
        if os.environ.get("WALK_LIST"):
            listed = "\n".join(
                f"  {name}: {' '.join(function for _, function in stay)}"
                for name, stay in itertools.groupby(path, key=lambda one: one[0])
            )
        return (
            f"{listed}\n"
            f"whole run: {counts([name for name, _ in whole])}, {len(self.links)} links\n"
            f"main path: {counts([name for name, _ in path])}\n"
            f"without behaviour since 7855f66: {counts([name for name, _ in path if not SINCE.match(name)])}"
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
