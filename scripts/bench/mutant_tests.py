"""Runs tests for `mutants.py`, in the copy of the tree that it changes.

    mutant_tests.py cover FILE -- ARGUMENTS   run pytest once and write which test runs which line
    mutant_tests.py serve FILE                run tests in forked children that have imported all but the project

A server reads one line of JSON, {"tests": […], "seconds": …}, and answers with one: the exit code of pytest, or null
for a test that did not end, and the processor time in seconds. A child has so many seconds of processor time.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import select
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import spent

LIBRARY = "lib/voicemill"
OURS = ("voicemill", "tests", "conftest")
NODE = "MUTANT_TEST"
"""Variable with the test at hand: the coverage of the processes that it starts is recorded under this name."""
BEFORE = "before any test"
QUIET = ("-q", "-p", "no:cacheprovider", "-m", "not exhaustive", "--no-header", "--no-summary")
WAIT = 30.0
"""Wall time that a child may take for each second of processor time that it has, on a busy machine."""
PRELOADED = ("-x", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Plugins of pytest are among the modules that the server has imported."""


class Recorder:
    """A plugin of pytest: names the test at hand to coverage, and notes how long each takes and which fail."""

    def __init__(self, coverage: Any) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()
        self._coverage = coverage

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """One test with its fixtures."""
        name, began = item.nodeid.partition("[")[0], spent()
        self._coverage.switch_context(name)
        os.environ[NODE] = name
        try:
            return (yield)
        finally:
            self.seconds[name] += spent() - began
            self._coverage.switch_context(BEFORE)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A result; a test that measures time may fail under coverage."""
        if report.failed:
            self.failed.add(report.nodeid.partition("[")[0])


def cover(out: Path, arguments: list[str]) -> int:
    """Run pytest, and write the tests of each line, the seconds of each test, and the modules that they import.

    Returns:
        Its exit code; 0 where some tests fail, which are left out.
    """
    import coverage  # type: ignore[import-not-found]

    folder = out.parent / "coverage-data"
    config = out.parent / "coverage.cfg"
    config.write_text(
        f"[run]\ninclude = */{LIBRARY}/*\ndata_file = {folder / 'data'}\nparallel = true\ncontext = ${{{NODE}-}}\n"
    )
    folder.mkdir(exist_ok=True)
    measured = coverage.Coverage(config_file=str(config), context=None)
    os.environ["COVERAGE_PROCESS_START"] = str(config)
    measured.start()
    recorder = Recorder(measured)
    code = pytest.main([*QUIET, *arguments], plugins=[recorder])
    measured.stop()
    measured.save()
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.iterdir():
        data = coverage.CoverageData(str(path))
        with contextlib.suppress(coverage.CoverageException):  # of a process that was killed
            data.read()
            for file in data.measured_files():
                for line, contexts in data.contexts_by_lineno(file).items():  # of this tree, or of a test's copy of it
                    lines[LIBRARY + file.rpartition(LIBRARY)[2]][line] |= {*contexts} - {"", BEFORE} - recorder.failed
    found = {
        "lines": {
            file: {line: sorted(tests) for line, tests in sorted(each.items()) if tests} for file, each in lines.items()
        },
        "seconds": recorder.seconds,
        "failed": sorted(recorder.failed),
        "modules": sorted(name for name in sys.modules if name.partition(".")[0].partition("_")[0] not in OURS),
    }
    out.write_text(json.dumps(found))
    return 0 if code == pytest.ExitCode.TESTS_FAILED else int(code)


def serve(out: Path) -> None:
    """Answer requests; see above."""
    sys.path[:0] = [os.getcwd(), str(Path("lib").resolve())]
    for name in json.loads(out.read_text())["modules"]:
        if not name.startswith(("_pytest", "coverage")):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(null, number)
    for line in sys.stdin:
        request, began = json.loads(line), spent()
        child = os.fork()
        if child == 0:
            os.setpgrp()
            os.dup2(null, 0)
            most = math.ceil(request["seconds"])
            resource.setrlimit(resource.RLIMIT_CPU, (most, most))
            code = 70
            try:
                code = int(pytest.main([*QUIET, *PRELOADED, *request["tests"]]))
            finally:
                os._exit(code)
        answers.write(json.dumps([wait(child, WAIT * request["seconds"]), spent() - began]) + "\n")
        answers.flush()


def wait(child: int, seconds: float) -> int | None:
    """The exit code of a child; None if it does not end in time, and is killed."""
    handle = os.pidfd_open(child)
    try:
        ended = bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests have started ends with them
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status) if ended else None


if __name__ == "__main__":
    mode, path = sys.argv[1], Path(sys.argv[2])
    if mode == "cover":
        raise SystemExit(cover(path, sys.argv[4:]))
    serve(path)
