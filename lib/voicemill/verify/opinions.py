"""What listeners think of a voice: `opinions.json` beside its bundle, with every answer, its rater and its bundle.

mean opinion score    each answer is 1 to 5 for one sentence; the interval is over raters
preference            each answer is one of two sounds, or neither; blind, in random order
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.bundle.contents import OPINIONS
from voicemill.errors import BundleError
from voicemill.locks import folder_lock
from voicemill.metrics.intervals import interval_of_mean, wilson

MOST_ANSWERS = 100_000
SCORES = ("Bad", "Poor", "Fair", "Good", "Excellent")
"""ITU-T P.800's words for the scores 1 to 5."""


class Answer(BaseModel):
    """One answer of one listener.

    Attributes:
        bundle: sha256 of the manifest of the bundle that spoke.
        rater: as the listener names himself.
        time: RFC 3339.
        score: 1 to 5; None for a comparison.
        other: sha256 of the manifest of the bundle that it was compared with; None for a score.
        preferred: of a comparison: this bundle, the other one, or neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: str = Field(pattern="^[0-9a-f]{64}$")
    rater: str = Field(min_length=1, max_length=100)
    time: str
    text: str = Field(max_length=5000)
    score: int | None = Field(default=None, ge=1, le=5)
    other: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    preferred: Literal["this", "other", "neither"] | None = None


class Opinions(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["voicemill_opinions/1"] = "voicemill_opinions/1"
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Score:
    """A mean opinion score.

    Attributes:
        interval: 95 %, over raters where there are at least two, else over answers; None for a single answer.
    """

    mean: float
    interval: tuple[float, float] | None
    answers: int
    raters: int


@dataclass(frozen=True)
class Preference:
    """How often a bundle was preferred to another one.

    Attributes:
        share: of the answers that prefer one of the two; None where none does.
        interval: 95 % of that share (Wilson).
    """

    other: str
    share: float | None
    interval: tuple[float, float] | None
    this: int
    against: int
    neither: int
    raters: int


def path_of(root: Path) -> Path:
    """The file of a bundle's folder."""
    return root.resolve().parent / OPINIONS


def read(root: Path) -> Opinions:
    """The opinions beside a bundle; none where there is no file.

    Raises:
        BundleError: `opinions_invalid:<name>`.
    """
    path = path_of(root)
    if not path.exists():
        return Opinions()
    try:
        return Opinions.model_validate(files.read_json(path))
    except (OSError, ValueError, ValidationError) as error:
        raise BundleError(
            f"{path} cannot be read.", reason=f"opinions_invalid:{path.parent.name}", hint="Move that file away."
        ) from error


def add(root: Path, answers: Iterable[Answer]) -> Opinions:
    """Add answers beside a bundle.

    Raises:
        BundleError: `opinions_invalid`.
        StorageError: it cannot be written.
    """
    with folder_lock(root):
        known = read(root)
        kept = Opinions(answers=(*known.answers, *answers)[-MOST_ANSWERS:])
        files.write_json(path_of(root), kept.model_dump(mode="json", exclude_none=True))
        return kept


def score_of(opinions: Opinions, bundle: str) -> Score | None:
    """The mean opinion score of a bundle: each rater counts once."""
    by_rater: dict[str, list[int]] = {}
    for answer in opinions.answers:
        if answer.bundle == bundle and answer.score is not None:
            by_rater.setdefault(answer.rater.casefold(), []).append(answer.score)
    if not by_rater:
        return None
    means = [fmean(scores) for scores in by_rater.values()]
    every = [float(score) for scores in by_rater.values() for score in scores]
    interval = interval_of_mean(means if len(means) > 1 else every)
    return Score(fmean(means), interval, len(every), len(means))


def preferences_of(opinions: Opinions, bundle: str) -> list[Preference]:
    """How a bundle fared against each other one that it was compared with."""
    compared = [answer for answer in opinions.answers if answer.bundle == bundle and answer.other is not None]
    return [_preference([one for one in compared if one.other == other], other) for other in _others(compared)]


def _others(answers: Sequence[Answer]) -> list[str]:
    return list(dict.fromkeys(answer.other for answer in answers if answer.other is not None))


def _preference(answers: Sequence[Answer], other: str) -> Preference:
    this, against = (sum(one.preferred == side for one in answers) for side in ("this", "other"))
    decided = this + against
    share = this / decided if decided else None
    return Preference(
        other=other,
        share=share,
        interval=wilson(this, decided) if decided else None,
        this=this,
        against=against,
        neither=sum(one.preferred == "neither" for one in answers),
        raters=len({one.rater.casefold() for one in answers}),
    )
