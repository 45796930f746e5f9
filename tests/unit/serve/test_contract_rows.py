"""The list of contract rows in tests/ancestor names tests that exist, and has every row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ANCESTOR = HERE.parents[1] / "ancestor"
ROWS = ["B", "C1", "C2", *(f"C3.{number}" for number in range(1, 17)), "C4", "D", "E", "F", "G"]


def rows() -> list[tuple[str, str]]:
    found = re.findall(r"^\| ([B-G][\d.]*) [^|]*\| (.+) \|$", (ANCESTOR / "README.md").read_text("utf-8"), re.MULTILINE)
    assert found
    return found


def test_every_row_is_listed() -> None:
    assert set(ROWS) <= {row for row, _ in rows()}


def test_every_test_exists() -> None:
    for row, tests in rows():
        for file, name in re.findall(r"`(test_\w+\.py)::(\w+)`", tests):
            tree = ast.parse((HERE / file).read_text("utf-8"))
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (row, file, name)


def test_eleven_tests_are_known_to_fail_on_the_agent_itself() -> None:
    lines = (ANCESTOR / "known_failures.txt").read_text("utf-8").splitlines()
    digests = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert len(set(digests)) == 11
    assert all(re.fullmatch(r"[0-9a-f]{16}", digest) for digest in digests)
