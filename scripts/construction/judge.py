#!/usr/bin/env python3
"""Compare a prepared dataset with the known content of a recording of build.py.

The measures:

* speech kept: share of the length of the takes that belong in the dataset (`target`, from the first phone to the last)
  that is in clips.
* wrong text: clips whose text differs from the words spoken in them, by any speaker and in any take; and clips with
  anything other than `target` takes.
* edge error: a clip should begin and end in silence, between the minimum and the maximum padding from the speech, or in
  the middle of a shorter pause. The error is the distance from this range; for a clip that cuts into speech, the whole
  distance.
* word error: distance (seconds) of the start and end of each word in the manifest's alignment from flite's phones.
  `sentence` is the same for the start of the first word and the end of the last word of each clip.

    python scripts/construction/judge.py OUT DATASET            prints the results; exit code 3 if a goal is missed
    python scripts/construction/judge.py OUT DATASET --json
"""

from __future__ import annotations

import argparse
import bisect
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from voicemill.dataset import description
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.manifest import ManifestEntry, read_entries
from voicemill.text.normalise import normalise, words

MIN_KEPT, MAX_EDGE, QUANTILE = 0.98, 0.060, 95
"""The goals: share of the speech kept, and error (seconds) of all edges and words at the percentile `QUANTILE`."""


@dataclass
class Verdict:
    """The result. Errors are seconds at the 50th, 95th and 100th percentile.

    Attributes:
        kept: share of the speech.
        clips: number of clips.
        targets: number of `target` takes.
        wrong: clips with wrong text: id, text, spoken words.
        edges: edge errors.
        cut_into: number of edges inside speech.
        words: word errors.
        sentences: errors of the first word's start and the last word's end of each clip.
        lost: `target` takes of which less than nine tenths are kept, with the reasons in the report.
        fates: number of events by kind and outcome: `kept`, or the reasons in the report.
        skipped_right: the report lists the skipped sentences as unspoken, and besides them only lost ones.
        failures: missed goals, as text.
    """

    kept: float
    clips: int
    targets: int
    wrong: list[dict[str, str]]
    edges: list[float]
    cut_into: int
    words: list[float]
    sentences: list[float]
    lost: list[dict[str, Any]]
    fates: dict[str, dict[str, int]]
    skipped_right: bool
    failures: list[str] = field(default_factory=list)


def judge(truth: dict[str, Any], script: list[str], dataset: Path) -> Verdict:
    """Compare a finished dataset with the truth."""
    described = description.read(dataset)
    if described is None:
        raise SystemExit(f"{dataset} contains no finished dataset")
    entries = read_entries(dataset / description.MANIFEST)
    events = truth["events"]
    targets = [event for event in events if event["kind"] == "target"]
    clips = sorted((entry.start, entry.end) for entry in entries)
    lost, fates = _lost(events, clips, described)
    boundaries = [error for entry in entries for error in _word_errors(entry, events)]
    edges, cut_into = _edge_errors(entries, events, described)
    unspoken, named = Counter(script[index] for index in truth["skipped"]), Counter(described.report.unspoken)
    verdict = Verdict(
        kept=sum(_inside(event, clips) for event in targets) / sum(event["end"] - event["start"] for event in targets),
        clips=len(entries),
        targets=len(targets),
        wrong=[row for entry in entries if (row := _wrong(entry, events))],
        edges=_percentiles(edges),
        cut_into=cut_into,
        words=_percentiles([error for error, _ in boundaries]),
        sentences=_percentiles([error for error, outer in boundaries if outer]),
        lost=lost,
        fates=fates,
        skipped_right=unspoken <= named and named - unspoken <= Counter(row["text"] for row in lost),
    )
    verdict.failures = _failures(verdict)
    return verdict


def _failures(verdict: Verdict) -> list[str]:
    found = []
    if verdict.kept < MIN_KEPT:
        found.append(f"{verdict.kept:.2%} of the speech kept, not {MIN_KEPT:.0%}")
    if verdict.wrong:
        found.append(f"{len(verdict.wrong)} clips with wrong text")
    for name in ("edges", "words", "sentences"):
        if getattr(verdict, name)[1] >= MAX_EDGE:
            found.append(f"error of {name} {getattr(verdict, name)[1] * 1000:.0f} ms, not under {MAX_EDGE * 1000:.0f}")
    if not verdict.skipped_right:
        found.append("the report does not list exactly the sentences that were not read")
    return found


def _overlap(one: tuple[float, float], two: tuple[float, float]) -> float:
    return max(0.0, min(one[1], two[1]) - max(one[0], two[0]))


def _inside(event: dict[str, Any], spans: list[tuple[float, float]]) -> float:
    """Seconds of an event that lie in disjoint spans."""
    first = max(0, bisect.bisect_left(spans, (event["start"], 0.0)) - 1)
    last = bisect.bisect_left(spans, (event["end"], 0.0))
    return sum(_overlap((event["start"], event["end"]), span) for span in spans[first:last])


def _words_in(start: float, end: float, events: list[dict[str, Any]]) -> list[tuple[str, float, float, str]]:
    """Words whose middle lies in a stretch, and the kind of their event."""
    return [
        (word, begin, stop, event["kind"])
        for event in events
        if event["start"] < end and event["end"] > start
        for word, begin, stop in event["words"]
        if start <= (begin + stop) / 2 < end
    ]


