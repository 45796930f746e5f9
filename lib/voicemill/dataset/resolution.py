"""From a request to its inputs: recordings and text of the source, what is taken over from the dataset of that name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from voicemill import files
from voicemill.audio import device, download
from voicemill.audio.decode import MIXED, require_selection
from voicemill.dataset import description, edits, existing, rights, teacher
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.request import (
    ClipFolderSource,
    PreparationRequest,
    RecordingSource,
    Source,
    WebRecordingSource,
)
from voicemill.dataset.source_file import SourceFile
from voicemill.dataset.sources import Sources, gather
from voicemill.errors import DatasetError
from voicemill.progress import Observer
from voicemill.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class ResolvedRequest:
    """A request and what it stands for.

    Attributes:
        request: with inherited settings, rights and review edits.
        sources: recordings and texts.
        inputs: digest of every input, for the content key.
        before: the dataset of this name, None where there is none.
    """

    request: PreparationRequest
    sources: Sources
    inputs: tuple[SourceFile, ...]
    before: DatasetDescription | None


def resolve(request: PreparationRequest, workspace: Workspace, observer: Observer) -> ResolvedRequest:
    """Find the recordings of a request, and take over settings, rights and edits of the dataset of the same name.

    Args:
        request: as the app built it.
        workspace: holds the dataset, and recordings that were downloaded.
        observer: gets notes about the source, and the progress of a download.

    Raises:
        UsageError: `dataset_reviewed`, and what `sources.gather` refuses.
        AudioError, DatasetError: a recording or a text cannot be used.
    """
    root = workspace.dataset(request.voice)
    before = description.read(root)
    source = request.source
    if isinstance(source, WebRecordingSource):
        source = source.fetched(download.fetch(source.url, workspace.downloads, observer, force=request.force))
    inherits_text = (
        request.recognise is None
        and before is not None
        and "recognise" in request.inherited
        and before.settings.recognise is not None
    )
    sources = gather(source, recognise=inherits_text or request.recognise is not None)
    if request.selection != MIXED:
        require_selection(sources.recordings[0].path, request.selection)
    inputs = _digests(sources, request)
    if before is not None and existing.same_source(before, request, inputs):
        request, inputs = existing.inherit(request, inputs, before, workspace)
        device.require(request.device)
    elif inherits_text:
        sources = gather(source)  # other recordings, which need their text
    for sentence in sources.notes:
        observer.note(sentence)
    request = _with_decisions(request, root, before, inputs)
    inputs = (*inputs, *edits.source_file(request.edits or ()))
    existing.require_replaceable(request, inputs, before, root)
    return ResolvedRequest(request, sources, inputs, before)


def teacher_of(source: Source) -> dict[str, str]:
    """What spoke the recordings, where they are synthetic speech and say so.

    Raises:
        DatasetError: `synthetic_speech_invalid`.
    """
    if isinstance(source, ClipFolderSource):
        return teacher.of_folder(source.folder)
    if isinstance(source, RecordingSource):
        return teacher.of_folder(source.audio if source.audio.is_dir() else source.audio.parent)
    return {}


def _with_decisions(
    request: PreparationRequest, root: Path, before: DatasetDescription | None, inputs: tuple[SourceFile, ...]
) -> PreparationRequest:
    """The request with rights and review edits: its own, else those of the dataset's folder."""
    held = rights.effective_rights(request.rights, before.rights if before else None, edits.recordings(inputs).values())
    return dataclasses.replace(request, rights=held, edits=edits.read(root) if request.edits is None else request.edits)


def _digests(sources: Sources, request: PreparationRequest) -> tuple[SourceFile, ...]:
    found = sources.digests()
    if isinstance(request.source, WebRecordingSource):
        address = {"url": request.source.url}
        found = tuple(one.model_copy(update=address) if one.role == "recording" else one for one in found)
    if request.lexicon is None:
        return found
    if not request.lexicon.is_file():
        raise DatasetError(
            f"There is no pronunciation dictionary at {request.lexicon}.",
            reason=f"lexicon_missing:{request.lexicon}",
            hint="Check the path given with --lexicon.",
        )
    extra = SourceFile(
        name=request.lexicon.name,
        role="lexicon",
        bytes=request.lexicon.stat().st_size,
        sha256=files.sha256_file(request.lexicon),
    )
    return (*found, extra)
