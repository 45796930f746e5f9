"""Importing a prepared voice, killed and failed at its calls."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from voicemill.dataset import description
from voicemill.voices import archive
from voicemill.workspace import Workspace

from .conftest import APPS, CHANGES, CREATE, FAIL_FROM, FSYNC, HALF, KILL, RENAME, WRITE, Driver, Fault, litter
from .test_bundle_faults import plainly

if TYPE_CHECKING:
    from voicemill.dataset.prepared import PreparedDataset

PREP = APPS / "voice-prep/voice-prep.py"


@pytest.fixture
def parcel(prepared: PreparedDataset, tmp_path: Path) -> Path:
    """An exported voice, `ann`."""
    made = Workspace(work=tmp_path / "from/work", cache=tmp_path / "from/cache")
    shutil.copytree(prepared.root, made.dataset("ann"))
    return archive.export(made, "ann", tmp_path / "ann.zip").path


def dataset(root: Path) -> bool:
    """Whether the dataset is there; half of one is an error."""
    place = root / "datasets/ann"
    if not place.exists():
        return False
    described = description.read(place)
    assert described is not None
    assert description.differences(place, described) == []
    return True


def spread(calls: int) -> list[int]:
    """Every call at both ends, where names change, and every twentieth of the many alike in the middle."""
    return sorted({*range(1, min(8, calls) + 1), *range(12, calls, 20), *range(max(1, calls - 12), calls + 1)})


@pytest.mark.slow
def test_a_killed_import_leaves_the_voice_or_none(driver: Driver, empty: Callable[[], Path], parcel: Path) -> None:
    for kinds, how in ((CHANGES, KILL), (WRITE, HALF)):
        calls = driver(empty(), PREP, "import", parcel, fault=Fault(kinds)).seen
        assert calls > 20
        for at in spread(calls):
            root = empty()
            killed = driver(root, PREP, "import", parcel, fault=Fault(kinds, how, at))
            assert killed.code == -9, (at, killed.stderr)
            there = dataset(root)
            again = driver(root, PREP, "import", parcel)
            assert again.code == (1 if there else 0), (at, again.stderr)
            assert dataset(root)
            listed = driver(root, PREP, "list")
            assert (listed.code, "ann" in listed.stdout + listed.stderr) == (0, True)
            if not there:
                assert litter(root) == [], at


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "error", "reason"),
    [
        (WRITE | CREATE, errno.ENOSPC, "disk_full"),
        (FSYNC, errno.EIO, "not_writable"),
        (RENAME, errno.EIO, "not_writable"),
    ],
)
def test_an_import_that_fails_publishes_no_dataset(
    driver: Driver, empty: Callable[[], Path], parcel: Path, kinds: int, error: int, reason: str
) -> None:
    whole = driver(empty(), PREP, "import", parcel, fault=Fault(kinds))
    assert whole.code == 0, whole.stderr
    for at in spread(whole.seen):
        root = empty()
        done = driver(root, PREP, "import", parcel, fault=Fault(kinds, FAIL_FROM, at, error))
        plainly(done, PREP.stem, 2, reason)
        dataset(root)  # whole or not there; only its record in the cache may be missing
        assert litter(root) == []
