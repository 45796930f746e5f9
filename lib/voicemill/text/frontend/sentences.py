"""Sentences of a written text, as written: cut where `reading` cuts them."""

from __future__ import annotations

import itertools
import re

from voicemill.text.frontend.reading import read_parts
from voicemill.text.lexicon import Lexicon, default_lexicon

_MARK_BEFORE_SPACE = re.compile(r"(?<=[.?!\u2026])[\"'\u2019\u201d)\]*_]*\s+")


def split_sentences(text: str, lexicon: Lexicon | None = None) -> list[str]:
    """The sentences of a text with their markup and characters, in order; nothing of the text is lost.

    Args:
        text: of one paragraph.
        lexicon: pronunciations, which tell words from initialisms; the CMU dictionary by default.
    """
    pieces: list[str] = []
    start = 0
    for match in _MARK_BEFORE_SPACE.finditer(text):
        pieces.append(text[start : match.end()])
        start = match.end()
    pieces.append(text[start:])
    if len(pieces) == 1:
        return [text.strip()] if text.strip() else []
    firsts = {sentence.words[0].part for sentence in read_parts(pieces, lexicon or default_lexicon())}
    bounds = [0, *sorted(firsts)[1:], len(pieces)]
    found = ("".join(pieces[first:last]).strip() for first, last in itertools.pairwise(bounds))
    return [sentence for sentence in found if sentence]
