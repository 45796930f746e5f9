"""Review edits, applied to the utterances of a preparation: texts, edges, pronunciations and verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from voicemill.audio.cuts import Cut
from voicemill.dataset.edits import NAME, ClipEdit, find
from voicemill.dataset.report import Rejection
from voicemill.dataset.utterances import SegmentationResult, Utterance
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver


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
    used: list[ClipEdit] = []
    for utterance in found.utterances:
        part = utterance.recording.source
        edit = find(edits, digests.get(part.name, ""), part.offset + utterance.start, part.offset + utterance.end)
        if edit is None or (edit.verdict is None and utterance.text not in (edit.was, edit.text)):
            utterances.append(utterance)
            continue
        used.append(edit)
        made = _edited(utterance, edit, spoken)
        if not isinstance(made, Rejection):
            utterances.append(made)
        else:
            rejected.append(made)
    utterances = _without_overlaps(utterances)
    _report(observer or SilentObserver(), edits, [edit for edit in edits if not any(edit is one for one in used)])
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


def _edited(given: Utterance, edit: ClipEdit, spoken: Callable[[str], str]) -> Utterance | Rejection:
    utterance = _moved(given, edit)
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


def _moved(utterance: Utterance, edit: ClipEdit) -> Utterance:
    """The utterance with the edges and pronunciations of an edit."""
    phones = tuple((word, tuple(given.split())) for word, given in (edit.pronunciations or {}).items())
    utterance = dataclasses.replace(utterance, pronunciations=phones)
    if edit.moved_start is None and edit.moved_end is None:
        return utterance
    offset, seconds = utterance.recording.source.offset, utterance.recording.seconds
    start = utterance.start if edit.moved_start is None else max(0.0, edit.moved_start - offset)
    end = utterance.end if edit.moved_end is None else min(seconds, edit.moved_end - offset)
    return dataclasses.replace(utterance, start=start, end=end, cuts=_cuts(utterance, start, end), moved=True)


def _cuts(utterance: Utterance, start: float, end: float) -> tuple[Cut, ...]:
    """The cuts at both ends, those that a person moved with that reason."""
    if not utterance.cuts:
        return ()
    first, last = utterance.cuts[0], utterance.cuts[-1]
    if start != utterance.start:
        first = Cut(start, "review", 0.0, None)
    if end != utterance.end:
        last = Cut(end, "review", 0.0, None)
    return (first, *utterance.cuts[1:-1], last)


def _without_overlaps(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Utterances whose moved edges end where a neighbour in the same recording begins."""
    found = []
    for utterance in utterances:
        if utterance.moved:
            others = [one for one in utterances if one is not utterance and one.recording == utterance.recording]
            middle = (utterance.start + utterance.end) / 2
            start = max([utterance.start, *(one.end for one in others if one.end <= middle)])
            end = min([utterance.end, *(one.start for one in others if one.start >= middle)])
            utterance = dataclasses.replace(utterance, start=start, end=end, cuts=_cuts(utterance, start, end))
        found.append(utterance)
    return found
