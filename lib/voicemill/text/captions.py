r"""Captions: SubRip (.srt), WebVTT (.vtt) and Praat's TextGrid files, as captions in ascending order.

Files are read strictly: a line that cannot be parsed is an error with file and line. Markup (`<i>`, `<v Ann>`,
`{\\an8}`, entities) and text in brackets (`[music]`) are removed.

Sources: https://www.w3.org/TR/webvtt1/ for WebVTT. SubRip has no standard; the reader accepts the output of the program
SubRip.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from voicemill.errors import DatasetError
from voicemill.text import textgrid
from voicemill.text.text_files import read_text
from voicemill.text.unspoken import unescape, without_label, without_notes

SUFFIXES = (".srt", ".vtt", ".TextGrid", ".textgrid")
"""Suffixes of timed transcripts beside a recording, in order of preference."""
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_ARROW = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?", re.ASCII)
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_OVERLAP = 0.05
"""Seconds by which captions may overlap through rounding; more means two speakers, or rolling captions."""


@dataclass(frozen=True)
class Caption:
    """A part of a recording, in seconds, and its text; `line` is its line in the file."""

    start: float
    end: float
    text: str
    line: int


def is_timed(path: Path) -> bool:
    """Whether a transcript has times, by the suffix of its name."""
    return path.suffix.lower() in (".srt", ".vtt", ".textgrid")


def find_timed(audio: Path) -> Path | None:
    """The timed transcript beside a recording, or None."""
    return next((side for suffix in SUFFIXES if (side := audio.with_suffix(suffix)).is_file()), None)


def read_captions(path: Path, tier: str | None = None, note: Callable[[str], None] | None = None) -> list[Caption]:
    """The captions of a timed transcript that contain words, in ascending order.

    Args:
        path: a file whose suffix is one of `SUFFIXES`.
        tier: of a TextGrid; see `textgrid.read_intervals`.
        note: as for `text_files.read_text`.

    Raises:
        DatasetError: `captions_invalid:<name>:<line>`; `missing_transcript`, no caption contains words.
    """
    if path.suffix.lower() == ".textgrid":
        found = [Caption(one.start, one.end, one.text, one.line) for one in textgrid.read_intervals(path, tier)]
    else:
        found = _blocks(path, read_text(path, note=note))
    found = [Caption(one.start, one.end, _plain(one.text), one.line) for one in found]
    found = [one for one in found if any(character.isalnum() for character in one.text)]
    if not found:
        raise DatasetError(
            f"{path} contains no words.",
            reason="missing_transcript",
            hint="Give captions with the words that are spoken.",
        )
    for before, after in itertools.pairwise(found):
        if after.start < before.end - _OVERLAP:
            _invalid(
                path, after.line, "this caption begins before the previous one ends: two speakers, or rolling text"
            )
    return found


def _blocks(path: Path, text: str) -> list[Caption]:
    """The captions of a .srt or .vtt file: blocks between blank lines with an arrow in their first or second line."""
    lines = text.splitlines()
    webvtt = path.suffix.lower() == ".vtt"
    if webvtt and not re.match(r"WEBVTT(?:[ \t]|$)", lines[0] if lines else ""):
        _invalid(path, 1, "a WebVTT file begins with WEBVTT")
    found, number = [], 0
    if webvtt:
        while number < len(lines) and lines[number].strip():
            number += 1
    while number < len(lines):
        first = number
        while number < len(lines) and lines[number].strip():
            number += 1
        block = lines[first:number]
        number += 1
        if not block or (webvtt and re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", block[0])):
            continue
        arrow = next((index for index, line in enumerate(block[:2]) if "-->" in line), None)
        times = None if arrow is None else _ARROW.fullmatch(block[arrow])
        if arrow is None or times is None:
            _invalid(path, first + 1, "a line with `00:00:01.000 --> 00:00:02.000` is needed here")
        start, end = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        if end <= start:
            _invalid(path, first + arrow + 1, "this caption ends before it begins")
        found.append(Caption(start, end, " ".join(block[arrow + 1 :]), first + arrow + 1))
    return found


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return 3600.0 * hours + 60.0 * minutes + seconds + thousandths / 1000.0


def _plain(text: str) -> str:
    plain = unescape(_MARKUP.sub(" ", text)).replace("#", " ")
    return " ".join(without_label(without_notes(plain, all_parentheses=True).strip()).split())


def _invalid(path: Path, line: int, what: str) -> NoReturn:
    raise DatasetError(
        f"{path}:{line}: {what}.",
        reason=f"captions_invalid:{path.name}:{line}",
        hint="Export the captions again or correct that line; or give only the text, as a .txt.",
    )
