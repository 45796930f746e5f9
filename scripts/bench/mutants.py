"""Mutation testing with cosmic-ray: which share of small changes to a module its tests notice (`make mutants`).

cosmic-ray runs in an environment of its own, on a copy of the tree: it edits sources in place. A module is mutated for
a bounded time; the order of the mutants is shuffled, so that a bounded run is a sample.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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
        total: that there are.
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


def mutate(name: str, folder: Path, seconds: float, seed: int) -> Result:
    """Run mutants of one entry of `TESTS` until the time is over."""
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
    shuffle(session, seed)
    running = subprocess.Popen([program, "exec", str(config), str(session)], cwd=copy, start_new_session=True)
    deadline = time.monotonic() + seconds
    while running.poll() is None and time.monotonic() < deadline:
        time.sleep(1)
    running.terminate()
    running.wait()
    return read(session)


def shuffle(session: Path, seed: int) -> None:
    """Put the mutants of a session into a random order; cosmic-ray runs them in the order of their rows."""
    with sqlite3.connect(session) as database:
        rows = database.execute("SELECT job_id FROM work_items ORDER BY job_id").fetchall()
        random.Random(seed).shuffle(rows)  # noqa: S311 - an order, no secret
        for number, (job,) in enumerate(rows):
            database.execute("UPDATE work_items SET rowid = ? WHERE job_id = ?", (-1 - number, job))


def read(session: Path) -> Result:
    """The results of a session."""
    with sqlite3.connect(session) as database:
        (total,) = database.execute("SELECT COUNT(*) FROM work_items").fetchone()
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
    parser.add_argument("--minutes", type=float, default=60.0, help="for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=ROOT / "cache/mutants")
    options = parser.parse_args()
    if unknown := set(options.names) - set(TESTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print("| module | mutants | run | killed | share |\n|---|---:|---:|---:|---:|")
    for name in options.names or TESTS:
        found = mutate(name, options.work.resolve(), 60 * options.minutes, options.seed)
        share = f"{found.killed / found.run:.0%}" if found.run else "none"
        print(f"| {name} | {found.total} | {found.run} | {found.killed} | {share} |", flush=True)
        for survivor in found.survivors:
            print(f"survived: {survivor}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
