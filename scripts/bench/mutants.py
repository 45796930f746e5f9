"""Mutation testing with cosmic-ray: which share of small changes to a module its tests notice (`make mutants`).

cosmic-ray runs in an environment of its own, on a copy of the tree: it edits sources in place. The mutants are
shuffled with a seed and a number of them is run, so that a run is a sample. Annotations that Python does not evaluate
are left out: a change of them changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.metrics.shares import wilson

TOOL = "cosmic-ray==8.7.0"  # MIT
TESTS = {
    "weights": ("lib/voicemill/weights", "tests/unit/weights"),
    "bundle": ("lib/voicemill/bundle", "tests/unit/bundle tests/unit/verify"),
    "verify": ("lib/voicemill/verify", "tests/unit/verify"),
    "casimir": ("lib/voicemill/casimir", "tests/unit/casimir"),
    "lane": ("lib/voicemill/lane", "tests/unit/lane"),
    "lane_status": ("lib/voicemill/lane_status.py", "tests/unit/test_lane_status.py"),
    "records": ("lib/voicemill/records.py", "tests/unit/weights/test_manifest.py tests/unit/bundle"),
    "weights_manifest": ("lib/voicemill/weights/manifest.py", "tests/unit/weights/test_manifest.py"),
    "licence": ("lib/voicemill/weights/licence.py", "tests/unit/weights/test_licence.py"),
    "cache_keys": ("lib/voicemill/dataset/stage_cache.py", "tests/unit/dataset"),
}
"""Names of `make mutants ARGS=`: what is mutated, and the tests that have to notice it."""
TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class Result:
    """Mutants of a module that were run.

    Attributes:
        total: that there are, without those of annotations.
        survivors: file, line and operator of those that no test noticed.
    """

    total: int
    killed: int
    survivors: tuple[str, ...]

    @property
    def run(self) -> int:
        return self.killed + len(self.survivors)


def tool(folder: Path) -> Path:
    """cosmic-ray's program, installed once into an environment below `folder`."""
    program = folder / "venv/bin/cosmic-ray"
    if not program.is_file():
        venv.create(folder / "venv", with_pip=True)
        pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", TOOL]
        subprocess.run(pip, check=True)
    return program


def mutate(name: str, folder: Path, count: int, seconds: float, seed: int) -> Result:
    """Run `count` random mutants of one entry of `TESTS`, or fewer if the time is over before."""
    module, tests = TESTS[name]
    copy = folder / f"tree-{name}"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    tracked = (
        subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .split("\0")
    )
    for path in filter(None, tracked):
        if (ROOT / path).is_file():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
    config, session = copy / "cosmic-ray.toml", copy / "session.sqlite"
    command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider -m 'not slow' {tests}"
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {json.dumps(module)}\ntimeout = {TIMEOUT_SECONDS}\nexcluded-modules = []\n"
        f'test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    program = str(tool(folder))
    baseline = subprocess.run(command, shell=True, cwd=copy, capture_output=True, check=False)  # noqa: S602 - ours
    if baseline.returncode:
        raise SystemExit(f"The tests of {name} fail without a mutant:\n{baseline.stdout.decode()[-2000:]}")
    subprocess.run([program, "init", str(config), str(session)], cwd=copy, check=True, capture_output=True)
    total = sample(session, copy, count, seed)
    running = subprocess.Popen([program, "exec", str(config), str(session)], cwd=copy, process_group=0)
    deadline = time.monotonic() + seconds
    while running.poll() is None and time.monotonic() < deadline:
        time.sleep(1)
    running.terminate()
    running.wait()
    return read(session, total)


def sample(session: Path, tree: Path, count: int, seed: int) -> int:
    """Keep `count` random mutants of a session, in a random order; how many there were to choose from."""
    with sqlite3.connect(session) as database:
        specs = database.execute("SELECT job_id, module_path, start_pos_row, start_pos_col FROM mutation_specs")
        jobs = sorted(job for job, path, row, column in specs if not unevaluated(tree / path, (row, column)))
        chosen = random.Random(seed).sample(jobs, min(count, len(jobs)))  # noqa: S311 - a choice, no secret
        database.execute("CREATE TEMP TABLE chosen (number INTEGER PRIMARY KEY, job_id TEXT)")
        database.executemany("INSERT INTO chosen VALUES (?, ?)", enumerate(chosen, 1))
        for table in ("mutation_specs", "work_items"):
            database.execute(f"DELETE FROM {table} WHERE job_id NOT IN (SELECT job_id FROM chosen)")  # noqa: S608
        # cosmic-ray runs them in the order of their rows.
        database.execute("UPDATE work_items SET rowid = -(SELECT number FROM chosen WHERE job_id = work_items.job_id)")
    return len(jobs)


def unevaluated(path: Path, place: tuple[int, int]) -> bool:
    """Whether a place of a file, as line and column, is part of an annotation that Python does not evaluate."""
    return any(start <= place < end for start, end in _annotations(path))


@functools.cache
def _annotations(path: Path) -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
    """Start and end of the annotations of functions and of variables in them; classes read those of their fields."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        return ()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [each for function in functions for each in _of(function)]
    return tuple(((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)) for node in found)


def _of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    if function.returns is not None:
        yield function.returns
    for node in ast.walk(function):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation


def read(session: Path, total: int) -> Result:
    """The results of a session."""
    with sqlite3.connect(session) as database:
        rows = database.execute(
            "SELECT r.test_outcome, m.module_path, m.start_pos_row, m.operator_name FROM work_results r "
            "JOIN mutation_specs m ON m.job_id = r.job_id WHERE r.test_outcome IS NOT NULL"
        ).fetchall()
    outcomes = Counter(str(outcome).rpartition(".")[2].lower() for outcome, *_ in rows)
    survivors = sorted(
        f"{path}:{row} {operator.rpartition('/')[2]}"
        for outcome, path, row, operator in rows
        if str(outcome).rpartition(".")[2].lower() == "survived"
    )
    return Result(total, outcomes["killed"] + outcomes["incompetent"], tuple(survivors))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TESTS)} (default: all)")
    parser.add_argument("--count", type=int, default=60, help="mutants of each (default: 60)")
    parser.add_argument("--minutes", type=float, default=60.0, help="at most, for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=ROOT / "cache/mutants")
    options = parser.parse_args()
    if unknown := set(options.names) - set(TESTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print("| module | mutants | run | killed | share | 95 % |\n|---|---:|---:|---:|---:|---:|")
    for name in options.names or TESTS:
        found = mutate(name, options.work.resolve(), options.count, 60 * options.minutes, options.seed)
        share, interval = "none", ""
        if found.run:
            low, high = wilson(found.killed, found.run)
            share, interval = f"{found.killed / found.run:.0%}", f"{low:.0%} to {high:.0%}"
        print(f"| {name} | {found.total} | {found.run} | {found.killed} | {share} | {interval} |", flush=True)
        for survivor in found.survivors:
            print(f"survived: {survivor}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
