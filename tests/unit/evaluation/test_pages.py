"""The pages share one stylesheet, one set of template parts, one render function and one chart module."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.evaluation import training_page, voice_report
from voicemill.review import dataset_page

TEMPLATES = [voice_report.TEMPLATE, training_page.TEMPLATE, dataset_page.TEMPLATE]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_page_includes_the_shared_stylesheet_and_parts(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert '{% include "style.css" %}' in text
    assert '{% from "parts.html.j2" import chart' in text
    assert "Content-Security-Policy" in text


def test_charts_are_drawn_by_one_module(repository: Path) -> None:
    drawing = [
        path.name
        for path in sorted((repository / "lib/voicemill").rglob("*.py"))
        if "<polyline" in path.read_text(encoding="utf-8") or "<rect" in path.read_text(encoding="utf-8")
    ]
    assert drawing == ["charts.py"]


def test_modules_of_the_evaluation_import_one_another_in_one_direction(repository: Path) -> None:
    """No cycle, also not through imports inside functions."""
    folder = repository / "lib/voicemill/evaluation"
    imports = {
        path.stem: {
            line.split("voicemill.evaluation.")[1].split(" ")[0]
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip().startswith("from voicemill.evaluation.")
        }
        for path in folder.glob("*.py")
    }
    order: list[str] = []
    while len(order) < len(imports):
        free = sorted(name for name, needed in imports.items() if name not in order and needed <= set(order))
        assert free, f"a cycle among {sorted(set(imports) - set(order))}"
        order += free
