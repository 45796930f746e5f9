"""A step of the lane in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STEP = """
import os, sys
from pathlib import Path
from voicemill.boundary import guarded
from voicemill_musicgen.lane import run_step

sys.exit(guarded(lambda: run_step("prepare", dict(os.environ), Path(sys.argv[1]))))
"""


def test_a_signal_that_breaks_an_import_is_told_as_the_interruption(tmp_path: Path, repository: Path) -> None:
    """As a compiled module does it: what is raised while it is loaded comes out as an ImportError."""
    lines = ("import os, signal", "try:", "    os.kill(os.getpid(), signal.SIGTERM)", "except Exception as error:")
    broken = "\n".join((*lines, "    raise ImportError('initialization failed', name='numpy') from error"))
    (tmp_path / "numpy.py").write_text(broken)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(repository / "lib")))}
    done = subprocess.run(
        [sys.executable, "-c", STEP, str(repository)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 143, done.stderr
    assert "[tts-prod][error] interrupted:sigterm" in done.stderr
    assert "status=blocked" not in done.stdout
