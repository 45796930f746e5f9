"""Positions in a recording as people write them: `90`, `1:30`, `1:02:30.5`."""

from __future__ import annotations

import re

from voicemill.errors import UsageError

_TIME = re.compile(r"(?:(?:(?P<hours>\d{1,3}):)?(?P<minutes>\d{1,3}):)?(?P<seconds>\d{1,6}(?:\.\d{1,6})?)", re.ASCII)


def parse_timestamp(text: str, name: str = "The time") -> float:
    """Seconds from the beginning of a recording.

    Args:
        text: seconds (`90`, `90.5`), `minutes:seconds` (`1:30`) or `hours:minutes:seconds` (`1:02:30.5`).
        name: of the option for messages, e.g. `--start`.

    Raises:
        UsageError: any other text, and 60 or more after a colon.
    """
    found = _TIME.fullmatch(text.strip())
    hint = "Write seconds (90), minutes and seconds (1:30), or hours, minutes and seconds (1:02:30.5)."
    if found is None:
        raise UsageError(f"{name} cannot be {text[:40]!r}.", hint=hint)
    hours, minutes, seconds = found["hours"], found["minutes"], float(found["seconds"])
    if minutes is not None and seconds >= 60:
        raise UsageError(f"{name} cannot be {text[:40]!r}: a minute has no second {found['seconds']}.", hint=hint)
    if hours is not None and int(minutes) >= 60:
        raise UsageError(f"{name} cannot be {text[:40]!r}: an hour has no minute {minutes}.", hint=hint)
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + seconds


def parse_time_range(start: str | None, end: str | None) -> tuple[float | None, float | None]:
    """`--start` and `--end` as seconds; None if the option was not given.

    Raises:
        UsageError: a time cannot be parsed, or the end is not after the start.
    """
    first = None if start is None else parse_timestamp(start, "--start")
    last = None if end is None else parse_timestamp(end, "--end")
    if last is not None and last <= (first or 0.0):
        raise UsageError(
            f"--end {end} is not after --start {start or 0}.", hint="Give an end that comes later than the start."
        )
    return first, last


__all__ = ["parse_time_range", "parse_timestamp"]
