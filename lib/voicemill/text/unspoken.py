"""Parts of a written text that are not read aloud: notes in brackets, speaker labels and Markdown.

Scripts, text files beside recordings, metadata and captions all use these functions. Text in round brackets is often
read aloud in prose and seldom in captions, so that only what looks like a stage direction is removed in prose.
"""

from __future__ import annotations

import html
import re

_BRACKETS = re.compile(r"\[[^\[\]]*\](?!\w)|[♪♫]+")
_PARENTHESES = re.compile(r"\([^()]*\)")
_DIRECTIONS = (
    "aside applause beat breath breathes breathing chuckle chuckles chuckling clears cough coughs coughing "
    "cries crying gasp gasps giggle giggles groan groans inaudible laugh laughs laughing laughter music pause "
    "pauses shouting shouts sigh sighs sighing silence singing sings smiles smiling sneezes sniffs sob sobs "
    "sobbing whisper whispers whispering yawns angrily calmly excitedly firmly gently loudly nervously quietly "
    "sadly sarcastically softly slowly"
)
_DIRECTION = re.compile(rf"(?:{'|'.join(_DIRECTIONS.split())})\b", re.IGNORECASE)
_MAX_DIRECTION_WORDS = 4
_BEFORE_DIRECTION = re.compile(r"(?:^|[.?!:\u2026][\"'\u2019\u201d)\]]*)\s*$")
_LABEL = re.compile(
    r"(?:[A-Z][A-Z.'\u2019-]+(?: [A-Z0-9][A-Z0-9.'\u2019-]*){0,2}|Speaker \d{1,3}|SPEAKER_\d{1,3}):\s+(?=\S)"
)
_SPOKEN_LABELS = frozenset({"NOTE", "WARNING", "CAUTION", "TIP", "IMPORTANT", "ATTENTION", "DANGER", "PS", "P.S."})
_COMMENT = re.compile(r"<!--[^<>]{0,2000}-->")
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()\s]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")
_BLOCK = re.compile(r"\s*(?:#{1,6}\s+|>\s?|[-*+]\s+(?=\S))+")
_EMPHASIS = (
    re.compile(r"(?<![\w*\\])(\*{1,3})(?=[^\s*])([^*]{1,500}?)(?<=[^\s*\\])\1(?![\w*])"),
    re.compile(r"(?<![\w_\\])(_{1,3})(?=[^\s_])([^_]{1,500}?)(?<=[^\s_\\])\1(?![\w_])"),
    re.compile(r"(?<![\w~])(~~)(?=[^\s~])([^~]{1,500}?)(?<=[^\s~])\1(?![\w~])"),
    re.compile(r"(?<![\w`])(`{1,2})(?=[^\s`])([^`]{1,500}?)\1(?![\w`])"),
)
_MARKS = re.compile(r"[\[\]()*_~`#>\u266a\u266b:<+\\-]")
"""Characters without one of which a line holds nothing that is removed."""
_ESCAPE = re.compile(r"\\([*_#`~>\[\]()-])")
_LONG_ENTITY = re.compile(r"&#[0-9]{9,};?")
"""A numeric entity beyond Unicode's last character; Python refuses to read thousands of digits as one number."""


def unescape(text: str) -> str:
    """The text with its HTML entities as characters; one beyond Unicode's last character is U+FFFD."""
    return html.unescape(_LONG_ENTITY.sub("\ufffd", text))


def without_notes(text: str, *, all_parentheses: bool = False) -> str:
    """One text without notes in square brackets, music signs and stage directions.

    Args:
        text: of any length; returned as it is if it contains no note.
        all_parentheses: remove all text in round brackets, as in captions.
    """
    spoken = _BRACKETS.sub(" ", text)
    spoken = _PARENTHESES.sub(lambda match: " " if all_parentheses or _is_direction(match) else match[0], spoken)
    return text if spoken == text else re.sub(r" +(?=[,.;:!?](?:\s|$))", "", " ".join(spoken.split()))


def _is_direction(match: re.Match[str]) -> bool:
    """Whether a text in round brackets says how to speak: a short one that stands alone, or that begins so."""
    inside = match[0][1:-1].strip()
    if not inside or len(inside.split()) > _MAX_DIRECTION_WORDS or any(character.isdigit() for character in inside):
        return False
    if _DIRECTION.match(inside):
        return True
    before = match.string[max(0, match.start() - 8) : match.start()]
    alone = bool(_BEFORE_DIRECTION.search(before)) and (match.start() <= 8 or bool(before.strip()))
    return alone and inside[0].islower() and inside[-1] not in ".?!"


def without_label(line: str) -> str:
    """A line without the name of its speaker in capitals (`ANNA:`) at its start."""
    found = _LABEL.match(line)
    return line[found.end() :] if found and found[0].split(":")[0] not in _SPOKEN_LABELS else line


def without_markdown(line: str) -> str:
    """A line without the marks of Markdown: headings, lists, quotations, emphasis, links, images and comments."""
    if line.lstrip().startswith("```"):
        return ""
    spoken = _LINK.sub(r"\1", _IMAGE.sub(" ", _COMMENT.sub(" ", line)))
    block = _BLOCK.match(spoken)
    if block:
        spoken = spoken[block.end() :]
    for pattern in _EMPHASIS:
        spoken = pattern.sub(r"\2", spoken)
    return _ESCAPE.sub(r"\1", spoken)


def spoken_line(line: str) -> str:
    """What is read aloud of one line of a script, or of the text of one clip."""
    if not _MARKS.search(line):
        return line.strip()
    return without_notes(without_label(without_markdown(line).strip())).strip()
