from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from voicemill.errors import BundleError
from voicemill.evaluation.model import (
    Evaluation,
    Figure,
    SpeakerResult,
    dry_run_evaluation,
    not_evaluated,
    read_evaluation,
    write_evaluation,
)


def test_a_figure_is_measured_or_says_why_not() -> None:
    common = {"unit": "dB", "method": "m", "library": "l", "version": "1"}
    Figure(value=1.0, **common)
    Figure(value=None, not_measured="no speech", **common)
    for wrong in ({"value": None}, {"value": 1.0, "not_measured": "no speech"}, {"value": float("nan")}):
        with pytest.raises(ValidationError):
            Figure(**common, **wrong)


def test_a_dry_run_measures_nothing_and_repeats_byte_for_byte(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    for path in (first, second):
        write_evaluation(path, dry_run_evaluation(source_status="ok"))
    assert first.read_bytes() == second.read_bytes()
    written = json.loads(first.read_text(encoding="utf-8"))
    assert [written[name] for name in ("dry_run", "mos_proxy", "wer_proxy", "final_loss")] == [True, None, None, 0.0]
    assert {"mos_proxy", "wer_proxy"} <= set(written["not_measured"])


def test_a_null_at_the_top_needs_its_reason() -> None:
    whole = dry_run_evaluation(source_status="ok").model_dump()
    with pytest.raises(ValidationError, match="mos_proxy is null"):
        Evaluation.model_validate(whole | {"not_measured": {"wer_proxy": "why"}})


def test_a_blocked_run_says_so() -> None:
    blocked = not_evaluated(status="blocked", root_cause="nemo_runtime_unavailable", source_status="blocked", why="x")
    assert blocked.not_measured["final_loss"] == "The training status carries no final loss."
    assert blocked.own_speaker_nearest is None


@pytest.mark.parametrize(("own", "other", "expected"), [(0.1, 0.5, True), (0.5, 0.1, False)])
def test_whose_voice_it_is(own: float, other: float, expected: bool) -> None:
    speakers = [SpeakerResult(name="own", own=True, distance=own), SpeakerResult(name="x", own=False, distance=other)]
    found = dry_run_evaluation(source_status="ok").model_copy(update={"speakers": speakers})
    assert found.own_speaker_nearest is expected


def test_an_evaluation_written_is_read_back(tmp_path: Path, evaluated) -> None:
    path = tmp_path / "eval.json"
    write_evaluation(path, evaluated[1].evaluation)
    assert read_evaluation(path) == evaluated[1].evaluation


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "missing_evaluation"),
        ("{", "evaluation_invalid"),
        ('{"status": "ok"}', "evaluation_invalid"),
    ],
)
def test_an_invalid_evaluation_is_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "eval.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(BundleError) as caught:
        read_evaluation(path)
    assert caught.value.code == reason
