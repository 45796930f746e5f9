from __future__ import annotations

import pytest

from voicemill.evaluation.model import SpeakerResult, dry_run_evaluation, not_evaluated
from voicemill.evaluation.report_charts import LossCurve, clip_chart, loss_charts, speaker_chart, stage_chart
from voicemill.evaluation.voice_report import cards, headline
from voicemill.evaluation.wording import figure_row, shown
from voicemill.metrics.metric import TIMES


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("cer", 0.0671, "ratio", "6.7 %"),
        ("cer_ratio", 1.2, "ratio", f"1.20 {TIMES}"),
        ("mcd", 5.25, "dB", "5.2 dB"),
        ("f0_rmse", 93.7, "cents", "94 cents"),
        ("speed", 12.3, "x real time", f"12.3 {TIMES} real time"),
        ("speaker_distance", 0.1234, "distance", "0.123"),
        ("mcd", None, "dB", "not measured"),
    ],
)
def test_figures_read_as_people_read_them(figure, name: str, value: float | None, unit: str, expected: str) -> None:
    assert shown(name, figure(value, unit)) == expected


def test_a_null_explains_itself_in_the_table(figure) -> None:
    found = figure_row("mcd", figure(None, "dB"))
    assert found.value == "not measured"
    assert found.method == "A test. Not measured: There was nothing to measure."
    assert figure_row("cer", figure(0.1, interval=(0.05, 0.2), samples=1200)).interval == "5.0 to 20.0 %"


def test_headlines_are_plain_about_the_outcome(evaluated) -> None:
    evaluation = evaluated[1].evaluation
    assert "its own speaker is the closest match" in headline(evaluation)
    swapped = [SpeakerResult(name="own", own=True, distance=3.0), SpeakerResult(name="other", own=False, distance=1.0)]
    assert "Another speaker is a closer match" in headline(evaluation.model_copy(update={"speakers": swapped}))
    assert headline(evaluation.model_copy(update={"speakers": []})).endswith("the same sentences.")
    assert "dry run" in headline(dry_run_evaluation(source_status="ok"))
    blocked = not_evaluated(status="blocked", root_cause="synthesis_unusable", source_status="ok", why="x")
    assert "synthesis_unusable" in headline(blocked)


def test_cards_show_measured_figures_only(evaluated) -> None:
    found = {card.label: card for card in cards(evaluated[1].evaluation)}
    assert found["Word error rate"].context == "real recordings: 20.0 %"
    assert "other" in found["Distance to its speaker"].context
    assert cards(dry_run_evaluation(source_status="ok")) == []


def test_curves_of_a_group_share_a_chart() -> None:
    curves = [
        LossCurve("A", "train", [0, 1], [9.0, 2.0]),
        LossCurve("A", "validation", [0, 1], [9.0, 3.0]),
        LossCurve("B", "mel", [0, 1], [1.0, 0.5]),
        LossCurve("C", "empty", [], []),
    ]
    charts = loss_charts(curves)
    assert [(chart.title, len(chart.legend)) for chart in charts] == [("A", 2), ("B", 1)]
    assert charts[0].caption == "train from 9 to 2; validation from 9 to 3."


def test_charts_without_data_are_left_out(evaluated) -> None:
    assert clip_chart([]) is None
    assert stage_chart([]) is None
    assert speaker_chart(dry_run_evaluation(source_status="ok")) is None
    chart = speaker_chart(evaluated[1].evaluation)
    assert chart is not None
    assert chart.svg.index("own speaker") < chart.svg.rindex("other")
    assert "2 clips" in clip_chart([1.0, 2.0]).caption
    assert "0.1 minutes" in stage_chart([("decode", 2.0), ("pitch", 4.0)]).caption
