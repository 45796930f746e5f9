"""Mutation testing: which share of small changes to a module its tests notice (`make mutants`).

cosmic-ray makes the changes, in an environment of its own; a random sample of them is tried on a copy of the tree. The
tests run once under coverage; then each change is tried with the tests that run its line, in a forked process that has
imported all but the project. Annotations that Python does not evaluate and `frozen=True` are left out: a change of them
changes nothing that a program does.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import functools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.metrics.intervals import wilson

TOOL = "cosmic-ray==8.7.0"  # MIT
COVERAGE = "coverage>=7.6,<8"  # Apache-2.0
HERE = Path(__file__).parent
TESTS = {
    "weights": ("lib/voicemill/weights", "tests/unit/weights tests/unit/test_bounds.py"),
    "bundle": (
        "lib/voicemill/bundle",
        "tests/unit/bundle tests/unit/verify tests/unit/test_bounds.py tests/unit/marks/test_origin.py "
        "tests/unit/runtime/test_export_formats.py",
    ),
    "verify": (
        "lib/voicemill/verify",
        "tests/unit/verify tests/unit/runtime/test_marked_speech.py tests/unit/test_bounds.py",
    ),
    "casimir": ("lib/voicemill/casimir", "tests/unit/casimir"),
    "lane": (
        "lib/voicemill/lane",
        "tests/unit/lane tests/unit/test_machine.py tests/apps/test_entry_points.py tests/apps/test_first_second.py "
        "tests/apps/test_lane_results.py tests/apps/test_voice_train_prod.py",
    ),
    "lane_status": ("lib/voicemill/lane_status.py", "tests/unit/test_lane_status.py"),
    "records": ("lib/voicemill/records.py", "tests/unit/weights/test_manifest.py tests/unit/bundle"),
    "cache_keys": (
        "lib/voicemill/dataset/stage_cache.py lib/voicemill/dataset/cached_recognition.py "
        "lib/voicemill/dataset/resolution.py",
        "tests/unit/dataset/test_stage_cache.py tests/unit/dataset/test_cached_recognition.py "
        "tests/unit/dataset/test_resolution.py tests/unit/dataset/test_existing.py",
    ),
}
"""Names of `make mutants ARGS=`: what is mutated, and the tests that have to notice it."""
MOST_SECONDS = 10.0
"""Of the tests that run a changed line, the fastest are taken up to so much processor time in all."""


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        place: first and last line.
        edit: what cosmic-ray needs to make it: operator, its arguments, number of the occurrence.
    """

    path: str
    place: tuple[int, int]
    column: int
    edit: tuple[str, dict[str, object], int]

    @property
    def key(self) -> str:
        """The change as text, the same in every run on the same source."""
        return json.dumps([self.path, self.place, self.column, self.edit])

    def __str__(self) -> str:
        return f"{self.path}:{self.place[0]} {self.edit[0].rpartition('/')[2]}"


@dataclass(frozen=True)
class Result:
    """Mutants of a module that were run.

    Attributes:
        total: that there are, without those of annotations.
        survivors: those that no test noticed, with the lines that they change.
    """

    total: int
    killed: int
    survivors: tuple[str, ...]

    @property
    def run(self) -> int:
        return self.killed + len(self.survivors)


