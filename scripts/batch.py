#!/usr/bin/env python3
"""Run the lines of a task file: one app invocation each, `!command` for shell, `#` for comments.

A batch that was stopped or killed goes on where it was: lines that ended well are not repeated. Journal, logs and
summary.json lie in WORK_DIR/batches/<name of the file>.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill import files
from voicemill.boundary import Interrupts, guarded, usage_checked
from voicemill.launch.batch import runner, tasks
from voicemill.protocol import Protocol
from voicemill.settings import Settings


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/batch.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", type=Path, help="the task file")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="so many lines at once (default: 1)")
    parser.add_argument("--fail-fast", action="store_true", help="begin nothing new after the first failure")
    parser.add_argument("--force", action="store_true", help="also lines that an earlier start has finished")
    options = usage_checked(parser)
    if not 1 <= options.parallel <= 256:
        parser.error("--parallel takes a number from 1 to 256")
    settings = Settings.from_environment(os.environ, repository=ROOT)
    data = tasks.load(options.tasks)
    found = tasks.parse(data, str(options.tasks), tasks.apps(ROOT))
    name = options.tasks.resolve()
    batch = runner.BatchJob(
        found,
        folder=settings.workspace.work / "batches" / f"{name.stem}-{files.sha256_bytes(os.fsencode(name))[:8]}",
        repository=ROOT,
        parallel=options.parallel,
        fail_fast=options.fail_fast,
        force=options.force,
        head={"file": str(options.tasks), "sha256": files.sha256_bytes(data), "commit": settings.head},
    )
    with Interrupts() as interrupts:
        runner.run(batch, Protocol(sys.stdout), interrupts)
    return 0


if __name__ == "__main__":
    raise SystemExit(guarded(main, program="batch"))
