"""Segmentation of speech into utterances of 1 to 12 s, cut at the quietest point of a pause."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from voicemill.audio.cuts import Cut, CutReason, Join
from voicemill.audio.cuts import Segmentation as Segmentation
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span

_DIP_DB, _DIP_SECONDS = 25.0, 0.08
"""A pause inside a speech span: at least this much quieter than its loud parts (dB), for at least this long (seconds).
The closure of a stop consonant is shorter, a weak fricative louder."""
_EDGE: CutReason = "edge"


@dataclass(frozen=True)
class Dropped:
    """Speech that is in no utterance: `too_short` without a near neighbour, or too long with `no_pause`."""

    span: Span
    reason: Literal["too_short", "no_pause"]


@dataclass(frozen=True)
class Plan:
    """Utterances and dropped speech, each in ascending order.

    Attributes:
        kept: the utterances.
        dropped: speech that is in no utterance.
        cuts: start and end of each utterance with their reasons.
        joins: pauses inside each utterance at which it was not cut because a part would be too short.
    """

    kept: list[Span]
    dropped: list[Dropped]
    cuts: list[tuple[Cut, Cut]] = field(default_factory=list)
    joins: list[tuple[Join, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class _Part:
    """Speech of one utterance, the reason for the cut before it, and the joins inside it."""

    spans: list[Span]
    before: CutReason
    joins: tuple[Join, ...] = ()

    @property
    def start(self) -> float:
        return self.spans[0].start

    @property
    def end(self) -> float:
        return self.spans[-1].end


def segment(
    spans: list[Span], samples: npt.NDArray[np.float32], rate: int, limits: Segmentation | None = None
) -> list[Span]:
    """Divide a recording into utterances.

    Args:
        spans: speech from `vad.speech_spans`, ascending and disjoint.
        samples: the recording (n,), at any rate.
        rate: its rate (Hz).
        limits: see `Segmentation`.

    Returns:
        Disjoint spans in ascending order, each within the limits; `plan` also returns dropped speech.
    """
    return plan(spans, samples, rate, limits).kept


def plan(spans: list[Span], samples: npt.NDArray[np.float32], rate: int, limits: Segmentation | None = None) -> Plan:
    """As `segment`, with the dropped speech and the reason for each cut."""
    return plan_by_levels(spans, LevelEnvelope.of(samples, rate), limits)


def plan_by_levels(spans: list[Span], levels: LevelEnvelope, limits: Segmentation | None = None) -> Plan:
    """As `plan`, from the level envelope of a recording."""
    limits = limits or Segmentation()
    found = Plan([], [])
    parts = [part for group in _group(spans, limits) for part in _split(group, levels, limits)]
    parts = _join_short(parts, limits)
    before = 0.0
    for index, part in enumerate(parts):
        border, reason = levels.seconds, _EDGE
        if index + 1 < len(parts):
            border, reason = parts[index + 1].start, parts[index + 1].before
        start = _edge(levels, part.start, before, -1, limits, part.before)
        end = _edge(levels, part.end, border, 1, limits, reason)
        voiced, padded = Span(part.start, part.end), Span(start.second, end.second)
        before = max(voiced.end, padded.end)
        if padded.duration < limits.min_duration:
            found.dropped.append(Dropped(voiced, "too_short"))
        elif padded.duration > limits.max_duration:
            found.dropped.append(Dropped(voiced, "no_pause"))
        else:
            found.kept.append(padded)
            found.cuts.append((start, end))
            found.joins.append(part.joins)
    return found


def pad(spans: list[Span], levels: LevelEnvelope, limits: Segmentation) -> list[tuple[Span, tuple[Cut, Cut]]]:
    """Pad given speech spans with silence, up to the quietest point of the pauses between them.

    Args:
        spans: ascending; if two overlap, the first ends where the second begins.
        levels: of the recording.
        limits: padding; durations and pauses are ignored.

    Returns:
        Each span with its padding, and its cuts, in the same order.
    """
    ends = [min(one.end, two.start - 1e-3) for one, two in itertools.pairwise(spans)]
    apart = [
        Span(span.start, end) for span, end in zip(spans, [*ends, *(span.end for span in spans[-1:])], strict=True)
    ]
    alone = replace(limits, min_pause=1e-9, max_joined_pause=1e-9, min_duration=1e-9, max_duration=1e9)
    found = plan_by_levels(apart, levels, alone)
    return list(zip(found.kept, found.cuts, strict=True))


def _group(spans: list[Span], limits: Segmentation) -> list[_Part]:
    """Group speech spans with pauses shorter than `min_pause`."""
    groups: list[_Part] = []
    for span in spans:
        if groups and span.start - groups[-1].end < limits.min_pause:
            groups[-1].spans.append(span)
        else:
            groups.append(_Part([span], "pause" if groups else "edge"))
    return groups


def _max_speech(limits: Segmentation) -> float:
    """Longest speech of an utterance, without its padding."""
    return limits.max_duration - 2 * limits.max_padding


def _split(group: _Part, levels: LevelEnvelope, limits: Segmentation) -> list[_Part]:
    """Split a group that is too long at its longest pause that leaves both parts long enough, repeatedly."""
    parts: list[_Part] = []
    pending = [group]  # a stack; the earliest part is on top
    seen = {
        span.start for span in group.spans
    }  # spans of voice activity detection; other pauses were found by their level
    while pending:
        part = pending.pop()
        if part.end - part.start <= _max_speech(limits):
            parts.append(part)
            continue
        cuts = [
            (right.start - left.end, index)
            for index, (left, right) in enumerate(itertools.pairwise(part.spans), start=1)
            if left.end - part.start >= limits.min_duration and part.end - right.start >= limits.min_duration
        ]
        if cuts:
            _, index = max(cuts)
            reason: CutReason = "longest_pause" if part.spans[index].start in seen else "dip"
            pending += [_Part(part.spans[index:], reason), replace(part, spans=part.spans[:index])]
            continue
        finer = _find_pauses(part.spans, levels)
        if finer == part.spans:
            parts.append(part)
        else:
            pending.append(replace(part, spans=finer))
    return parts


def _find_pauses(group: list[Span], levels: LevelEnvelope) -> list[Span]:
    """Spans split at pauses that voice activity detection missed: 80 ms or more, 25 dB below the loud parts."""
    found: list[Span] = []
    for span in group:
        inside, beginning = levels.between(span.start, span.end)
        if inside.size == 0:
            found.append(span)
            continue
        quiet = inside < np.percentile(inside, 90.0) - _DIP_DB
        edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
        start = span.start
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            left, right = beginning + (begin - 0.5) * levels.step, beginning + (end - 0.5) * levels.step
            if right - left >= _DIP_SECONDS and left > start and right < span.end:
                found.append(Span(start, left))
                start = right
        found.append(Span(start, span.end))
    return found


def _join_short(parts: list[_Part], limits: Segmentation) -> list[_Part]:
    """Join a part that is too short with the nearer neighbour, if the pause and the sum are within the limits."""
    parts = list(parts)
    index = 0
    while index < len(parts):
        part = parts[index]
        if part.end - part.start + 2 * limits.min_padding >= limits.min_duration:
            index += 1
            continue
        options = []
        for left in (index - 1, index):
            if left < 0 or left + 1 >= len(parts):
                continue
            pause = parts[left + 1].start - parts[left].end
            if pause <= limits.max_joined_pause and parts[left + 1].end - parts[left].start <= _max_speech(limits):
                options.append((pause, left))
        if not options:
            index += 1
            continue
        pause, left = min(options)
        one, two = parts[left : left + 2]
        join = Join((one.end + two.start) / 2, "too_short", pause)
        parts[left : left + 2] = [_Part(one.spans + two.spans, one.before, (*one.joins, join, *two.joins))]
        index = left
    return parts


def _edge(
    levels: LevelEnvelope,
    speech: float,
    border: float,
    direction: Literal[-1, 1],
    limits: Segmentation,
    reason: CutReason,
) -> Cut:
    """The quietest point of the pause beside the edge `speech`, between the minimum and the maximum padding.

    `border` is the nearest edge of the neighbour. Each side uses at most half of the pause, so that two utterances
    never share a sample. At the start and the end of the recording there is no neighbour: a pause that the padding may
    hold is kept whole, because a sound that is too weak to be found may lie in it.
    """
    pause = max(0.0, (border - speech) * direction)
    if reason == _EDGE and pause <= limits.max_padding:
        return Cut(border, reason, pause, None)
    most = min(limits.max_padding, pause if reason == _EDGE else pause / 2)
    least = min(limits.min_padding, most)
    low, high = sorted((speech + direction * least, speech + direction * most))
    found = levels.quietest(low, high)
    if found is None:
        return Cut(speech + direction * most, reason, pause, None)
    return Cut(found[0], reason, pause, found[1])
