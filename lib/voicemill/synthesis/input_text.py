"""Input text of synthesis through NeMo: passages and pauses."""

from __future__ import annotations

from voicemill.errors import UsageError
from voicemill.synthesis.ssml import PLAIN, Part, Pause, parse


def parse_breaks(text: str, paragraph_pause: float = 0.7, sentence_pause: float = 0.3) -> list[str | float]:
    """Split a text at its breaks and paragraphs: texts, and pauses in seconds, in order.

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
