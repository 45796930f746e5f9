"""Input text of synthesis through NeMo: pauses, and chunks short enough for one pass of the acoustic model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voicemill.errors import UsageError
from voicemill.synthesis.out_of_vocabulary import WORD
from voicemill.synthesis.ssml import PLAIN, Part, Pause, parse

LONGEST_CHUNK = 300
"""Characters. A longer sentence is split at commas, or else at spaces: the cost of attention is quadratic."""
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+")


def parse_breaks(text: str, paragraph_pause: float = 0.7, sentence_pause: float = 0.3) -> list[str | float]:
    """Split a text at its breaks, sentences and paragraphs: texts, and pauses in seconds, in order.

    Marks are left out: they have times only where the voice's graph speaks.

    Raises:
        UsageError: see `ssml.parse`; `markup_unsupported:<element>` also for phones and prosody.
    """
    parsed: list[str | float] = []
    for item in parse(text, sentence_pause=sentence_pause, paragraph_pause=paragraph_pause):
        if isinstance(item, Pause):
            parsed.append(item.seconds)
        elif words := "".join(map(_plain, item.parts)).strip():
            parsed.append(words)
    return parsed


def _plain(part: Part) -> str:
    element = "prosody" if part.style != PLAIN else "phoneme" if any(each.phones for each in part.given) else ""
    if element:
        raise UsageError(
            f"Unsupported markup: <{element}> with a voice of an earlier version.",
            reason=f"markup_unsupported:{element}",
            hint="Build the voice's bundle again: it gets a graph, which speaks all elements.",
        )
    return " ".join(word.text for word in part.given) if part.given else part.text


def split_into_chunks(text: str, longest: int = LONGEST_CHUNK) -> list[str]:
    """Split a text into sentences, and a sentence longer than `longest` characters into clauses or runs of words.

    Chunks without a word are left out.
    """
    chunks: list[str] = []
    for sentence in _SENTENCE_END.split(" ".join(text.split())):
        chunks.extend(_split_sentence(sentence, longest))
    return [chunk for chunk in chunks if WORD.search(chunk)]


def _split_sentence(sentence: str, longest: int) -> Iterator[str]:
    if len(sentence) <= longest:
        yield sentence
        return
    parts = _CLAUSE_END.split(sentence)
    if len(parts) == 1:
        parts = sentence.split(" ")
    line = ""
    for part in parts:
        if line and len(line) + 1 + len(part) > longest:
            yield from _split_sentence(line, longest) if line != sentence else [line]
            line = part
        else:
            line = f"{line} {part}".strip()
    if line:
        yield from _split_sentence(line, longest) if len(parts) > 1 and line != sentence else [line]
