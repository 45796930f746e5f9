"""From a request to its inputs: recordings and text of the source, and the dataset that exists under the voice's name.

That dataset is taken as it is, continued with its settings, or protected.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from voicemill import files
from voicemill.audio import device, download
from voicemill.audio.channels import ChannelSelection
from voicemill.audio.decode import require_selection
from voicemill.dataset import description, edits, prepared, rights
from voicemill.dataset.description import DatasetDescription, PreparationSettings
from voicemill.dataset.description_parts import SourceFile
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import (
    INHERITABLE,
    ClipFolderSource,
    LJSpeechSource,
    ManifestSource,
    PreparationRequest,
    PreparedVoiceSource,
    RecordingSource,
    Source,
    WebRecordingSource,
)
from voicemill.dataset.sources import Sources, Stamp, gather
from voicemill.errors import DatasetError, RefusedError, UsageError
from voicemill.progress import Observer
from voicemill.workspace import Workspace

_SOURCES: Mapping[str, type[Source]] = {
    kind.__name__: kind
    for kind in (RecordingSource, WebRecordingSource, ClipFolderSource, LJSpeechSource, ManifestSource)
}


class _SourceRecord(BaseModel):
    """Where the recordings and the lexicon of a dataset are on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    source: dict[str, str | float | None]
    lexicon: Path | None


@dataclasses.dataclass(frozen=True)
class ResolvedRequest:
    """A request and what it stands for.

    Attributes:
        request: with inherited settings, rights and review edits.
        sources: recordings and texts.
        inputs: digest of every input, for the content key.
        before: the dataset of this name, None where there is none.
        stamps: of the input files, taken before they were hashed.
    """

    request: PreparationRequest
    sources: Sources
    inputs: tuple[SourceFile, ...]
    before: DatasetDescription | None
    stamps: Mapping[Path, Stamp]


def resolve(request: PreparationRequest, workspace: Workspace, observer: Observer) -> ResolvedRequest | PreparedDataset:
    """Find the recordings of a request, and take over settings, rights and edits of the dataset of the same name.

    A `PreparedVoiceSource` whose review edits are all applied already is that dataset.

    Args:
        request: as the app built it.
        workspace: holds the dataset, and recordings that were downloaded.
        observer: gets notes about the source, and the progress of a download.

    Raises:
        UsageError: `dataset_reviewed`, `dataset_sample_rate`, and what `sources.gather` refuses.
        AudioError, DatasetError: a recording or a text cannot be used.
    """
    if isinstance(request.source, PreparedVoiceSource):
        taken = _take(request, workspace, observer)
        if isinstance(taken, PreparedDataset):
            return taken
        request = taken
    device.require(request.device)
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
    if request.track is not None or request.channel is not None:
        require_selection(sources.recordings[0].path, request.selection)
    stamps = sources.stamps()
    inputs = _with_lexicon(request, sources.digests())
    if before is not None and same_source(before, request, inputs):
        request, inputs = inherit(request, inputs, before, workspace)
        device.require(request.device)
    elif inherits_text:
        sources = gather(source)  # other recordings, which need their text
    for sentence in sources.notes:
        observer.note(sentence)
    request = _with_decisions(request, root, before, inputs)
    inputs = (*inputs, *edits.source_file(request.edits or ()))
    require_replaceable(request, inputs, before, root)
    return ResolvedRequest(request, sources, inputs, before, stamps)


def _with_decisions(
    request: PreparationRequest, root: Path, before: DatasetDescription | None, inputs: tuple[SourceFile, ...]
) -> PreparationRequest:
    """The request with rights and review edits: its own, else those of the dataset's folder."""
    held = rights.effective_rights(request.rights, before.rights if before else None, edits.recordings(inputs).values())
    return dataclasses.replace(request, rights=held, edits=edits.read(root) if request.edits is None else request.edits)


