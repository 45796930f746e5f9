"""`cuts.tsv`: the reason for each cut, one row a cut; for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from voicemill import files
from voicemill.audio.cuts import Cut, CutReason, Join, JoinReason
from voicemill.dataset.candidates import CandidateClip

NAME = "cuts.tsv"
COLUMNS = ("id", "source", "edge", "second", "reason", "pause_seconds", "level_dbfs", "outcome", "explanation")

_CUTS: dict[CutReason, str] = {
    "edge": "nothing but silence from here to the recording's edge",
    "pause": "a pause in the speech",
    "word_pause": "a pause between two recognised words",
    "sentence_gap": "two sentences follow closely: the widest silence between their words",
    "longest_pause": "too long otherwise: the longest pause in it",
    "dip": "too long otherwise: the longest dip in its level, as it has no pause",
    "word_edge": "the first or last word of the text is beside it; sound outside the words was cut off",
    "caption": "the timed transcript parts two captions here; moved into the silence beside",
    "review": "a person moved the edge to here in the review",
}
_JOINS: dict[JoinReason, str] = {
    "too_short": "not cut: a part would be shorter than the minimum",
    "no_silence": "not cut: no silence between the words",
}


def rows(made: Sequence[CandidateClip], outcomes: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The table without its head: for each clip its beginning, the pauses inside that were passed over, and its end.

    Args:
        made: all clips that were cut, also those left out later.
        outcomes: reason by id of those that were left out.
    """
    found: list[tuple[str, ...]] = []
    for clip in made:
        utterance, outcome = clip.utterance, outcomes.get(clip.id, "kept")
        source, offset = utterance.recording.source.name, utterance.recording.source.offset
        marks: list[tuple[str, Cut | Join]] = [("inside", join) for join in utterance.joins]
        if utterance.cuts:
            marks = [("start", utterance.cuts[0]), *marks, ("end", utterance.cuts[-1])]
        for edge, mark in marks:
            level = "" if isinstance(mark, Join) or mark.level is None else f"{mark.level:.1f}"
            why = _JOINS[mark.reason] if isinstance(mark, Join) else _CUTS[mark.reason]
            place = f"{offset + mark.second:.3f}"
            found.append((clip.id, source, edge, place, mark.reason, f"{mark.pause:.3f}", level, outcome, why))
    return found


def write(path: Path, table: Iterable[Sequence[str]]) -> None:
    """Write head and rows, atomically; a tab or line break in a name becomes a blank."""
    lines = [COLUMNS, *table]
    files.write_text(path, "".join("\t".join(" ".join(cell.split()) for cell in line) + "\n" for line in lines))


def read(path: Path) -> list[dict[str, str]]:
    """The rows by column."""
    head, *lines = path.read_text("utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def as_rows(path: Path) -> list[tuple[str, str]]:
    """The rows as two columns: place and reason."""
    shown = []
    for row in read(path):
        level = f", {row['level_dbfs']} dBFS" if row["level_dbfs"] else ""
        outcome = "" if row["outcome"] == "kept" else f" ({row['outcome']})"
        shown.append(
            (
                f"{row['id']} {row['edge']} {float(row['second']):.2f} s",
                f"{row['explanation']}; pause of {float(row['pause_seconds']):.2f} s{level}{outcome}",
            )
        )
    return shown
