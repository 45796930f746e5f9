"""Sentences in parts that are short enough for one pass of the acoustic model."""

from __future__ import annotations

from collections.abc import Sequence

from voicemill.text.frontend.spoken_words import SpokenWord

LONGEST_CHUNK = 45
"""Words of one pass of the acoustic model: a longer sentence is split at its marks, or else between words."""


def split(words: Sequence[SpokenWord], longest: int = LONGEST_CHUNK) -> list[Sequence[SpokenWord]]:
    """Words of a sentence in runs of at most `longest`, cut after the last mark that fits, or else between words."""
    runs: list[Sequence[SpokenWord]] = []
    while len(words) > longest:
        marks = [index for index in range(longest // 3, longest) if words[index].mark]
        cut = (marks[-1] if marks else longest - 1) + 1
        runs.append(words[:cut])
        words = words[cut:]
    return [*runs, words] if words else runs
