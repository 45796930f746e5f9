"""Run the agent's own tests of `/api/voice/*` against `voice-serve`: see README.md beside this file.

    python tests/ancestor/run.py CLONE [--work DIR]

CLONE is a git clone of the agent's repository, or a git folder without a work tree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parents[1] / "lib"
COMMIT = "718bb7d7697e3e0266e7e5821ba6116c64f80c90"
"""The commit whose tests were counted: 59, of which 48 pass on the agent's own router."""
TESTS = (
    "tests/voice.routes.spec.ts",
    "tests/voice.offline-core.spec.ts",
    "tests/voice.operator-contract-boundary.spec.ts",
    "server/__tests__/voice.routes.normalization.test.ts",
)
IMPORTED = (
    "shared/helix-dot-voice-authority.ts",
    "shared/helix-dottie-callout-contract.ts",
    "shared/helix-turn-poison-guard.ts",
    "server/services/helix-ask/operator-contract-v1.ts",
    "server/services/helix-ask/turn-terminal-authority.ts",
)
KNOWN = HERE / "known_failures.txt"


def extract(clone: Path, target: Path) -> None:
    """Copy the tests and the modules that they import out of a clone, and put the shim in the router's place."""
    for name in (*TESTS, *IMPORTED):
        shown = subprocess.run(["git", "-C", str(clone), "show", f"{COMMIT}:{name}"], capture_output=True, check=False)
        if shown.returncode:
            sys.exit(f"{clone} has no {name} at {COMMIT[:9]}: {shown.stderr.decode().strip()}")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(shown.stdout)
    (target / "server/routes").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "voice.ts", target / "server/routes/voice.ts")
    for name in ("package.json", "vitest.config.ts"):
        shutil.copyfile(HERE / name, target / name)


def run(target: Path) -> dict[str, str]:
    """Status of each test, by `file > title`."""
    if not (target / "node_modules/vitest").is_dir():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=target, check=True)
    environment = os.environ | {"PYTHONPATH": str(LIBRARY), "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py")], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        port = server.stdout.readline().strip() if server.stdout else ""
        command = ["npx", "vitest", "run", "--reporter=json", "--outputFile=results.json"]
        subprocess.run(command, cwd=target, env=environment | {"SHIM_PORT": port}, check=False, capture_output=True)
    finally:
        server.terminate()
        server.wait(20)
    found: dict[str, str] = {}
    for suite in json.loads((target / "results.json").read_text("utf-8"))["testResults"]:
        name = Path(suite["name"]).relative_to(target.resolve())
        found |= {f"{name} > {test['title']}": test["status"] for test in suite["assertionResults"]}
    return found


def known_failures() -> set[str]:
    """Digests of the tests that fail on the agent's own router too."""
    lines = (line for line in KNOWN.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {line.split()[0] for line in lines}


def digest(test: str) -> str:
    """The first 16 characters of a test's sha256; titles of others are not copied into this repository."""
    return hashlib.sha256(test.encode("utf-8")).hexdigest()[:16]


def main() -> int:
    """Run and compare; 0 if every test passes that passes on the agent itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--work", type=Path, help="kept folder: the packages are installed once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        target = (options.work or Path(made)).resolve()
        target.mkdir(parents=True, exist_ok=True)
        extract(options.clone, target)
        found = run(target)
    known = known_failures()
    expected = {test for test in found if digest(test) not in known}
    failed = sorted(test for test in expected if found[test] != "passed")
    for test in failed:
        print(f"{found[test]}: {test} ({digest(test)})")
    print(f"{len(expected) - len(failed)} of {len(expected)} tests pass that pass on the agent itself")
    more = sorted(test for test in found if test not in expected and found[test] == "passed")
    print(f"{len(more)} of {len(found) - len(expected)} tests pass that fail on the agent itself")
    return 1 if failed or len(expected) != 48 else 0


if __name__ == "__main__":
    sys.exit(main())
