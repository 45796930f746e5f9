from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.audio.timestamps import parse_time_range, parse_timestamp
from voicemill.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0", 0.0),
        ("90.25", 90.25),
        ("1:30", 90.0),
        ("01:30", 90.0),
        ("90:05", 5405.0),
        ("1:02:30.5", 3750.5),
        (" 10:00:00 ", 36_000.0),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1:60",
        "1:60:00",
        "1:2:3:4",
        "1m30",
        "1:",
        ":30",
        "1,5",
        "1e3",
        "nan",
        "inf",
        "٣",
        "0x10",
        "1_0",
        "1:-3",
    ],
)
def test_invalid_timestamps(text: str) -> None:
    with pytest.raises(UsageError, match="--start cannot be") as caught:
        parse_timestamp(text, "--start")
    assert (caught.value.reason, caught.value.exit_code) == ("bad_usage", 1)
    assert "1:02:30.5" in caught.value.hint


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_hours_minutes_and_seconds_round_trip(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{hours}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"
    assert parse_timestamp(text) == pytest.approx(3600 * hours + 60 * minutes + seconds + milliseconds / 1000)


def test_time_ranges() -> None:
    assert parse_time_range(None, None) == (None, None)
    assert parse_time_range("1:30", "2:00.5") == (90.0, 120.5)
    assert parse_time_range(None, "5") == (None, 5.0)
    for start, end in (("2:00", "90"), ("5", "5"), (None, "0")):
        with pytest.raises(UsageError, match="not after"):
            parse_time_range(start, end)
