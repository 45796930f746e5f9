"""Which part of a long script is near each stretch of a recording: pure sequence work, no sound.

A recogniser that expects a whole book is slow and mishears more than one that expects the page. Where the reader is,
a sample of the stretches tells: what was heard in them is found in the script, and their heaviest chain in reading
order (`matching.choose`) leaves out what was misheard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voicemill.align.script_matching import choose, find_takes

EVERY = 16
"""Of so many stretches one is in the sample."""
BLOCK = 2 * EVERY
"""Stretches in a row that share a part of the script."""
_REACH = 2
"""Places of the sample before and after a block that its part reaches to: one of them may be wrong."""
_MARGIN = 8
"""Sentences beyond them."""


def sample(count: int) -> range:
    """Indices of the stretches, of so many, that tell where the reader is; none where the whole script is near."""
    return range(EVERY // 2, count, EVERY) if count >= 4 * BLOCK else range(0)


def parts(
    count: int, heard: Mapping[int, Sequence[str]], sentences: Sequence[Sequence[str]]
) -> list[tuple[range, range]]:
    """Blocks of stretches, and the sentences of the script that are near each.

    Args:
        count: number of stretches.
        heard: words that were heard in the stretches of a sample.
        sentences: words of the script, sentence by sentence.

    Returns:
        (stretches, sentences) in order, each stretch in one block; the whole script where nothing of it was found.
    """
    order = sorted(heard)
    spoken = [(stretch, word) for stretch in order for word in heard[stretch]]
    chosen, _ = choose(find_takes(sentences, [word for _, word in spoken]), sentences)
    places = [(spoken[take.first][0], take.sentence) for take in chosen]
    found = []
    for first in range(0, count, BLOCK):
        block = range(first, min(count, first + BLOCK))
        before = [sentence for stretch, sentence in places if stretch < block.start]
        after = [sentence for stretch, sentence in places if stretch >= block.stop]
        begin = before[-_REACH] - _MARGIN if len(before) >= _REACH else 0
        end = after[_REACH - 1] + 1 + _MARGIN if len(after) >= _REACH else len(sentences)
        found.append((block, range(max(0, begin), min(end, len(sentences)))))
    return found
