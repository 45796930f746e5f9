"""The files that say how a lane stands, while its process is killed or the disk gives up."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.bundle.differences import compare
from voicemill.files import read_json
from voicemill.settings import REPOSITORY

from .conftest import CHANGES, CREATE, FAIL_FROM, FSYNC, HALF, KILL, WRITE, Driver, Fault, litter

LANE = REPOSITORY / "scripts/voice/train_production_tts.py"
STATUS = Path("artifacts/train_status.tts_prod_train.json")
DRY = {"PROD_TTS_DRY_RUN": 1, "SOURCE_DATE_EPOCH": 1771891200, "TORCH_DEVICE": "cpu"}
FINAL = {"completed", "blocked", "error"}


def whole(root: Path) -> None:
    """Everything under its final name can be read, and bundles are what their manifests say."""
    for path in root.rglob("*.json"):
        if ".voicemill-" not in str(path.relative_to(root)):
            read_json(path)
    for path in root.rglob("manifest.json"):
        if ".voicemill-" not in str(path.relative_to(root)):
            assert compare(path.parent).ok


@pytest.mark.slow
def test_a_lane_killed_at_any_call_leaves_files_that_are_whole(driver: Driver, empty: Callable[[], Path]) -> None:
    for kinds, how, step in ((CHANGES, KILL, 7), (WRITE, HALF, 3)):
        calls = driver(empty(), LANE, fault=Fault(kinds), **DRY).seen
        assert calls > 20
        for at in range(1, calls + 1, step):
            root = empty()
            assert driver(root, LANE, fault=Fault(kinds, how, at), **DRY).code == -9
            whole(root)
            if (root / STATUS).exists():
                assert json.loads((root / STATUS).read_text())["state"] in {"running", *FINAL}
        again = driver(root, LANE, **DRY)
        assert again.code == 0, again.stderr
        assert json.loads((root / STATUS).read_text())["state"] == "completed"
        assert litter(root) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "error", "reason"),
    [(WRITE | CREATE, errno.ENOSPC, "disk_full"), (FSYNC, errno.EIO, "not_writable")],
)
def test_a_disk_that_gives_up_is_told_plainly(
    driver: Driver, empty: Callable[[], Path], kinds: int, error: int, reason: str
) -> None:
    calls = driver(empty(), LANE, fault=Fault(kinds), **DRY).seen
    for at in range(1, calls + 1, 3):
        root = empty()
        done = driver(root, LANE, fault=Fault(kinds, FAIL_FROM, at, error), **DRY)
        assert done.code == 2, (at, done.stderr)
        assert f"[tts-prod][error] {reason}" in done.stderr
        assert "Traceback" not in done.stderr
        whole_but_status(root)
        assert litter(root) == []


def whole_but_status(root: Path) -> None:
    """`whole`, but for statuses that were overwritten in place: a full disk has no room for their successors."""
    for path in root.rglob("manifest.json"):
        assert compare(path.parent).ok
    if (root / STATUS).exists() and (root / STATUS).stat().st_size:
        read_json(root / STATUS)
