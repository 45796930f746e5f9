"""Figures of stability in a report that was written before they were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.evaluation.model import dry_run_evaluation
from voicemill.evaluation.voice_report import ReportData, write_report
from voicemill.lane.stability import MOST_SENTENCES, add_to_report, section
from voicemill.verify.stability_figures import FailedSentence, Stability

DIGEST = "a" * 64


def measured(failed: int) -> Stability:
    sentences = tuple(
        FailedSentence(text=f"<b>Number {n}.", failures=("recogniser",), recognised="", word_error_rate=1.0)
        for n in range(failed)
    )
    return Stability(
        bundle_manifest_sha256=DIGEST,
        recogniser="openai/whisper-tiny.en",
        seed=1,
        count=1000,
        failed=failed,
        failures={"recogniser": failed} if failed else {},
        doubted=failed,
        second_recogniser="openai/whisper-base" if failed else "",
        word_error_rate=0.0312,
        seconds_of_speech=5000.4,
        sentences=sentences,
    )


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "anna.html"
    data = ReportData(
        display_name="Anna",
        voice="anna",
        created_at="2026-11-30T12:00:00Z",
        evaluation=dry_run_evaluation(source_status="complete"),
        provenance=[("bundle manifest sha256", DIGEST)],
    )
    write_report(path, data)
    return path


def test_the_report_gets_the_figures(report: Path) -> None:
    before = report.read_text("utf-8")
    assert 'id="stability"' not in before
    assert add_to_report(report, measured(2))
    after = report.read_text("utf-8")
    assert "2 of 1000 came out wrong" in after
    assert "&lt;b&gt;Number 1." in after
    assert "<b>Number" not in after
    assert after.replace(after[after.index("begin -->") + 9 : after.index("<!-- stability: end")], "") == before


def test_the_rows_name_the_recognisers_that_decided() -> None:
    doubted = section(measured(2))
    for row in ("wrong by openai/whisper-tiny.en", "openai/whisper-base", "3.1 %", "5000 s", "far from the text"):
        assert row in doubted, row
    sure = section(measured(0))
    for row in ("wrong by", "decided by", "far from the text"):
        assert row not in sure, row


def test_later_figures_replace_earlier_ones(report: Path) -> None:
    assert add_to_report(report, measured(MOST_SENTENCES + 10))
    assert f"wrong, the first {MOST_SENTENCES}</caption>" in report.read_text("utf-8")
    assert add_to_report(report, measured(0))
    document = report.read_text("utf-8")
    assert (document.count('id="stability"'), "0 of 1000 came out wrong" in document) == (1, True)
    assert "Number" not in document


@pytest.mark.parametrize(
    "content", [None, f"an older report {DIGEST}", "<!-- stability: begin --><!-- stability: end -->"]
)
def test_another_report_is_left_alone(report: Path, content: str | None) -> None:
    report.unlink() if content is None else report.write_text(content)
    assert not add_to_report(report, measured(1))
    assert (report.read_text() if report.exists() else None) == content
