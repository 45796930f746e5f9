"""`edits.jsonl`: decisions of a review, beside the manifest; the next preparation applies them.

An edit names a stretch of a recording, by the digest of the recording and the seconds in it, never by a clip's number:
numbers change when other limits cut the recording differently. An edit whose stretch is no utterance any more waits in
the file and is counted aloud, it is never put on another clip.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from voicemill import files
from voicemill.dataset.description_parts import SourceFile
from voicemill.errors import DatasetError

NAME = "edits.jsonl"
MAX_TEXT = 2_000
"""Characters; an utterance of 30 s holds about 600."""
MAX_BYTES = 64 * 1024 * 1024
SAME_STRETCH = 0.8
"""Two stretches are one when their common part is at least this share of both together: padding and rounding pass, a
neighbour or a merged pair of utterances does not."""

MAX_PRONUNCIATIONS, MAX_PHONES = 100, 400
"""Words of one clip, and characters of one pronunciation."""
FARTHEST, SHORTEST = 2.0, 0.2
"""Seconds by which an edge may be moved, and that a clip keeps."""
PHONES = frozenset(
    (
        *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH"),
        *("K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
    )
)
"""ARPABET without stress."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")

Verdict = Literal["drop", "keep"]


class ClipEditV1(BaseModel):
    """A decision about one stretch of a recording.

    Attributes:
        source: name of the recording, for people.
        source_sha256: digest of the recording; an edit never reaches another take of the same name.
        start: seconds in the recording.
        end: seconds in the recording.
        was: the text before; a new text is applied only where this one still stands.
        text: the new text, None to leave it.
        verdict: `drop` leaves the clip out, `keep` takes it although a measurement would leave it out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1, max_length=1024)
    source_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    start: float = Field(ge=0)
    end: float = Field(gt=0)
    was: str = Field(max_length=MAX_TEXT)
    text: str | None = Field(default=None, max_length=MAX_TEXT)
    verdict: Verdict | None = None

    @field_validator("text")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        if text is None:
            return None
        clean = " ".join(text.split())
        if not clean or not clean.isprintable():
            raise ValueError("the text is blank or holds control characters")
        return clean

    @model_validator(mode="after")
    def _has_a_decision(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end is not after start")
        if not self._decided():
            raise ValueError("neither a text nor a verdict")
        return self

    def _decided(self) -> bool:
        return self.text is not None or self.verdict is not None


class ClipEdit(ClipEditV1):
    """A decision about one stretch of a recording; edges and pronunciations are new in version 2.

    Attributes:
        moved_start: seconds in the recording where the clip begins instead.
        moved_end: seconds in the recording where the clip ends instead.
        pronunciations: word in lower case -> its ARPABET phones in this clip, separated by blanks.
    """

    moved_start: float | None = Field(default=None, ge=0)
    moved_end: float | None = Field(default=None, gt=0)
    pronunciations: dict[str, str] | None = Field(default=None, max_length=MAX_PRONUNCIATIONS)

    @field_validator("pronunciations")
    @classmethod
    def _are_phones(cls, given: dict[str, str] | None) -> dict[str, str] | None:
        for word, phones in (given or {}).items():
            if not _WORD.fullmatch(word):
                raise ValueError("a pronunciation belongs to a word of letters")
            unknown = [phone for phone in phones.split() if phone not in PHONES]
            if unknown or not phones.strip() or len(phones) > MAX_PHONES:
                raise ValueError(f"{' '.join(unknown)[:40] or 'nothing'} is no phone of ARPABET")
        return {word: " ".join(phones.split()) for word, phones in sorted(given.items())} if given else None

    @model_validator(mode="after")
    def _keeps_a_stretch(self) -> Self:
        start, end = self.stretch
        moved = (start, end) != (self.start, self.end)
        if moved and (end - start < SHORTEST or max(abs(start - self.start), abs(end - self.end)) > FARTHEST):
            raise ValueError(f"an edge moves {FARTHEST:g} s at most, and {SHORTEST:g} s must be left")
        return self

    def _decided(self) -> bool:
        new = (self.moved_start, self.moved_end, self.pronunciations)
        return super()._decided() or any(one is not None for one in new)

    @property
    def stretch(self) -> tuple[float, float]:
        """Start and end after the edges were moved, in seconds of the recording."""
        return (
            self.start if self.moved_start is None else self.moved_start,
            self.end if self.moved_end is None else self.moved_end,
        )

    def line(self) -> str:
        """The edit as one line of JSON, keys sorted."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, ensure_ascii=False)

    def is_about(self, source_sha256: str, start: float, end: float) -> bool:
        """Whether this edit means that stretch."""
        if source_sha256 != self.source_sha256:
            return False
        return any(
            min(end, last) - max(start, first) >= SAME_STRETCH * (max(end, last) - min(start, first))
            for first, last in ((self.start, self.end), self.stretch)
        )


def read(root: Path) -> tuple[ClipEdit, ...]:
    """The edits of a dataset; none where there is no file.

    Raises:
        DatasetError: `edits_invalid:<line>`; a decision of a person is never skipped in silence.
    """
    try:
        data = files.read_whole(root / NAME, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise DatasetError(
            f"{root / NAME} cannot be read: {error.strerror}.",
            reason="edits_invalid:unreadable",
            hint="Restore the file, or remove it: then every clip is as the preparation made it.",
        ) from error
    found = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(ClipEdit.model_validate(files.parse_json(line, max_bytes=MAX_BYTES)))
        except ValueError as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise DatasetError(
                f"{root / NAME}:{number}: this edit is not valid: {why}.",
                reason=f"edits_invalid:{number}",
                hint="Correct the line, or remove it: then the clip is as the preparation made it.",
            ) from error
    return tuple(found)


def write(root: Path, edits: Iterable[ClipEdit]) -> None:
    """Write edits in the order of the recordings, atomically: the same decisions give the same bytes."""
    files.write_text(root / NAME, _text(edits))


def _text(edits: Iterable[ClipEdit]) -> str:
    ordered = sorted(edits, key=lambda edit: (edit.source, edit.source_sha256, edit.start, edit.end))
    return "".join(edit.line() + "\n" for edit in ordered)


def carry(old: Path, new: Path) -> None:
    """Put the edits of a dataset that is about to be replaced into its successor, the latest state of them."""
    if (old / NAME).is_file():
        files.copy_file(old / NAME, new / NAME)


def source_file(edits: Sequence[ClipEdit]) -> tuple[SourceFile, ...]:
    """The edits as an input of the preparation, with their digest; nothing when there are none."""
    if not edits:
        return ()
    data = _text(edits).encode("utf-8")
    return (SourceFile(name=NAME, role="edits", bytes=len(data), sha256=files.sha256_bytes(data)),)


def find(edits: Iterable[ClipEdit], source_sha256: str, start: float, end: float) -> ClipEdit | None:
    """The edit that means a stretch, None where there is none."""
    return next((edit for edit in edits if edit.is_about(source_sha256, start, end)), None)


def recordings(inputs: Iterable[SourceFile]) -> dict[str, str]:
    """Name of each recording -> its digest."""
    return {source.name: source.sha256 for source in inputs if source.role == "recording"}
