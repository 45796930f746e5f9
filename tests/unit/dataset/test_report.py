from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.dataset.report import Rejection, make_report, require_fitting
from voicemill.errors import DatasetError


def _row(reason: str, seconds: float, start: float = 0.0) -> Rejection:
    return Rejection(
        source="take.flac", start=start, end=start + seconds, seconds=seconds, reason=reason, text="Some words."
    )


def test_every_second_is_accounted_for() -> None:
    report = make_report(
        60.0,
        40.0,
        [_row("clipped", 5.0, 20.0), _row("no_text", 2.5), _row("clipped", 1.5, 3.0)],
        ["Never said."],
        {"zyx": "Z IH K S"},
    )
    assert report.guessed_words == ("zyx",)
    assert report.guessed_pronunciations == {"zyx": "Z IH K S"}
    lost = sum(total.seconds for total in report.by_reason.values())
    assert report.seconds_in == pytest.approx(report.seconds_kept + report.seconds_pause + lost)
    assert {reason: total.count for reason, total in report.by_reason.items()} == {"clipped": 2, "no_text": 1}
    assert [row.start for row in report.rejected] == [0.0, 3.0, 20.0]
    assert report.unspoken == ("Never said.",)


def test_a_few_misfits_are_left_out_many_are_an_error() -> None:
    require_fitting([], 10)
    require_fitting([_row("text_mismatch", 1.0)] * 3, 10)
    with pytest.raises(DatasetError, match=r"4 of 10 clips.*take\.flac 0\.0-1\.0 s \('Some words\.'\)") as caught:
        require_fitting([_row("text_mismatch", 1.0)] * 4, 10)
    assert caught.value.reason == "text_mismatch:4_of_10"


@given(
    st.lists(st.tuples(st.sampled_from(["clipped", "no_text", "audio_silent:x"]), st.floats(0.0, 50.0)), max_size=30),
    st.lists(st.floats(0.0, 12.0), max_size=30),
    st.floats(0.0, 500.0),
)
def test_the_counts_always_add_up(lost: list[tuple[str, float]], kept: list[float], pauses: float) -> None:
    rows = [_row(reason, round(seconds, 3)) for reason, seconds in lost]
    whole = sum(kept) + sum(row.seconds for row in rows) + pauses
    report = make_report(whole, sum(kept), rows, [], {})
    parts = [report.seconds_kept, report.seconds_pause, *(total.seconds for total in report.by_reason.values())]
    assert report.seconds_in == pytest.approx(sum(parts), abs=1e-6)
    assert report.seconds_pause == pytest.approx(pauses, abs=2e-3)
    assert sum(total.count for total in report.by_reason.values()) == len(report.rejected) == len(rows)
