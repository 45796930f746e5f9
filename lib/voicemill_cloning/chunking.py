"""A long text in pieces that an engine speaks one by one: sentences, and parts of long ones.

English is cut by the sentence splitter of the text front end, which knows abbreviations, numbers and addresses. Other
languages are cut at their own marks. A piece that would take longer than `LONGEST` is cut again at a comma, or between
words.
"""

from __future__ import annotations

import re

from voicemill.text.frontend.sentences import split_sentences
from voicemill_cloning.durations import expected_seconds
from voicemill_cloning.languages import AUTO
from voicemill_cloning.text_language import by_text

LONGEST = 15.0
"""Seconds of speech of one piece: about what 200 characters of English take."""
SHORTEST = 1.5
"""Seconds; shorter sentences go together with the next one, because generative models are unstable on them."""
_OTHER_SENTENCES = re.compile(r"(?<=[.!?\u2026])\s+|(?<=[\u3002\uff01\uff1f])")
_INNER_MARKS = re.compile(r"(?<=[,;:\u2013\u2014])\s+|(?<=[\uff0c\u3001\uff1b\uff1a])")


def pieces(text: str, language: str = "English") -> list[str]:
    """The pieces of a text, in order; their words are those of the text.

    Args:
        text: as written, in paragraphs.
        language: a name of `voicemill_cloning.languages`, or `AUTO`, which is judged by the text.
    """
    language = by_text(text) if language == AUTO else language
    found: list[str] = []
    for paragraph in filter(None, map(str.strip, re.split(r"\n\s*\n", text))):
        sentences = _sentences(" ".join(paragraph.split()), language)
        found += _joined([part for sentence in sentences for part in _short(sentence, language)], language)
    return found


def _sentences(paragraph: str, language: str) -> list[str]:
    if language == "English":
        return split_sentences(paragraph)
    return [part.strip() for part in _OTHER_SENTENCES.split(paragraph) if part.strip()]


def _short(sentence: str, language: str) -> list[str]:
    """A sentence in parts of at most `LONGEST` seconds, cut at inner marks where there are some."""
    if expected_seconds(sentence, language) <= LONGEST:
        return [sentence]
    parts = [part.strip() for part in _INNER_MARKS.split(sentence) if part.strip()]
    if len(parts) == 1:
        words = sentence.split()
        if len(words) == 1:  # a language without blanks, or one very long word
            half = len(sentence) // 2
            return [*_short(sentence[:half], language), *_short(sentence[half:], language)] if half > 1 else [sentence]
        parts = [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]
        return [piece for part in parts for piece in _short(part, language)]
    runs: list[str] = []
    joint = " " if " " in sentence else ""
    for part in parts:
        longer = f"{runs[-1]}{joint}{part}" if runs else part
        if runs and expected_seconds(longer, language) <= LONGEST:
            runs[-1] = longer
        else:
            runs.append(part)
    return [piece for run in runs for piece in _short(run, language)]


def _joined(parts: list[str], language: str) -> list[str]:
    """The parts, very short ones together with their neighbours."""
    runs: list[str] = []
    for part in parts:
        short = runs and expected_seconds(runs[-1], language) < SHORTEST
        if short and expected_seconds(f"{runs[-1]} {part}", language) <= LONGEST:
            runs[-1] = f"{runs[-1]} {part}"
        else:
            runs.append(part)
    if len(runs) > 1 and expected_seconds(runs[-1], language) < SHORTEST:
        last = runs.pop()
        runs[-1] = f"{runs[-1]} {last}"
    return runs
