"""A recording whose every second is known, with all that goes wrong in a reading, prepared in one command: what was kept
and what was left out, against the truth. The same at two hours: tests/local/13-two-hours.sh.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("flite") is None, reason="flite, which reads the recording, is not installed"),
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of judge.py for a recording of eight minutes."""
    folder = tmp_path_factory.mktemp("long")
    tools = ROOT / "scripts/construction"
    build = [sys.executable, str(tools / "build.py"), "--minutes", "8", "--seed", "1", str(folder)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    environment = os.environ | {"WORK_DIR": str(folder / "work"), "CACHE_DIR": str(folder / "cache")}
    argv = [sys.executable, str(ROOT / "apps/voice-prep/voice-prep.py"), "--voice", "ann", "--no-report"]
    argv += ["--audio", str(folder / "recording.flac"), "--script", str(folder / "script.txt")]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    judge = [sys.executable, str(tools / "judge.py"), "--json", str(folder), str(folder / "work/datasets/ann")]
    judged = subprocess.run(judge, capture_output=True, text=True, timeout=120, check=False)
    assert judged.stdout, judged.stderr
    found: dict[str, Any] = json.loads(judged.stdout)
    return found | {"code": judged.returncode}


def test_the_speech_is_kept_with_the_right_text(verdict: dict[str, Any]) -> None:
    assert verdict["targets"] > 60
    assert verdict["kept"] >= 0.98, verdict["lost"]
    assert verdict["wrong"] == []


def test_clips_begin_and_end_where_the_speech_does(verdict: dict[str, Any]) -> None:
    for what in ("edges", "sentences", "words"):
        assert verdict[what][1] < 0.060, (what, verdict[what])


def test_everything_else_is_left_out_with_its_reason(verdict: dict[str, Any]) -> None:
    fates = verdict["fates"]
    assert fates["superseded"] == {"repeated_take": 2}
    assert sum(fates["broken"].values()) == 2
    assert sum(fates["inserted"].values()) == 2
    assert sum(fates["other_voice"].values()) == 4
    assert sum(fates["music"].values()) == 1
    kept = {kind for kind, found in fates.items() if "kept" in found}
    assert kept == {"target"}
    assert verdict["skipped_right"]


def test_all_goals_are_met(verdict: dict[str, Any]) -> None:
    assert verdict["failures"] == []
    assert verdict["code"] == 0
