from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from voicemill.dataset.prepared import PreparedDataset, load_checked
from voicemill.dataset.report import Rejection, make_report

EVIL = "</script><img src=x onerror=alert(1)> \"'&{{7*7}}"


@pytest.fixture
def dataset(prepared: PreparedDataset, tmp_path: Path) -> PreparedDataset:
    """A copy that tests may change."""
    shutil.copytree(prepared.root, tmp_path / "demo")
    return load_checked(tmp_path / "demo")


@pytest.fixture
def hostile(dataset: PreparedDataset) -> PreparedDataset:
    """The dataset with texts, names and reasons that contain markup, and with rejected stretches."""
    entries = [entry.model_copy(update={"text": f"{EVIL} {entry.text}", "source": EVIL}) for entry in dataset.entries]
    first = dataset.entries[0]
    rows = [
        Rejection(source=first.source, start=30.0, end=33.0, seconds=3.0, reason="noisy", text=EVIL, detail="8.1 dB"),
        Rejection(source=first.source, start=40.0, end=42.0, seconds=2.0, reason="dropped_in_review", text="Gone."),
        Rejection(source=first.source, start=50.0, end=51.0, seconds=1.0, reason="no_text", detail=EVIL),
    ]
    report = make_report(60.0, dataset.report.seconds_kept, rows, [EVIL], {EVIL: "AH"})
    described = dataset.description.model_copy(update={"report": report})
    return dataclasses.replace(dataset, entries=tuple(entries), description=described)
