"""`voicemill.launch` runs where only Python is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
package = importlib.import_module(sys.argv[2])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("bridge"):  # started by the Python of vast.ai's client
        importlib.import_module(module.name)
        print(module.name)
allowed = {"voicemill", "voicemill_rental"} | set(sys.stdlib_module_names)
print(sorted({name.partition(".")[0] for name in sys.modules} - allowed - {"__main__", "__mp_main__"}))
"""


@pytest.mark.parametrize(
    ("package", "some"),
    [("voicemill.launch", "voicemill.launch.managed_job"), ("voicemill_rental", "voicemill_rental.lifecycle")],
)
def test_every_module_is_importable_without_site_packages(repository: Path, package: str, some: str) -> None:
    """`-I -S`: no environment variables, no user site, no site-packages."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(repository / "lib"), package],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *imported, others = done.stdout.splitlines()
    assert some in imported
    assert others == "[]"