class Tree:
    """A copy of the tracked files, where sources are changed and tests run."""

    def __init__(self, folder: Path, libraries: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(libraries), "OMP_NUM_THREADS": "1"}
        shutil.rmtree(folder, ignore_errors=True)
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode()
        for path in filter(None, tracked.split("\0")):
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)

    def cover(self, tests: str) -> Coverage:
        """Run the tests once.

        Raises:
            SystemExit: they cannot be run.
        """
        out = self.folder / "coverage.json"
        argv = [sys.executable, str(HERE / "mutant_tests.py"), "cover", str(out), "--", *tests.split()]
        done = subprocess.run(argv, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"The tests cannot be run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        found = json.loads(out.read_text())
        if found["failed"]:
            print(f"left out, for they fail under coverage: {', '.join(found['failed'])}", file=sys.stderr)
        lines = {file: {int(line): names for line, names in each.items()} for file, each in found["lines"].items()}
        return Coverage(lines, found["seconds"])


@dataclass(frozen=True)
class Coverage:
    """Which tests run a line of a file, and the seconds that each takes."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def limit(self, tests: Sequence[str]) -> float:
        """Processor seconds that a mutant's tests may take: one that takes far longer has no end."""
        return 10.0 + 5 * sum(self.seconds.get(name, 0.0) for name in tests)

    def tests(self, tree: Path, mutant: Mutant) -> list[str]:
        """The tests to try on a mutant, the fastest first: of its statement, else of its function, else of its file."""
        lines = self.lines.get(mutant.path, {})
        names: set[str] = set()
        for first, last in (*enclosing(tree / mutant.path, mutant.place), (0, 1 << 30)):
            names = {name for line, each in lines.items() if first <= line <= last for name in each}
            if names:
                break
        chosen: list[str] = []
        total = 0.0
        for name in sorted(names, key=lambda name: (self.seconds.get(name, 0.0), name)):
            total += self.seconds.get(name, 0.0)
            if not chosen or total <= MOST_SECONDS:
                chosen.append(name)
        return chosen


class Server:
    """The process whose children run the tests."""

    def __init__(self, tree: Tree) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "mutant_tests.py"), "serve", str(tree.folder / "coverage.json")],
            cwd=tree.folder,
            env=tree.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def passes(self, tests: Sequence[str], seconds: float) -> tuple[bool, float]:
        """Whether tests pass within a time, and the processor time that they took."""
        asked, answered = self._process.stdin, self._process.stdout
        if asked is None or answered is None:
            raise RuntimeError("a process without pipes")
        asked.write(json.dumps({"tests": tests, "seconds": seconds}) + "\n")
        asked.flush()
        code, taken = json.loads(answered.readline())
        if code == 5:
            raise RuntimeError(f"pytest did not find {tests}")
        return code == 0, taken

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def tool(folder: Path) -> Path:
    """The folder of cosmic-ray's programs, installed once into an environment below `folder`."""
    programs, pip = folder / "venv/bin", ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if not (programs / "cosmic-ray").is_file():
        venv.create(folder / "venv", with_pip=True)
        subprocess.run([str(programs / "python"), *pip, TOOL], check=True)
    libraries = folder / "libraries"
    if not libraries.is_dir():
        subprocess.run([str(programs / "python"), *pip, "--target", str(libraries), COVERAGE], check=True)
        start = "import os\nif os.environ.get('COVERAGE_PROCESS_START'):\n    import coverage\n"
        (libraries / "sitecustomize.py").write_text(start + "    coverage.process_startup()\n")
    return programs


class Outcomes:
    """The mutants of earlier runs with one seed that a test noticed, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.killed = set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()

    def add(self, mutant: Mutant) -> None:
        """Record a mutant that a test noticed."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{mutant.key}\n")


def mutate(name: str, folder: Path, count: int, seconds: float, seed: int, *, again: bool = False) -> Result:
    """Run `count` random mutants of one entry of `TESTS`; no further one after so much processor time.

    Args:
        name: of the entry.
        folder: of the tool, the copy of the tree and the outcomes of earlier runs.
        count: of the sample.
        seconds: of processor time.
        seed: of the sample.
        again: count those that a test noticed in an earlier run with this seed as killed, without another try.
    """
    module, tests = TESTS[name]
    programs = tool(folder)
    tree = Tree(folder / f"tree-{name}", folder / "libraries")
    covered = tree.cover(tests)
    chosen, total = sample(mutants(tree.folder, module, programs), count, seed)
    outcomes = Outcomes(folder / f"killed-{name}-{seed}.jsonl")
    edits = [[mutant.path, *mutant.edit] for mutant in chosen]
    argv = [str(programs / "python"), str(HERE / "mutant_sources.py")]
    done = subprocess.run(argv, cwd=tree.folder, input=json.dumps(edits), capture_output=True, text=True, check=True)
    for source in {tree.folder / mutant.path for mutant in chosen}:  # its compiled code is not used for its mutants
        for compiled in source.parent.glob(f"__pycache__/{source.stem}.*"):
            compiled.unlink()
    server = Server(tree)
    known = next(filter(None, (covered.tests(tree.folder, mutant) for mutant in chosen)))
    if not server.passes(known, covered.limit(known))[0]:
        raise RuntimeError(f"the server's tests fail without a mutant: {known}")
    killed, survivors, spent = 0, [], 0.0
    for mutant, text in zip(chosen, json.loads(done.stdout), strict=True):
        if spent > seconds:
            break
        if text is None:
            continue
        if again and mutant.key in outcomes.killed:
            killed += 1
            continue
        path, names = tree.folder / mutant.path, covered.tests(tree.folder, mutant)
        original = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        lived, taken = server.passes(names, covered.limit(names)) if names else (True, 0.0)
        path.write_text(original, encoding="utf-8")
        spent += taken
        print(f"{mutant}: {'lived' if lived else 'killed'} ({len(names)} tests, {taken:.1f} s)", file=sys.stderr)
        killed += not lived
        if not lived:
            outcomes.add(mutant)
        else:
            survivors.append(f"{mutant}\n{changes(original, text)}")
    server.close()
    return Result(total, killed, tuple(survivors))


