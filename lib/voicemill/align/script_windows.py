"""Script windows: the part of a long script that each block of speech spans is likely to read.

A language model of a window is faster and makes fewer errors than one of a whole book. Every 16th span, an *anchor*, is
recognised with the whole script first. The heaviest chain of the sentences found in the anchors, in reading order
(`script_matching.choose_takes`), locates the reader; misrecognised anchors are not on the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voicemill.align.script_matching import choose_takes, find_takes

ANCHOR_INTERVAL = 16
"""Speech spans per anchor."""
BLOCK = 2 * ANCHOR_INTERVAL
"""Consecutive speech spans that share a window."""
_ANCHOR_REACH = 2
"""Sentences found before and after a block up to which its window extends: more than one, as one may be wrong."""
_MARGIN_SENTENCES = 8
"""Sentences added at both ends of a window."""


def anchor_spans(count: int) -> range:
    """Indices of the anchors among `count` speech spans; empty if the recording is too short to need windows."""
    return range(ANCHOR_INTERVAL // 2, count, ANCHOR_INTERVAL) if count >= 4 * BLOCK else range(0)


def windows(
    count: int, hypotheses: Mapping[int, Sequence[str]], sentences: Sequence[Sequence[str]]
) -> list[tuple[range, range]]:
    """Blocks of speech spans and the window of the script for each.

    Args:
        count: number of speech spans.
        hypotheses: recognised words of each anchor, by its index.
        sentences: words of the script, sentence by sentence.

    Returns:
        Pairs (indices of spans, indices of sentences) in ascending order. Every span is in exactly one block. The
        window is the whole script where no sentence was found in the anchors.
    """
    order = sorted(hypotheses)
    spoken = [(index, word) for index in order for word in hypotheses[index]]
    chosen, _ = choose_takes(find_takes(sentences, [word for _, word in spoken]), sentences)
    located = [(spoken[take.first][0], take.sentence) for take in chosen]
    found = []
    for first in range(0, count, BLOCK):
        block = range(first, min(count, first + BLOCK))
        before = [sentence for index, sentence in located if index < block.start]
        after = [sentence for index, sentence in located if index >= block.stop]
        begin = before[-_ANCHOR_REACH] - _MARGIN_SENTENCES if len(before) >= _ANCHOR_REACH else 0
        end = after[_ANCHOR_REACH - 1] + 1 + _MARGIN_SENTENCES if len(after) >= _ANCHOR_REACH else len(sentences)
        found.append((block, range(max(0, begin), min(end, len(sentences)))))
    return found
