"""Accounts of the input: every second is kept, a pause, or rejected for a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, field_validator

from voicemill import path_names
from voicemill.errors import DatasetError

MAX_MISFITS = 0.3
"""With more than this share of the clips not sounding like their text, the text belongs to something else."""


class Rejection(BaseModel):
    """A stretch of a recording that became no clip.

    Attributes:
        source: name of the recording.
        start: seconds in it.
        end: seconds in it.
        seconds: length.
        reason: stable code: `alignment_failed`, `text_mismatch`, `clipped`, `noisy`, `no_speech`, `no_text`,
            `repeated_take`, `too_long`, `too_short`, `extra_speech`, `text_not_english`, a code of `judging`,
            `dropped_in_review`, or why a file is unusable.
        text: its text.
        detail: a sentence.
        figure: the measurement, in `unit`; None for a reason without a degree.
        unit: of `figure` and `limit`.
        limit: that the figure passed.
        id: of the clip, where one was cut.
        audio: its sound below the dataset, where rejected sounds are kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    start: float
    end: float
    seconds: float
    reason: str
    text: str = ""
    detail: str = ""
    figure: float | None = None
    unit: str = ""
    limit: float | None = None
    id: str = ""
    audio: str = ""

    @field_validator("audio")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        return str(path_names.portable_relative(path)) if path else path


class ReasonTotal(BaseModel):
    """Clips and seconds rejected for one reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    seconds: float


class Report(BaseModel):
    """Where the seconds went: `seconds_in` = `seconds_kept` + `seconds_pause` + the seconds of `by_reason`.

    Attributes:
        seconds_in: all recordings.
        seconds_kept: all clips.
        seconds_pause: silence between clips.
        by_reason: number and seconds of the rejected stretches.
        rejected: each rejected stretch, in the order of the input.
        unspoken: sentences of the script that were not found in the recording.
        guessed_words: words that no dictionary lists; their pronunciation is a guess worth a look.
        guessed_pronunciations: each of these words and the phones that were guessed, as a line of `--lexicon` has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds_in: float
    seconds_kept: float
    seconds_pause: float
    by_reason: dict[str, ReasonTotal]
    rejected: tuple[Rejection, ...]
    unspoken: tuple[str, ...]
    guessed_words: tuple[str, ...]
    guessed_pronunciations: dict[str, str] = {}


def make_report(
    seconds_in: float,
    seconds_kept: float,
    rejected: Sequence[Rejection],
    unspoken: Iterable[str],
    guessed: Mapping[str, str],
) -> Report:
    """Sum up; time that is neither kept nor rejected is pause."""
    totals: dict[str, ReasonTotal] = {}
    for row in rejected:
        code = row.reason.partition(":")[0]
        before = totals.get(code, ReasonTotal(count=0, seconds=0.0))
        totals[code] = ReasonTotal(count=before.count + 1, seconds=round(before.seconds + row.seconds, 3))
    lost = sum(total.seconds for total in totals.values())
    kept, whole = round(seconds_kept, 3), round(seconds_in, 3)
    return Report(
        seconds_in=whole,
        seconds_kept=kept,
        seconds_pause=round(whole - kept - lost, 3),
        by_reason=dict(sorted(totals.items())),
        rejected=tuple(sorted(rejected, key=lambda row: (row.source, row.start, row.end))),
        unspoken=tuple(unspoken),
        guessed_words=tuple(guessed),
        guessed_pronunciations=dict(guessed),
    )


def require_fitting(misfits: Sequence[Rejection], clips: int) -> None:
    """Refuse a dataset in which too many clips do not say their text.

    Raises:
        DatasetError: `text_mismatch:<n>_of_<m>`, naming the first of them.
    """
    if not misfits or len(misfits) <= MAX_MISFITS * clips:
        return
    named = ", ".join(f"{row.source} {row.start:.1f}-{row.end:.1f} s ({row.text[:40]!r})" for row in misfits[:5])
    more = f", and {len(misfits) - 5} more" if len(misfits) > 5 else ""
    raise DatasetError(
        f"{len(misfits)} of {clips} clips do not sound like their text: {named}{more}.",
        reason=f"text_mismatch:{len(misfits)}_of_{clips}",
        hint="Check that recording and text belong together.",
    )
