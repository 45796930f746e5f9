"""The shape of the library, as far as import-linter does not check it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path


def test_a_class_name_stands_for_one_thing(repository: Path) -> None:
    places = defaultdict(list)
    for path in sorted((repository / "lib").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(repository)}:{node.lineno}")
    assert len(places) > 300
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
