"""`edits.jsonl`: decisions of a review, beside the manifest; the next preparation applies them.

An edit names a stretch of a recording, by the digest of the recording and the seconds in it, never by a clip's number:
numbers change when other limits cut the recording differently. An edit whose stretch is no utterance any more waits in
the file and is counted aloud, it is never put on another clip.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from voicemill import files
from voicemill.dataset.report import Rejection
from voicemill.dataset.source_file import SourceFile
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver

if TYPE_CHECKING:
    from voicemill.dataset.utterances import SegmentationResult, Utterance

NAME = "edits.jsonl"
MAX_TEXT = 2_000
"""Characters; an utterance of 30 s holds about 600."""
MAX_BYTES = 64 * 1024 * 1024
SAME_STRETCH = 0.8
"""Two stretches are one when their common part is at least this share of both together: padding and rounding pass, a
neighbour or a merged pair of utterances does not."""

Verdict = Literal["drop", "keep"]


class ClipEdit(BaseModel):
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
    def _has_a_decision(self) -> ClipEdit:
        if self.end <= self.start:
            raise ValueError("end is not after start")
        if self.text is None and self.verdict is None:
            raise ValueError("neither a text nor a verdict")
        return self

    def line(self) -> str:
        """The edit as one line of JSON, keys sorted."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, ensure_ascii=False)

    def is_about(self, source_sha256: str, start: float, end: float) -> bool:
        """Whether this edit means that stretch."""
        if source_sha256 != self.source_sha256:
            return False
        common = min(end, self.end) - max(start, self.start)
        return common >= SAME_STRETCH * (max(end, self.end) - min(start, self.start))


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


def apply(
    found: SegmentationResult,
    edits: Sequence[ClipEdit],
    digests: Mapping[str, str],
    spoken: Callable[[str], str],
    observer: Observer | None = None,
) -> SegmentationResult:
    """Utterances as the person wants them: new texts in place, verdicts noted. Nothing is taken away here, so that a
    dropped clip keeps its number and its figures.

    Args:
        found: what the segmentation found.
        edits: what to apply.
        digests: name of each recording -> its digest.
        spoken: normalises a text.
        observer: gets the number of edits that were applied, and which match no utterance.

    Raises:
        DatasetError: `dataset_no_valid_audio`, when nothing is left.
    """
    if not edits:
        return found
    utterances: list[Utterance] = []
    rejected: list[Rejection] = []
    used: set[ClipEdit] = set()
    for utterance in found.utterances:
        part = utterance.recording.source
        edit = find(edits, digests.get(part.name, ""), part.offset + utterance.start, part.offset + utterance.end)
        if edit is None or (edit.verdict is None and utterance.text not in (edit.was, edit.text)):
            utterances.append(utterance)
            continue
        used.add(edit)
        made = _edited(utterance, edit, spoken)
        if not isinstance(made, Rejection):
            utterances.append(made)
        else:
            rejected.append(made)
    _report(observer or SilentObserver(), edits, [edit for edit in edits if edit not in used])
    if all(utterance.verdict == "drop" for utterance in utterances):
        raise DatasetError(
            "Every clip was dropped in the review.",
            reason="dataset_no_valid_audio",
            hint="Restore some of them with voice-prep review.",
        )
    return dataclasses.replace(found, utterances=tuple(utterances), rejected=(*found.rejected, *rejected))


def _report(observer: Observer, edits: Sequence[ClipEdit], unused: Sequence[ClipEdit]) -> None:
    observer.note(f"review: {len(edits) - len(unused)} of {len(edits)} edits applied")
    if unused:
        named = ", ".join(f"{edit.source} {edit.start:.1f}-{edit.end:.1f} s" for edit in unused[:3])
        observer.note(f"review: {len(unused)} edits fit no utterance of this run and wait in {NAME}: {named}")


def _edited(utterance: Utterance, edit: ClipEdit, spoken: Callable[[str], str]) -> Utterance | Rejection:
    if edit.text is None or utterance.text not in (edit.was, edit.text):
        return dataclasses.replace(utterance, verdict=edit.verdict)
    recognised = utterance.recognised and edit.text == edit.was
    try:
        spelt = spoken(edit.text)
        return dataclasses.replace(
            utterance,
            text=edit.text,
            normalized=spelt,
            verdict=edit.verdict,
            recognised=recognised,
            corrected=edit.text != edit.was,
        )
    except DatasetError as error:
        if error.code != "text_not_english":
            raise
        return dataclasses.replace(utterance, text=edit.text).rejected(error.code, str(error))