def mutants(tree: Path, module: str, programs: Path) -> list[Mutant]:
    """All changes of a module, except those of annotations that Python does not evaluate."""
    config, session = tree / "cosmic-ray.toml", tree / "session.sqlite"
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {json.dumps(module.split())}\ntimeout = 10\nexcluded-modules = []\n"
        'test-command = "true"\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    init = [str(programs / "cosmic-ray"), "init", str(config), str(session)]
    subprocess.run(init, cwd=tree, check=True, capture_output=True)
    with sqlite3.connect(session) as database:
        rows = database.execute(
            "SELECT module_path, start_pos_row, end_pos_row, start_pos_col, operator_name, operator_args, occurrence "
            "FROM mutation_specs"
        ).fetchall()
    found = [
        Mutant(path, (first, last), column, (operator, json.loads(json.loads(arguments)), occurrence))
        for path, first, last, column, operator, arguments, occurrence in rows
    ]
    return [each for each in found if not unevaluated(tree / each.path, (each.place[0], each.column))]


def sample(found: list[Mutant], count: int, seed: int) -> tuple[list[Mutant], int]:
    """Random mutants in a random order, and how many there were to choose from."""
    ordered = sorted(found, key=lambda mutant: (mutant.path, mutant.place, mutant.column, repr(mutant.edit)))
    return random.Random(seed).sample(ordered, min(count, len(ordered))), len(ordered)  # noqa: S311 - no secret


def changes(before: str, after: str) -> str:
    """The changed lines."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def enclosing(path: Path, place: tuple[int, int]) -> list[tuple[int, int]]:
    """First and last lines of the statement that holds these lines, and of its function, if it is in one."""
    statement: tuple[int, int] | None = None
    function: tuple[int, int] | None = None
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt) and node.lineno <= place[0] and place[1] <= (node.end_lineno or 0):
            last = node.end_lineno or 0
            if body := getattr(node, "body", None):  # of a compound statement, only its head
                last = body[0].lineno - 1 if place[0] < body[0].lineno else last
            statement = (node.lineno, last)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = (node.body[0].lineno, node.end_lineno or 0)
    return [lines for lines in (statement, function) if lines is not None]


def unevaluated(path: Path, place: tuple[int, int]) -> bool:
    """Whether a place of a file, as line and column, is part of an annotation that is not evaluated, or of `frozen=`."""
    return any(start <= place < end for start, end in _declarations(path))


@functools.cache
def _declarations(path: Path) -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
    """Start and end of `frozen=…`, and of the annotations in functions; classes read those of their fields."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[ast.expr] = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "frozen"
    ]
    if any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        found += [each for function in functions for each in _of(function)]
    return tuple(((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)) for node in found)


def _of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    if function.returns is not None:
        yield function.returns
    for node in ast.walk(function):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TESTS)} (default: all)")
    parser.add_argument("--count", type=int, default=60, help="mutants of each (default: 60)")
    parser.add_argument("--minutes", type=float, default=60.0, help="of processor time, for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="try only those that lived in earlier runs with this seed")
    parser.add_argument("--work", type=Path, default=ROOT / "cache/mutants")
    options = parser.parse_args()
    if unknown := set(options.names) - set(TESTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print("| module | mutants | run | killed | share | 95 % |\n|---|---:|---:|---:|---:|---:|")
    for name in options.names or TESTS:
        work, seconds = options.work.resolve(), 60 * options.minutes
        found = mutate(name, work, options.count, seconds, options.seed, again=options.again)
        share, interval = "none", ""
        if found.run:
            low, high = wilson(found.killed, found.run)
            share, interval = f"{found.killed / found.run:.0%}", f"{low:.0%} to {high:.0%}"
        print(f"| {name} | {found.total} | {found.run} | {found.killed} | {share} | {interval} |", flush=True)
        for survivor in found.survivors:
            print(f"survived: {survivor}\n", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
