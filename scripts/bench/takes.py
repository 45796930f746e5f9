"""Verdicts of the studio on takes of people: seconds, right text, and single words changed."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from pathlib import Path

import click

from voicemill.settings import Settings
from voicemill.weights.registry import WeightsRegistry
from voicemill_studio.take_verdict import TakeJudge, read_take

OTHER_WORD = "yellow"


def clips_of(folder: Path, audio: Path) -> list[tuple[Path, str]]:
    """The recordings of a speaker with their texts.

    Args:
        folder: with `metadata.csv`, `id|text` or `id|speaker|text`.
        audio: folder of `<id>.flac`.
    """
    rows = [line.split("|") for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    known = [(audio / f"{row[0]}.flac", row[2] if len(row) > 2 and row[1].isidentifier() else row[1]) for row in rows]
    return [pair for pair in known if pair[0].is_file()]


def run(folder: Path, audio: Path, count: int) -> None:
    """Print Markdown.

    Args:
        folder: with `metadata.csv`, `id|text` or `id|speaker|text`.
        audio: folder of `<id>.flac`.
        count: recordings.
    """
    settings = Settings.from_environment(os.environ)
    started = time.perf_counter()
    judge = TakeJudge.load(
        WeightsRegistry(settings.weights.allowlist, settings.workspace.weights_cache, settings.repository)
    )
    click.echo(f"loaded in {time.perf_counter() - started:.1f} s\n")
    takes = clips_of(folder, audio)[:count]
    seconds, found = (
        [],
        {name: Counter[str]() for name in ("as read", "a word replaced", "a word added", "another text")},
    )
    for index, (path, text) in enumerate(takes):
        samples, rate = read_take(path.read_bytes())
        words = text.split()
        middle = len(words) // 2
        texts = {
            "as read": text,
            "a word replaced": " ".join([*words[:middle], OTHER_WORD, *words[middle + 1 :]]),
            "a word added": " ".join([*words[:middle], OTHER_WORD, *words[middle:]]),
            "another text": takes[index - 1][1],
        }
        for name, given in texts.items():
            begun = time.perf_counter()
            verdict = judge.judge(samples, rate, given)
            seconds.append(time.perf_counter() - begun)
            reasons = [fault.reason for fault in verdict.faults if not fault.reason.startswith("cut_")]
            found[name][reasons[0] if reasons else "accepted"] += 1
    click.echo("| text | verdicts |\n|---|---|")
    for name, counts in found.items():
        click.echo(f"| {name} | {', '.join(f'{reason} {number}' for reason, number in counts.most_common())} |")
    median, most = statistics.median(seconds), max(seconds)
    click.echo(
        f"\nseconds of a verdict: median {median:.2f}, most {most:.2f}, first {seconds[0]:.2f}, n = {len(seconds)}"
    )
