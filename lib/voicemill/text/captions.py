r"""Timed transcripts: SubRip (.srt), WebVTT (.vtt) and Praat's TextGrid, each to captions in the order of time.

Read strictly: what cannot be understood is an error with file and line, never left out in silence. Markup is taken off
(`<i>`, `<v Ann>`, `{\\an8}`, entities), and so is what stands in brackets alone (`[music]`), which nobody says.

Sources: https://www.w3.org/TR/webvtt1/ for WebVTT; SubRip has no standard, this is what its own program writes.
"""

from __future__ import annotations

import html
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from voicemill.errors import DatasetError
from voicemill.text import textgrid
from voicemill.text.reading import read_text

SUFFIXES = (".srt", ".vtt", ".TextGrid", ".textgrid")
"""Of timed transcripts beside a recording, the first that is found."""
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_ARROW = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?", re.ASCII)
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_NOTE = re.compile(r"[\[(][^\[\]()]*[\])]|[♪♫#]+")
_OVERLAP = 0.05
"""Seconds by which captions may overlap, from rounding; more is two people at once, or text that rolls."""


@dataclass(frozen=True)
class Caption:
    """A stretch of a recording, in seconds, and what is said in it; `line` is its place in the file."""

    start: float
    end: float
    text: str
    line: int


def is_timed(path: Path) -> bool:
    """Whether a transcript's name says that it holds times."""
    return path.suffix.lower() in (".srt", ".vtt", ".textgrid")


def find_timed(audio: Path) -> Path | None:
    """The timed transcript beside a recording, or None."""
    return next((side for suffix in SUFFIXES if (side := audio.with_suffix(suffix)).is_file()), None)


def read_captions(path: Path, tier: str | None = None) -> list[Caption]:
    """The captions of a timed transcript that say something, in the order of time.

    Args:
        path: a file whose suffix is one of `SUFFIXES`.
        tier: of a TextGrid; without it, the one that holds text.

    Raises:
        DatasetError: `captions_invalid:<name>:<line>`, or `missing_transcript` where nothing is said in it.
    """
    if path.suffix.lower() == ".textgrid":
        found = [Caption(one.start, one.end, one.text, one.line) for one in textgrid.read_intervals(path, tier)]
    else:
        found = _blocks(path, read_text(path))
    found = [Caption(one.start, one.end, _plain(one.text), one.line) for one in found]
    found = [one for one in found if any(character.isalnum() for character in one.text)]
    if not found:
        raise DatasetError(
            f"Nothing is said in {path}.",
            reason="missing_transcript",
            hint="Give captions with the words that are said.",
        )
    for before, after in itertools.pairwise(found):
        if after.start < before.end - _OVERLAP:
            _invalid(path, after.line, "this caption begins before the one before it ends: two people, or rolling text")
    return found


def _blocks(path: Path, text: str) -> list[Caption]:
    """Both caption formats: blocks of lines between blank lines, the first or second of them with an arrow."""
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
    return " ".join(_NOTE.sub(" ", html.unescape(_MARKUP.sub(" ", text))).split())


def _invalid(path: Path, line: int, what: str) -> NoReturn:
    raise DatasetError(
        f"{path}:{line}: {what}.",
        reason=f"captions_invalid:{path.name}:{line}",
        hint="Export the captions again, or mend that line; or give the text alone, as a .txt.",
    )
