"""OpenMP's wait policy is set by the package itself, before torch can be loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("given", "policy", "spins"),
    [
        ({}, "PASSIVE", "1000"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", None),
        ({"GOMP_SPINCOUNT": "7"}, None, "7"),
    ],
)
def test_waiting_threads_sleep_soon_unless_the_environment_says_otherwise(
    repository: Path, given: dict[str, str], policy: str | None, spins: str | None
) -> None:
    code = """
import sys, os, voicemill.files
assert "torch" not in sys.modules
print([os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")])
"""
    environment = {"PYTHONPATH": str(repository / "lib"), **given}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([policy, spins])


def test_torch_s_openmp_takes_both(repository: Path) -> None:
    """`OMP_DISPLAY_ENV` makes libgomp print its settings when it is loaded."""
    environment = {"PYTHONPATH": str(repository / "lib"), "OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run(
        [sys.executable, "-c", "import voicemill, torch"], env=environment, capture_output=True, text=True, check=True
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
    assert "GOMP_SPINCOUNT = '1000'" in done.stderr
