"""The preparation of a dataset: its stages in order, published atomically."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping
from importlib import metadata as packages
from pathlib import Path

from voicemill import __version__, files
from voicemill.align.transcription import RecogniserModel
from voicemill.audio import device, download, embedding
from voicemill.audio.decode import MIXED, require_selection
from voicemill.audio.embedding import SpeakerModel
from voicemill.audio.separation import package_of
from voicemill.dataset import (
    description,
    edits,
    existing,
    rights,
    screening,
    stage_cache,
    synthetic_speech,
    teacher,
    telephone,
)
from voicemill.dataset.cached_recognition import CachedTranscriber, choose_recogniser, find_second_recogniser
from voicemill.dataset.cluster import RayPool
from voicemill.dataset.context import PreparationContext, SeparatorChoice
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.prepared import PreparedDataset, load, with_rights
from voicemill.dataset.request import (
    ClipFolderSource,
    PreparationRequest,
    PreparedVoiceSource,
    RecordingSource,
    WebRecordingSource,
)
from voicemill.dataset.source_file import SourceFile
from voicemill.dataset.sources import Sources, gather
from voicemill.dataset.stage_clock import StageClock, write_timings
from voicemill.dataset.stages import (
    alignment,
    clips,
    decode,
    loudness,
    manifest,
    pitch,
    segmentation,
    separation,
    text_check,
    voice_activity,
)
from voicemill.errors import DatasetError, RefusedError
from voicemill.locks import folder_lock, require_unused
from voicemill.progress import Observer, SilentObserver
from voicemill.settings import REPOSITORY
from voicemill.text.language import require_english
from voicemill.text.lexicon import Lexicon
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

_TOOLS = ("pocketsphinx", "silero-vad", "soxr", "numpy")
"""Packages whose version is part of the content key."""


def prepare(request: PreparationRequest, workspace: Workspace, observer: Observer | None = None) -> PreparedDataset:
    """Prepare the dataset of a voice, or take it from the last run.

    The same inputs, settings and seed give byte-identical manifests, clips and supplementary data on the same machine.

    Args:
        request: inputs and settings.
        workspace: the result goes to `workspace.dataset(voice)`, results of single clips to `workspace.stage_cache`.
        observer: the person's display.

    Raises:
        UsageError: inputs that contradict each other; `dataset_reviewed`, a reviewed dataset would be replaced;
            `dataset_sample_rate`.
        AudioError: the recording cannot be used.
        DatasetError: text or manifest cannot be used, text and sound do not belong together, or too little is left.
        DependencyError: a tool is missing.
        GateError: weights that are asked for may not be used, or are not there.
        StorageError: the result cannot be written.
    """
    observer = observer or SilentObserver()
    if isinstance(request.source, PreparedVoiceSource):
        taken = existing.take(request, workspace, observer)
        if isinstance(taken, PreparedDataset):
            return taken
        request = taken
    device.require(request.device)
    root = workspace.dataset(request.voice)
    before = description.read(root)
    request, sources, inputs = _resolve(request, before, workspace, observer)
    request = _with_decisions(request, root, before, inputs)
    inputs = (*inputs, *edits.source_file(request.edits or ()))
    existing.require_replaceable(request, inputs, before, root)
    registry = WeightsRegistry(request.allowlist or REPOSITORY / SHIPPED, workspace.weights_cache, REPOSITORY)
    models = _Models.find(request, registry)
    tools = {"voicemill": __version__, **{name: packages.version(name) for name in _TOOLS}}
    tools |= request.selection.record | models.tools(workspace.stage_cache) | _teacher(request)
    code = stage_cache.code_digest(__name__)
    key = files.content_key(code, tools, request.settings.model_dump(), [source.model_dump() for source in inputs])
    known = None if request.force else load(root, key)
    if known is not None:
        existing.announce(known, request.voice, observer)
        existing.record(request, workspace, key)
        return with_rights(known, request.rights)
    existing.require_lexicon(request, inputs)
    pronunciations = Lexicon.load(request.lexicon)
    require_english(sources.script or [one.normalized or one.text for one in sources.texts], pronunciations)
    require_unused(root)
    # The processes end first, or they would write into a folder that is being removed.
    with (
        contextlib.ExitStack() as publication,
        files.atomic_directory(root) as staging,
        _pool(request, staging) as pool,
    ):
        cache = staging / ".fresh" if request.force else workspace.stage_cache
        context = PreparationContext(
            request=request,
            pool=pool,
            clock=StageClock(observer, pool.worker_ids),
            staging=staging,
            cache=cache,
            lexicon=pronunciations,
            separator=models.separator,
            speaker=models.speaker,
            transcriber=CachedTranscriber(models.recogniser, cache) if models.recogniser else None,
            checker=models.checker,
        )
        _run_stages(context, sources, edits.recordings(inputs), manifest.Identity(key, inputs, tools))
        publication.enter_context(folder_lock(root))  # no edit is saved between the copy and the publication
        require_unused(root)
        _require_unchanged(root, before, key)
        edits.carry(root, staging)
    made = load(root, key)
    if made is None:
        raise RuntimeError(f"{root} is not the dataset that was just written")
    existing.record(request, workspace, key)
    return dataclasses.replace(made, cache_hit=False)


@dataclasses.dataclass(frozen=True)
class _Models:
    """The models of a preparation.

    Attributes:
        separator: of the voice from music and noise.
        recogniser: of recordings without text; None unless it is asked for.
        speaker: the speaker model, or the reason why there is none.
        checker: the second recogniser, which checks texts; None if it is missing or switched off.
    """

    separator: SeparatorChoice
    recogniser: RecogniserModel | None
    speaker: SpeakerModel | str
    checker: RecogniserModel | None

    @classmethod
    def find(cls, request: PreparationRequest, registry: WeightsRegistry) -> _Models:
        """Find the models of a request.

        Raises:
            GateError: weights that are asked for may not be used, or are not there.
            DependencyError: a tool is missing.
        """
        return cls(
            separation.choose_separator(request.separate, request.separator, registry),
            choose_recogniser(request.recognise, registry),
            embedding.find_speaker_model(registry),
            find_second_recogniser(registry) if request.check_words else None,
        )

    def tools(self, cache: Path) -> dict[str, str]:
        """Names of the models and of their packages with digests and versions, for the content key."""
        found: dict[str, str] = {}
        if self.separator.model is not None:
            model = self.separator.model
            package = package_of(model.weights_id)
            found |= {package: packages.version(package), model.weights_id: model.sha256}
        if isinstance(self.speaker, SpeakerModel):
            found |= {self.speaker.name: self.speaker.sha256}
        for recogniser in (self.recogniser, self.checker):
            if recogniser is not None:
                found |= CachedTranscriber(recogniser, cache).tools
        return found


def _teacher(request: PreparationRequest) -> dict[str, str]:
    """What spoke the recordings, where they are synthetic speech and say so.

    Raises:
        DatasetError: `synthetic_speech_invalid`.
    """
    source = request.source
    if isinstance(source, ClipFolderSource):
        return teacher.of_folder(source.folder)
    if isinstance(source, RecordingSource):
        return teacher.of_folder(source.audio if source.audio.is_dir() else source.audio.parent)
    return {}


def _require_unchanged(root: Path, before: DatasetDescription | None, key: str) -> None:
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


def _pool(request: PreparationRequest, shared: Path) -> ClipPool | RayPool:
    return ClipPool(request.workers) if request.ray is None else RayPool(request.ray, shared)


def _resolve(
    request: PreparationRequest, before: DatasetDescription | None, workspace: Workspace, observer: Observer
) -> tuple[PreparationRequest, Sources, tuple[SourceFile, ...]]:
    """The request with the settings that it inherits, the recordings of its source, and the digest of every input."""
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
    return request, sources, inputs


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


def _run_stages(
    context: PreparationContext, sources: Sources, digests: Mapping[str, str], identity: manifest.Identity
) -> None:
    """Run the stages in their order and leave the finished dataset in the staging folder."""
    request = context.request
    decoded = voice_activity.run(context, decode.run(context, sources.recordings))
    synthetic_speech.warn(context, decoded.usable)
    decoded, separated = separation.run(context, decoded)
    decoded, levels = loudness.run(context, decoded)
    segmented = segmentation.run(context, sources, decoded)
    segmented = edits.apply(segmented, request.edits or (), digests, context.spoken, context.observer)
    if request.keep_rejected:
        segmented = clips.keep_rejected(context, segmented, levels.gain_db)
    cut = clips.run(context, segmented, levels.gain_db)
    shutil.rmtree(context.decoded)
    telephone.warn(context, cut)
    kept, unfit = screening.by_audio(cut, request.quality)
    kept, misfits, cut_off = alignment.run(context, kept)
    segmented = dataclasses.replace(segmented, rejected=(*segmented.rejected, *cut_off))
    moved = {clip.id: clip for clip in kept}
    cut = [moved.get(clip.id, clip) for clip in cut]
    kept, wrong = text_check.run(context, kept)
    kept, others = screening.by_speech(context, kept)
    entries = manifest.entries_of(kept, request.seed)
    settings, pitches = pitch.run(context, kept)
    results = manifest.StageResults(
        decoded, levels, separated, segmented, cut, [*unfit, *misfits, *wrong, *others], kept, settings, pitches
    )
    manifest.run(context, results, entries, identity)
    write_timings(context.staging / description.TIMINGS, context.clock.times)


__all__ = ["PreparedDataset", "load", "prepare"]
