"""Input text of synthesis: SSML breaks, paragraphs, and chunks short enough for one pass of the acoustic model.

The markup is the part of SSML that sets pauses: `<break time="500ms"/>`, with or without a surrounding `<speak>`
(W3C SSML 1.1, section 3.2.3). Any other tag is refused instead of being read aloud.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from voicemill.errors import UsageError
from voicemill.synthesis.out_of_vocabulary import WORD

LONGEST_BREAK = 10.0
"""Seconds."""
LONGEST_CHUNK = 300
"""Characters. A longer sentence is split at commas, or else at spaces: the cost of attention is quadratic."""
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<break\s+time\s*=\s*([\"'])(\d+(?:\.\d+)?)(ms|s)\1\s*/>")
_SPEAK = re.compile(r"\s*<speak(?:\s[^<>]*)?>(.*)</speak>\s*", re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+")


def parse_breaks(text: str, paragraph_pause: float = 0.7) -> list[str | float]:
    """Split a text at its breaks and paragraphs: texts, and pauses in seconds, in order.

    Raises:
        UsageError: `markup_unsupported` for any tag except a break of at most ten seconds.
    """
    document = _SPEAK.fullmatch(text)
    body = document[1] if document else text
    parsed: list[str | float] = []
    position = 0
    for tag in _TAG.finditer(body):
        pause = _BREAK.fullmatch(tag[0])
        seconds = float(pause[2]) / (1000 if pause[3] == "ms" else 1) if pause else LONGEST_BREAK + 1
        if seconds > LONGEST_BREAK:
            raise UsageError(
                f"Unsupported markup: {tag[0][:60]}",
                reason="markup_unsupported",
                hint='The only supported tag is <break time="500ms"/>, of at most 10 s.',
            )
        parsed += [*_paragraphs(body[position : tag.start()], paragraph_pause), seconds]
        position = tag.end()
    return [*parsed, *_paragraphs(body[position:], paragraph_pause)]


def _paragraphs(text: str, pause: float) -> list[str | float]:
    parsed: list[str | float] = []
    for paragraph in _PARAGRAPH.split(text):
        if paragraph.strip():
            parsed += [pause, paragraph.strip()]
    return parsed[1:]


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
