"""Times of words, phones and marks as JSON, SubRip, WebVTT or Praat's TextGrid; SubRip has no place for marks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from voicemill.errors import UsageError
from voicemill_runtime.voice import TimedMark, TimedWord

CAPTION_SECONDS = 4.0
"""Longest caption of SubRip and WebVTT."""
CAPTION_WORDS = 10


def render(words: Sequence[TimedWord], name: str, marks: Sequence[TimedMark] = ()) -> str:
    """The times in the format that a file's ending names: `.json`, `.srt`, `.vtt` or `.TextGrid`.

    Args:
        words: in order.
        name: of the file.
        marks: of SSML, in order.

    Raises:
        UsageError: `timings_format:<ending>`: another ending.
    """
    suffix = Path(name).suffix.lower()
    writer = _WRITERS.get(suffix)
    if writer is None:
        raise UsageError(
            f"Times cannot be written as {suffix or 'a file without an ending'}.",
            reason=f"timings_format:{suffix.lstrip('.')}",
            hint="Name a file that ends in .json, .srt, .vtt or .TextGrid.",
        )
    return writer(words, marks)


def _json(words: Sequence[TimedWord], marks: Sequence[TimedMark]) -> str:
    rows = [
        {
            "word": word.text,
            "start": round(word.start, 4),
            "end": round(word.end, 4),
            "phones": [
                {"phone": phone.symbol, "start": round(phone.start, 4), "end": round(phone.end, 4)}
                for phone in word.phones
            ],
        }
        for word in words
    ]
    times = [{"mark": mark.name, "time": round(mark.time, 4)} for mark in marks]
    return json.dumps({"words": rows, "marks": times}, indent=2) + "\n"


def _captions(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    captions: list[list[TimedWord]] = []
    for word in words:
        last = captions[-1] if captions else []
        if (
            not last
            or len(last) >= CAPTION_WORDS
            or word.end - last[0].start > CAPTION_SECONDS
            or word.start - last[-1].end > 0.25
        ):
            captions.append([word])
        else:
            last.append(word)
    return captions


def _stamp(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _cue(caption: Sequence[TimedWord], point: str) -> str:
    span = f"{_stamp(caption[0].start, point)} --> {_stamp(caption[-1].end, point)}"
    return f"{span}\n{' '.join(word.text for word in caption)}\n"


def _srt(words: Sequence[TimedWord], _: Sequence[TimedMark]) -> str:
    return "\n".join(f"{number}\n{_cue(caption, ',')}" for number, caption in enumerate(_captions(words), 1))


def _vtt(words: Sequence[TimedWord], marks: Sequence[TimedMark]) -> str:
    notes = [f"NOTE mark {_one_line(mark.name)} {_stamp(mark.time, '.')}\n" for mark in marks]
    return "WEBVTT\n\n" + "\n".join([*notes, *(_cue(caption, ".") for caption in _captions(words))])


def _one_line(name: str) -> str:
    return " ".join(name.replace("-->", "->").split())


def _textgrid(words: Sequence[TimedWord], marks: Sequence[TimedMark]) -> str:
    end = max(words[-1].end if words else 0.0, marks[-1].time if marks else 0.0)
    tiers = {
        "words": [(word.start, word.end, word.text) for word in words],
        "phones": [(phone.start, phone.end, phone.symbol) for word in words for phone in word.phones],
    }
    count = len(tiers) + bool(marks)
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n{end:.6f}\n<exists>\n{count}\n'
    return head + "".join(_tier(name, rows, end) for name, rows in tiers.items()) + _points(marks, end)


def _points(marks: Sequence[TimedMark], end: float) -> str:
    """The tier of marks, if there are any."""
    if not marks:
        return ""
    body = "".join(f'{mark.time:.6f}\n"{_quoted(mark.name)}"\n' for mark in marks)
    return f'"TextTier"\n"marks"\n0\n{end:.6f}\n{len(marks)}\n{body}'


def _quoted(text: str) -> str:
    """Text inside quotation marks, as Praat doubles them."""
    return _one_line(text).replace('"', '""')


def _tier(name: str, rows: Sequence[tuple[float, float, str]], end: float) -> str:
    """One interval tier; the time between intervals is filled with empty ones, as Praat demands."""
    intervals: list[tuple[float, float, str]] = []
    position = 0.0
    for start, stop, text in rows:
        if start > position:
            intervals.append((position, start, ""))
        if stop > max(start, position):
            intervals.append((max(start, position), stop, text))
            position = stop
    if end > position:
        intervals.append((position, end, ""))
    body = "".join(f'{start:.6f}\n{stop:.6f}\n"{_quoted(text)}"\n' for start, stop, text in intervals)
    return f'"IntervalTier"\n"{name}"\n0\n{end:.6f}\n{len(intervals)}\n{body}'


_WRITERS: dict[str, Callable[[Sequence[TimedWord], Sequence[TimedMark]], str]] = {
    ".json": _json,
    ".srt": _srt,
    ".vtt": _vtt,
    ".textgrid": _textgrid,
}