def _with_lexicon(request: PreparationRequest, found: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
    """The inputs with the address of a recording from the web, and with the user's own dictionary."""
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


def _take(
    request: PreparationRequest, workspace: Workspace, observer: Observer
) -> PreparedDataset | PreparationRequest:
    """The dataset of a `PreparedVoiceSource`, or, where review edits wait, the request that applies them.

    Raises:
        UsageError: `dataset_sample_rate`, the dataset has another sample rate than the request.
        DatasetError: `dataset_incomplete`, there is no dataset or its files changed; `edits_not_applied`, review edits
            wait and the recordings cannot be found.
    """
    root = workspace.dataset(request.voice)
    known = prepared.load(root)
    if known is None:
        raise DatasetError(
            f"{root} is not a complete dataset: a file is missing or was changed.",
            reason=f"dataset_incomplete:{request.voice}",
            hint="Prepare the voice again with voice-prep, or name its recordings with --audio.",
        )
    settings = known.description.settings
    if settings.sample_rate != request.sample_rate:
        raise UsageError(
            f"The dataset of {request.voice} has {settings.sample_rate} Hz, and the training preset needs "
            f"{request.sample_rate} Hz.",
            reason=f"dataset_sample_rate:{settings.sample_rate}_not_{request.sample_rate}",
            hint=f"Prepare the voice again with voice-prep --sample-rate {request.sample_rate}, or choose another "
            "preset.",
        )
    if edits.source_file(edits.read(root)) == _rows(known.description.inputs, "edits"):
        announce(known, request.voice, observer)
        digests = edits.recordings(known.description.inputs).values()
        return prepared.with_rights(known, rights.effective_rights(request.rights, known.description.rights, digests))
    record = _recorded(workspace, known.description)
    if record is None:
        raise DatasetError(
            f"The dataset of {request.voice} has review edits that are not applied yet.",
            reason=f"edits_not_applied:{request.voice}",
            hint="Run voice-prep again with the recordings of this voice, or name them with --audio.",
        )
    source, lexicon = record
    return dataclasses.replace(request, source=source, lexicon=lexicon, inherited=INHERITABLE)


def announce(known: PreparedDataset, voice: str, observer: Observer) -> None:
    """Say that a dataset is taken as it is."""
    observer.note(f"dataset of {voice}: unchanged, taken from the last run ({len(known.entries)} clips)")


def same_source(before: DatasetDescription, request: PreparationRequest, inputs: Sequence[SourceFile]) -> bool:
    """Whether a dataset was made of the same recordings, the same part of them and the same text."""
    old, new = before.settings, request.settings
    parts = [(one.start, one.end, one.tier) for one in (old, new)]
    return parts[0] == parts[1] and _rows(before.inputs, "recording", "text") == _rows(inputs, "recording", "text")


def inherit(
    request: PreparationRequest, inputs: tuple[SourceFile, ...], before: DatasetDescription, workspace: Workspace
) -> tuple[PreparationRequest, tuple[SourceFile, ...]]:
    """Request and inputs with the settings of a dataset of the same source, as far as `request.inherited` says."""
    request = request.inheriting(before)
    extra = _rows(before.inputs, "lexicon")
    if request.lexicon is not None or "lexicon" not in request.inherited or not extra:
        return request, inputs
    record = _recorded(workspace, before)
    lexicon = record[1] if record else None
    if lexicon is not None and lexicon.is_file() and files.sha256_file(lexicon) == extra[0].sha256:
        request = dataclasses.replace(request, lexicon=lexicon)
    return request, (*inputs, *extra)


def require_lexicon(request: PreparationRequest, inputs: Sequence[SourceFile]) -> None:
    """Refuse to prepare again without the pronunciations that the existing dataset was made with.

    Raises:
        DatasetError: `lexicon_missing:<name>`.
    """
    extra = _rows(inputs, "lexicon")
    if extra and request.lexicon is None:
        raise DatasetError(
            f"The dataset of {request.voice} was prepared with the pronunciations in {extra[0].name}, which is not "
            "there any more.",
            reason=f"lexicon_missing:{extra[0].name}",
            hint="Give that file again with --lexicon.",
        )


def require_replaceable(
    request: PreparationRequest, inputs: Sequence[SourceFile], before: DatasetDescription | None, root: Path
) -> None:
    """Refuse to replace a reviewed dataset with one of another source or other settings.

    Raises:
        UsageError: `dataset_reviewed:<voice>`.
    """
    if before is None or request.force or request.replace_reviewed:
        return
    if not _rows(before.inputs, "edits") and not edits.read(root):
        return
    changes = _changes(before.settings, request.settings)
    if ChannelSelection.from_record(before.tools) != request.selection:
        changes.append("track or channel")
    for role, name in (("recording", "recordings"), ("text", "text"), ("lexicon", "lexicon")):
        if _rows(before.inputs, role) != _rows(inputs, role):
            changes.append(name)
    if changes:
        raise UsageError(
            f"The dataset of {request.voice} was reviewed, and this run would replace it with one that differs in: "
            f"{', '.join(changes)}.",
            reason=f"dataset_reviewed:{request.voice}",
            hint=f"voice-train-prod --voice {request.voice} without a source trains it as it is; --replace-reviewed "
            "replaces it and applies the edits again where they fit; another --voice keeps both.",
        )


def require_unchanged(root: Path, before: DatasetDescription | None, key: str) -> None:
    """Refuse to replace a dataset that another process put there since this preparation began.

    Raises:
        RefusedError: `lane_busy:<name>`.
    """
    now = description.read(root)
    known = {key} if before is None else {key, before.content_key}
    if now is not None and now.content_key not in known:
        raise RefusedError(
            f"Another process has put a dataset at {root} meanwhile; it stays.",
            reason=f"lane_busy:{root.name}",
            hint="Start again: finished stages are taken from the cache.",
        )


def _changes(old: PreparationSettings, new: PreparationSettings) -> list[str]:
    """Settings that differ, without the name of the voice: a renamed one is the same dataset."""
    names = [name for name in PreparationSettings.model_fields if name != "voice"]
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _rows(inputs: Sequence[SourceFile], *roles: str) -> tuple[SourceFile, ...]:
    return tuple(row for row in inputs if row.role in roles)


def _path(workspace: Workspace, key: str) -> Path:
    return workspace.cache / "sources" / f"{key}.json"


def record(request: PreparationRequest, workspace: Workspace, key: str) -> None:
    """Note where the source of a dataset is on this machine, so that later review edits can be applied by name."""
    fields = {
        item.name: os.path.abspath(value) if isinstance(value := getattr(request.source, item.name), Path) else value
        for item in dataclasses.fields(request.source)
    }
    lexicon = None if request.lexicon is None else Path(os.path.abspath(request.lexicon))
    made = _SourceRecord(kind=type(request.source).__name__, source=fields, lexicon=lexicon)
    files.write_json(_path(workspace, key), made.model_dump(mode="json"))


def _recorded(workspace: Workspace, described: DatasetDescription) -> tuple[Source, Path | None] | None:
    """Source and lexicon of a dataset, if they were noted here and the source's files still exist."""
    try:
        known = _SourceRecord.model_validate(files.read_json(_path(workspace, described.content_key)))
        source = TypeAdapter(_SOURCES[known.kind]).validate_python(known.source)
    except (OSError, KeyError, files.InvalidJsonError, ValidationError):
        return None
    paths = [value for item in dataclasses.fields(source) if isinstance(value := getattr(source, item.name), Path)]
    return (source, known.lexicon) if all(path.exists() for path in paths) else None
