"""`make test` in a container, for real."""

from __future__ import annotations

import re

import pytest

from .conftest import Checkout

PARTS = ("tests/unit/test_machine.py", "tests/unit/test_git.py", "tests/apps/test_entry_points.py")


@pytest.mark.exhaustive
def test_make_test_runs_in_the_development_image(checkout: Checkout, image: str) -> None:
    """A few folders stand for all: the tools of each kind of test are there, and nothing in the checkout changes owner."""
    done = checkout.run("bash", "scripts/test.sh", "-m", "not exhaustive", *PARTS, timeout=3000, TEST_ENGINE="own")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1])
    assert checkout.run("git", "status", "--porcelain").stdout == ""
    owners = {path.lstat().st_uid for path in checkout.root.rglob("*")}
    assert owners == {checkout.uid}
