"""Rejected stretches of the recordings, as the pages show them: reason, measured value, limit and sound."""

from __future__ import annotations

from dataclasses import dataclass

from voicemill.dataset.report import Rejection, Report

DROPPED = "dropped_in_review"
SENTENCES = {
    "alignment_failed": "its words could not be aligned",
    "audio_channel_missing": "the file is mono and has no such channel",
    "audio_lfs_pointer": "the file is a Git LFS pointer, not a recording",
    "audio_not_finite": "the file contains NaN or infinite samples",
    "audio_silent": "only silence",
    "audio_too_small": "too short to be a recording",
    "audio_track_missing": "the file has no such track",
    "audio_truncated": "the file is truncated",
    "audio_unreadable": "the file cannot be decoded",
    "clipped": "the signal clips at full scale",
    DROPPED: "dropped in the review",
    "duplicate": "a copy of an earlier clip",
    "extra_speech": "speech that is not in the script",
    "long_silence": "too much silence at one end",
    "misheard": "the recognised words differ from the text",
    "missing_audio_path": "the file is missing",
    "missing_transcript": "it has no text",
    "narrow_band": "narrow bandwidth, as of a telephone",
    "no_speech": "no speech was found",
    "no_text": "speech without text",
    "noisy": "the speech is too close to the background noise",
    "other_voice": "probably another speaker",
    "repeated_take": "a repeated take; another one is kept",
    "script_mismatch": "the speech differs from the text",
    "speaking_rate": "too fast or too slow for its text",
    "text_mismatch": "the sound does not match the text",
    "text_not_english": "the text cannot be converted to English words",
    "too_long": "too long without a pause",
    "too_short": "too short",
}
"""Reason -> its meaning; other reasons are shown unchanged."""
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
"""Reasons that a person may overrule: they come from a measurement, and the clip can still be created."""


@dataclass(frozen=True)
class ClipSound:
    """Address of a clip's sound: a data URI, or a path relative to the page."""

    address: str
    embedded: bool


@dataclass(frozen=True)
class RejectedRow:
    """A rejected stretch; `figure` and `limit` with their unit, empty where nothing was measured."""

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
    sound: ClipSound | None
    restorable: bool


def restorable(row: Rejection) -> bool:
    """Whether a person may restore the stretch."""
    return row.reason in KEEPABLE or row.reason == DROPPED


def rejected_row(number: int, row: Rejection, sound: ClipSound | None) -> RejectedRow:
    """A rejected stretch as the page shows it."""
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
    """A value may leave a range at either end, and a pitch shift may go in either direction."""
    if (abs(figure) if unit == "semitones" else figure) > limit:
        return f"at most {_measured(limit, unit)}"
    return f"at least {_measured(limit, unit)}"


def accounts(report: Report) -> list[tuple[str, str]]:
    """Seconds kept, paused and rejected, and their total beside the length of the recordings."""
    parts = [("kept", report.seconds_kept, ""), ("pauses between clips", report.seconds_pause, "")]
    parts += [
        (reason.replace("_", " "), total.seconds, f" in {total.count} stretch{'' if total.count == 1 else 'es'}")
        for reason, total in report.by_reason.items()
    ]
    rows = [(name, f"{seconds:.3f} s{more}") for name, seconds, more in parts]
    together = sum(seconds for _, seconds, _ in parts)
    return [*rows, ("total", f"{together:.3f} s"), ("recorded", f"{report.seconds_in:.3f} s")]


def clock(seconds: float) -> str:
    """Seconds as `1:02.5` or `1:02:30.5`."""
    whole = round(seconds * 10)
    minutes, tenths = divmod(whole, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{tenths // 10:02d}.{tenths % 10}"