def _wrong(entry: ManifestEntry, events: list[dict[str, Any]]) -> dict[str, str] | None:
    spoken = _words_in(entry.start, entry.end, events)
    right = [word for word, _, _, _ in spoken]
    strange = {kind for _, _, _, kind in spoken} - {"target"}
    music = any(
        event["kind"] == "music" and _overlap((event["start"], event["end"]), (entry.start, entry.end)) > 0.0
        for event in events
    )
    if right == words(entry.normalized_text) == words(normalise(entry.text)) and not strange and not music:
        return None
    return {"id": entry.id, "text": entry.text, "spoken": " ".join(right), "kinds": " ".join(sorted(strange))}


def _word_errors(entry: ManifestEntry, events: list[dict[str, Any]]) -> list[tuple[float, bool]]:
    """Error of each beginning and end of a word, and whether it is the clip's first or last."""
    spoken = _words_in(entry.start, entry.end, events)
    if [word for word, *_ in spoken] != [row[0] for row in entry.alignment]:
        return []  # counted as wrong text
    found = []
    last = len(spoken) - 1
    for number, (row, (_, start, end, _)) in enumerate(zip(entry.alignment, spoken, strict=True)):
        found.append((abs(entry.start + row[1] - start), number == 0))
        found.append((abs(entry.start + row[2] - end), number == last))
    return found


def _edge_errors(
    entries: list[ManifestEntry], events: list[dict[str, Any]], described: DatasetDescription
) -> tuple[list[float], int]:
    limits = described.settings
    spans = [
        (start, end) for event in events for _, start, end in event["words"] or [("", event["start"], event["end"])]
    ]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    errors, inside = [], 0
    for entry in entries:
        spoken = _words_in(entry.start, entry.end, events)
        if not spoken:
            continue
        first, last = spoken[0][1], spoken[-1][2]
        before = max((end for end in ends[: bisect.bisect_right(ends, first + 1e-6)]), default=0.0)
        after = min(starts[bisect.bisect_left(starts, last - 1e-6) :], default=described.report.seconds_in)
        for room, pause in ((first - entry.start, first - before), (entry.end - last, after - last)):
            most = min(limits.max_padding, pause / 2)
            least = min(limits.min_padding, most)
            errors.append(max(0.0, least - room, room - most))
            inside += room < 0.0
    return errors, inside


def _lost(
    events: list[dict[str, Any]], clips: list[tuple[float, float]], described: DatasetDescription
) -> tuple[list[dict[str, Any]], dict[str, dict[str, int]]]:
    lost: list[dict[str, Any]] = []
    fates: dict[str, dict[str, int]] = {}
    for event in events:
        length = event["end"] - event["start"]
        kept = _inside(event, clips) / length
        reasons = {
            row.reason: row.detail or row.text
            for row in described.report.rejected
            if _overlap((row.start, row.end), (event["start"], event["end"])) > 0.1 * min(length, row.seconds)
        }
        fate = "kept" if kept >= 0.9 else " + ".join(sorted(reasons)) or "not found"
        fates.setdefault(event["kind"], Counter())[fate] += 1
        if event["kind"] == "target" and kept < 0.9:
            lost.append({"start": event["start"], "end": event["end"], "text": event["text"], "why": reasons})
    return lost, {kind: dict(found) for kind, found in fates.items()}


def _percentiles(errors: list[float]) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(errors, (50, QUANTILE, 100))] if errors else [0.0] * 3


def main() -> int:
    """Compare and print; 3 if a goal is missed."""
    parser = argparse.ArgumentParser(description="Compare a prepared dataset with the known content of its recording.")
    parser.add_argument("folder", type=Path, help="folder that build.py wrote")
    parser.add_argument("dataset", type=Path, help="the prepared dataset's folder")
    parser.add_argument("--json", action="store_true", dest="as_json")
    args = parser.parse_args()
    truth = json.loads((args.folder / "truth.json").read_text("utf-8"))
    script = (args.folder / "script.txt").read_text("utf-8").splitlines()
    verdict = judge(truth, script, args.dataset)
    if args.as_json:
        print(json.dumps(asdict(verdict), indent=2))
        return 3 if verdict.failures else 0
    print(f"{verdict.kept:.2%} of the speech kept, {verdict.clips} clips of {verdict.targets} sentences")
    for name in ("edges", "sentences", "words"):
        median, high, most = (1000 * value for value in getattr(verdict, name))
        print(f"error of {name}: median {median:.0f} ms, 95% {high:.0f} ms, largest {most:.0f} ms")
    print(f"edges within speech: {verdict.cut_into}; wrong text: {len(verdict.wrong)}")
    for row in verdict.wrong:
        print(f"  {row['id']} {row['kinds']}\n    says   {row['text']}\n    spoken {row['spoken']}")
    for kind, found in verdict.fates.items():
        print(f"{kind}: " + ", ".join(f"{count} {fate}" for fate, count in found.items()))
    for row in verdict.lost:
        print(f"  lost {row['start']:.1f}-{row['end']:.1f} s {row['text'][:60]!r}: {row['why']}")
    for failure in verdict.failures:
        print(f"MISSED {failure}")
    return 3 if verdict.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
