"""Runs commands in forked children, each with one fault armed; started under LD_PRELOAD of shim.c's library.

One line of JSON in, one out. What commands import is imported once, here, so that a case takes milliseconds.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import sys
import traceback
from typing import Any, NoReturn

TRACEBACK = 70
"""Exit code of a child whose command let an exception escape."""


def run(job: dict[str, Any]) -> NoReturn:
    os.chdir(job["cwd"])
    os.environ.update(job["environment"])
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(job[name], mode), number)
    sys.argv = list(job["argv"])
    fault = job["fault"]
    texts = [fault[name].encode() for name in ("suffix", "decoy", "log")]
    numbers = [fault[name] for name in ("kinds", "how", "at", "error", "exchange")]
    ctypes.CDLL(None).fault_arm(job["below"].encode(), *numbers, *texts)
    code = TRACEBACK
    try:
        runpy.run_path(job["argv"][0], run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    for name in sys.argv[2:]:
        importlib.import_module(name)
    from voicemill.weights import licence

    licence.judge("MIT")  # builds the list of licences
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            run(job)
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
