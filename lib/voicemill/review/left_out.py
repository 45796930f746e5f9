"""What became no clip, as the pages show it: why, by which figure against which limit, and how it sounds."""

from __future__ import annotations

from dataclasses import dataclass

from voicemill.dataset.report import Rejection, Report

DROPPED = "dropped_in_review"
SENTENCES = {
    "alignment_failed": "its words could not be placed",
    "audio_lfs_pointer": "the file is a pointer, not a recording",
    "audio_not_finite": "the file holds values that are no sound",
    "audio_silent": "nothing but silence",
    "audio_too_small": "too short to be a recording",
    "audio_truncated": "the file breaks off",
    "audio_unreadable": "the file cannot be read as sound",
    "clipped": "the wave is cut off at full scale",
    DROPPED: "dropped in the review",
    "duplicate": "a copy of an earlier clip",
    "extra_speech": "speech that the script does not hold",
    "long_silence": "too much silence at one end",
    "misheard": "something else was heard than the text says",
    "missing_audio_path": "the file is not there",
    "missing_transcript": "it has no text",
    "narrow_band": "it sounds like a telephone",
    "no_speech": "nobody speaks",
    "no_text": "speech without text",
    "noisy": "too little above its background",
    "other_voice": "somebody else seems to speak",
    "repeated_take": "a repeated take; another one is kept",
    "script_mismatch": "says something else than its text",
    "speaking_rate": "too fast or too slow for its text",
    "text_mismatch": "does not sound like its text",
    "text_not_english": "the text cannot be spoken",
    "too_long": "too long without a pause",
    "too_short": "too short",
}
"""Reason -> what it means; a reason that is not here is shown as it stands."""
KEEPABLE = frozenset(
    {
        "clipped",
        "duplicate",
        "long_silence",
        "misheard",
        "narrow_band",
        "noisy",
        "other_voice",
        "speaking_rate",
        "text_mismatch",
    }
)
"""Reasons that a person may overrule: a measurement spoke, and the clip can be made all the same."""


@dataclass(frozen=True)
class Sound:
    """Where the page finds a clip's sound: a data URI, or a path relative to it."""

    address: str
    embedded: bool


@dataclass(frozen=True)
class RejectedRow:
    """A stretch that was left out; `figure` and `limit` with their unit, empty where nothing was measured."""

    number: int
    id: str
    source: str
    place: str
    seconds: float
    start: float
    reason: str
    means: str
    text: str
    detail: str
    value: float | None
    figure: str
    limit: str
    sound: Sound | None
    restorable: bool


def restorable(row: Rejection) -> bool:
    """Whether a person may take the stretch back."""
    return row.reason in KEEPABLE or row.reason == DROPPED


def rejected_row(number: int, row: Rejection, sound: Sound | None) -> RejectedRow:
    """A stretch that was left out, as the page shows it."""
    code = row.reason.partition(":")[0]
    return RejectedRow(
        number=number,
        id=row.id or f"stretch {number + 1}",
        source=row.source,
        place=f"{clock(row.start)} to {clock(row.end)}",
        seconds=row.seconds,
        start=row.start,
        reason=code,
        means=SENTENCES.get(code, code.replace("_", " ")),
        text=row.text,
        detail=row.detail,
        value=row.figure,
        figure="" if row.figure is None else _measured(row.figure, row.unit),
        limit="" if row.figure is None or row.limit is None else _limit(row.figure, row.limit, row.unit),
        sound=sound,
        restorable=restorable(row),
    )


def _measured(figure: float, unit: str) -> str:
    return f"{figure:.4g} {unit}".rstrip()


def _limit(figure: float, limit: float, unit: str) -> str:
    """A figure may leave a range at either end, and a shift in either direction."""
    if (abs(figure) if unit == "semitones" else figure) > limit:
        return f"at most {_measured(limit, unit)}"
    return f"at least {_measured(limit, unit)}"


def accounts(report: Report) -> list[tuple[str, str]]:
    """Where every second went, and that the parts make the whole."""
    parts = [("kept", report.seconds_kept, ""), ("pauses between clips", report.seconds_pause, "")]
    parts += [
        (reason.replace("_", " "), total.seconds, f" in {total.count} stretch{'' if total.count == 1 else 'es'}")
        for reason, total in report.by_reason.items()
    ]
    rows = [(name, f"{seconds:.3f} s{more}") for name, seconds, more in parts]
    together = sum(seconds for _, seconds, _ in parts)
    return [*rows, ("together", f"{together:.3f} s"), ("came in", f"{report.seconds_in:.3f} s")]


def clock(seconds: float) -> str:
    """Seconds as `1:02.5` or `1:02:30.5`."""
    whole = round(seconds * 10)
    minutes, tenths = divmod(whole, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{tenths // 10:02d}.{tenths % 10}"
